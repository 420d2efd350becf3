/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* What a player's MSE knows of one track at the end of an append. All times in ns. */
typedef struct
{
  guint64 last;           /* time of the last frame */
  guint64 last_duration;  /* as the container says it, or as a player guesses it; 0 = not known */
  guint64 longest;        /* the longest frame since the last sync point; 0 = not known yet */
  gboolean says_duration; /* last_duration is not a guess */
  gboolean started;
  gboolean last_is_sync_point;
  gboolean in_unit; /* the current unit has a frame of the track */
} RelaisAppendGap;

void relais_append_gap_init (RelaisAppendGap *self);
guint64 relais_append_gap_guess (const RelaisAppendGap *self, guint64 time);
void relais_append_gap_add_frame (RelaisAppendGap *self,
                                  guint64 time,
                                  guint64 duration,
                                  gboolean is_sync_point);
void relais_append_gap_end_unit (RelaisAppendGap *self);
guint64 relais_append_gap_get_end (const RelaisAppendGap *self);
guint64 relais_append_gap_get_limit (const RelaisAppendGap *self);
guint64 relais_append_gap_get_said_limit (const RelaisAppendGap *self);

G_END_DECLS
