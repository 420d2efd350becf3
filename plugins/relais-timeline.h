/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* All times are nanoseconds; what is written is a whole number of milliseconds (the muxer's
 * TimestampScale). */
#define RELAIS_TIMELINE_TICK (G_GUINT64_CONSTANT (1000000))

/* A step back by more than this is a new time base of the publisher, not a late block. */
#define RELAIS_TIMELINE_MAX_BACK (G_GUINT64_CONSTANT (1000000000))

/* A step forward of all tracks by more than this is a new time base (a sleep, a reset clock), not a
 * slow track. It stands above the 7 s that Chromium leaves between frames of a canvas that does not
 * change. */
#define RELAIS_TIMELINE_MAX_AHEAD (G_GUINT64_CONSTANT (10000000000))

typedef struct
{
  guint64 offset;       /* where the first block lands */
  guint64 last_written; /* time of the last block of any track */
  guint64 end;          /* where the next epoch may start: past everything written */
  gint64 shift;         /* newest input → output distance */
  gboolean started;
} RelaisTimeline;

typedef struct
{
  gint64 shift;
  guint64 last_out;    /* time of this track's last block, real or filler */
  guint64 distance;    /* usual time from frame to frame; 0 = not known yet */
  guint64 last_real;   /* time of this track's last real block */
  guint64 codec_delay; /* Opus: its pre-skip, which the demuxer takes off and the muxer puts on */
  gboolean started;
  gboolean reorders; /* presentation order is not decode order (H.264 with B-frames): times are
                        never lifted */
} RelaisTrackTime;

void relais_timeline_init (RelaisTimeline *self, guint64 offset);
guint64 relais_timeline_map (RelaisTimeline *self, RelaisTrackTime *track, guint64 time);
void relais_timeline_add (RelaisTimeline *self, RelaisTrackTime *track, guint64 out);
guint64 relais_timeline_fill (RelaisTimeline *self, RelaisTrackTime *track, guint64 time);
guint64 relais_track_time_get_quiet_limit (const RelaisTrackTime *track, guint64 quiet_limit);

G_END_DECLS
