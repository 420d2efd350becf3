/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* How late the first frame of an append may be.
 *
 * MSE's coded frame processing
 * (https://www.w3.org/TR/media-source-2/#sourcebuffer-coded-frame-processing, step 6) takes a frame
 * that comes more than two frame durations after the one before for a discontinuity of all tracks,
 * and then every frame up to the next sync point is dropped. WebM's blocks mostly say no duration,
 * so a player takes the distances instead. Firefox (153, TrackBuffersManager and WebMDemuxer) looks
 * at the first frame of each append and compares with the longest frame since the last sync point,
 * where the last frame of an append counts as long as the one before. One hiccup of an encoder
 * between two chunks is thus enough to freeze a page that appends what it gets, message by message.
 *
 * This is that reckoning. livematroskamux puts a repeat frame where the limit would be passed, and
 * says the duration where a player's guess would be a bad one. Plain arithmetic: no locks, no
 * allocation. */

#include "config.h"

#include "relais-append-gap.h"

void
relais_append_gap_init (RelaisAppendGap *self)
{
  *self = (RelaisAppendGap){ 0 };
}

/* A player's longest frame begins anew with each sync point. */
static void
account (RelaisAppendGap *self, guint64 duration)
{
  self->longest = self->last_is_sync_point ? duration : MAX (self->longest, duration);
}

/**
 * relais_append_gap_guess:
 * @self: a track
 * @time: the time in ns of its next frame
 *
 * Returns: how long a player takes that frame to be in ns, until it sees the one after it; 0 when
 * it cannot know
 */
guint64
relais_append_gap_guess (const RelaisAppendGap *self, guint64 time)
{
  return self->started && time > self->last ? time - self->last : 0;
}

/**
 * relais_append_gap_add_frame:
 * @self: a track
 * @time: the frame's time in ns, as it is written
 * @duration: what is written of its duration in ns; 0 = nothing
 * @is_sync_point: whether decoding can start with it
 */
void
relais_append_gap_add_frame (RelaisAppendGap *self,
                             guint64 time,
                             guint64 duration,
                             gboolean is_sync_point)
{
  guint64 step = relais_append_gap_guess (self, time);

  /* Of the very first frame there is no guess: a player waits for the second one. */
  if (self->started && (self->in_unit || self->longest == 0))
    account (self, step);
  self->last = time;
  self->says_duration = duration > 0;
  self->last_duration = self->says_duration ? duration : step;
  self->last_is_sync_point = is_sync_point;
  self->started = self->in_unit = TRUE;
}

/**
 * relais_append_gap_end_unit:
 * @self: a track
 *
 * What is written next is another append.
 */
void
relais_append_gap_end_unit (RelaisAppendGap *self)
{
  if (self->in_unit)
    account (self, self->last_duration);
  self->in_unit = FALSE;
}

/**
 * relais_append_gap_get_end:
 * @self: a track
 *
 * Returns: where its last frame ends for a player that has seen no other, in ns
 */
guint64
relais_append_gap_get_end (const RelaisAppendGap *self)
{
  return self->last + self->last_duration;
}

/**
 * relais_append_gap_get_limit:
 * @self: a track
 *
 * It is taken up to twice the longest frame's duration after the last one, but leaves a hole in
 * what is buffered when it comes more than the longest frame's duration after the last one's end (a
 * range is taken to be half that longer at each end).
 *
 * Returns: the latest time in ns at which the next append's first frame is sure to be taken and
 * leaves no hole; %G_MAXUINT64 while any is
 */
guint64
relais_append_gap_get_limit (const RelaisAppendGap *self)
{
  if (self->longest == 0)
    return G_MAXUINT64;
  return self->last + self->longest + MIN (self->longest, self->last_duration);
}

/**
 * relais_append_gap_get_said_limit:
 * @self: a track
 *
 * Where the container says how long the last frame is, Chromium (156, FrameProcessor) compares with
 * that one alone, also within an append.
 *
 * Returns: the latest time in ns at which the next frame is sure to be taken, wherever it stands;
 * %G_MAXUINT64 while any is
 */
guint64
relais_append_gap_get_said_limit (const RelaisAppendGap *self)
{
  return self->says_duration ? self->last + 2 * self->last_duration : G_MAXUINT64;
}
