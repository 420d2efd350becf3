/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* From a publisher's timestamps to the stream's: one timeline that never goes back, whatever the
 * input does.
 *
 * Every epoch starts where the last one ended (`offset`). Within an epoch all tracks share one
 * shift, so they stay in step; when the publisher's clock jumps (a reset, a 32-bit wrap, a laptop
 * that slept), the first track to show it moves the shared shift and the others adopt it at their
 * own jump. A block that is late by less than RELAIS_TIMELINE_MAX_BACK is lifted to the last time
 * written: Chromium's MSE refuses an append in which a block is earlier than the block before it.
 *
 * Plain arithmetic on plain structs: no locks, no allocation; the caller serialises. */

#include "config.h"

#include "relais-timeline.h"

/* Above this a track's own rhythm no longer delays its first filler: a player that holds less than
 * half a second of media would run dry before it. */
#define MAX_QUIET_LIMIT (G_GUINT64_CONSTANT (500000000))

/**
 * relais_timeline_init:
 * @self: an uninitialised timeline
 * @offset: the time in ns at which the first block lands
 */
void
relais_timeline_init (RelaisTimeline *self, guint64 offset)
{
  *self = (RelaisTimeline){ .offset = offset, .last_written = offset, .end = offset };
}

static guint64
apply_shift (guint64 time, gint64 shift)
{
  if (shift < 0 && time < (guint64) -shift)
    return 0;
  return time + (guint64) shift;
}

static guint64
round_to_tick (guint64 time)
{
  return (time + RELAIS_TIMELINE_TICK / 2) / RELAIS_TIMELINE_TICK * RELAIS_TIMELINE_TICK;
}

static gboolean
is_time_base_change (const RelaisTimeline *self, const RelaisTrackTime *track, guint64 out)
{
  return out + RELAIS_TIMELINE_MAX_BACK < track->last_real
         || out > self->last_written + RELAIS_TIMELINE_MAX_AHEAD;
}

static void
advance (RelaisTimeline *self, RelaisTrackTime *track, guint64 out)
{
  track->last_out = out;
  self->last_written = MAX (self->last_written, out);
  self->end = MAX (self->end, out + MAX (track->distance, RELAIS_TIMELINE_TICK));
}

/**
 * relais_timeline_map:
 * @self: the timeline
 * @track: the track that the block belongs to
 * @time: the block's time in ns as the publisher stamped it
 *
 * Maps a real block's time onto the stream's timeline. What goes before the block may be added in
 * between; then relais_timeline_add() records the block.
 *
 * Returns: the time to write, in ns, a whole number of ticks, never before the last time written
 * unless the track reorders
 */
guint64
relais_timeline_map (RelaisTimeline *self, RelaisTrackTime *track, guint64 time)
{
  guint64 out;

  if (!self->started)
    {
      self->started = TRUE;
      self->shift = (gint64) self->offset - (gint64) time;
    }
  if (!track->started)
    track->shift = self->shift;

  out = apply_shift (time, track->shift);
  if (is_time_base_change (self, track, out))
    {
      /* Another track may have met the same jump before: then its shift brings this one into place
       * too. */
      out = apply_shift (time, self->shift);
      if (is_time_base_change (self, track, out))
        {
          self->shift = (gint64) (self->last_written + track->distance) - (gint64) time;
          out = apply_shift (time, self->shift);
        }
      track->shift = self->shift;
    }

  out = round_to_tick (out);
  if (!track->reorders)
    out = MAX (out, self->last_written);
  return out;
}

/**
 * relais_timeline_add:
 * @self: the timeline
 * @track: the track that the block belongs to
 * @out: what relais_timeline_map() said of it
 *
 * Records a real block as written.
 */
void
relais_timeline_add (RelaisTimeline *self, RelaisTrackTime *track, guint64 out)
{
  /* A distance across fillers is how long the track was quiet, not its rhythm. */
  if (track->started && out > track->last_real && track->last_out == track->last_real)
    {
      guint64 step = out - track->last_real;

      /* A slow average: one missing frame must not double the rhythm, a new rhythm is learnt within
       * a second. */
      track->distance = track->distance == 0 ? step : (track->distance * 7 + step) / 8;
    }
  track->started = TRUE;
  track->last_real = out;
  advance (self, track, out);
}

/**
 * relais_timeline_fill:
 * @self: the timeline
 * @track: the quiet track
 * @time: a time on the stream's timeline in ns
 *
 * Records a filler of @track at @time. A filler teaches nothing about the track's rhythm.
 *
 * Returns: the time to write
 */
guint64
relais_timeline_fill (RelaisTimeline *self, RelaisTrackTime *track, guint64 time)
{
  guint64 out = MAX (round_to_tick (time), self->last_written);

  advance (self, track, out);
  return out;
}

/**
 * relais_track_time_get_quiet_limit:
 * @track: a track
 * @quiet_limit: the configured limit in ns
 *
 * Returns: how long the track may be silent before it gets fillers: @quiet_limit or twice its usual
 * frame distance, whichever is more, but no more than half a second
 */
guint64
relais_track_time_get_quiet_limit (const RelaisTrackTime *track, guint64 quiet_limit)
{
  return MAX (quiet_limit, MIN (2 * track->distance, MAX_QUIET_LIMIT));
}
