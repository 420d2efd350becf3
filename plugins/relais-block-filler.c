/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What livematroskamux writes beside and about the blocks it is given, so that players play on:
 * repeat frames and silence for a track that is quiet while another flows, or whose next unit would
 * begin later than players allow (relais-append-gap.c); durations where a player would guess
 * badly; and where a Cluster may begin in a group of pictures that is longer than a Cluster.
 *
 * All calls are serialised by the bin's lock. */

#include "config.h"

#include "relais-block-filler.h"

/* A quiet video track is refreshed with every block of the flowing one, but no denser than this. */
#define MIN_REPEAT_DISTANCE (30 * GST_MSECOND)

/* How long a repeat is shown before a Cluster that begins with another track's block. */
#define REPEAT_DURATION (10 * GST_MSECOND)

/* Takes @filler, which ends at @until where it is a picture and that matters. */
static GstFlowReturn
write_filler (RelaisBlockWriter *self,
              RelaisMuxTrack *track,
              GstBuffer *filler,
              guint64 due,
              guint64 until)
{
  guint64 time = relais_timeline_fill (&self->timeline, &track->time, due);
  guint64 duration = track->is_video ? until - MIN (until, time) : GST_BUFFER_DURATION (filler);

  duration -= duration % RELAIS_TIMELINE_TICK;
  relais_append_gap_add_frame (&track->gap, time, duration, !track->is_video);
  track->n_fillers++;
  return relais_inner_muxer_write (self->mux, self->tracks, track, filler, time, duration, FALSE);
}

/* Silence has to be laid packet by packet up to @until. Takes @filler. */
static GstFlowReturn
lay_silence (RelaisBlockWriter *self, RelaisMuxTrack *track, GstBuffer *filler, guint64 until)
{
  guint64 duration = GST_BUFFER_DURATION (filler);
  guint64 due = track->filling
                    ? track->time.last_out + duration
                    : MAX (track->time.last_real + track->duration, self->timeline.last_written);
  GstFlowReturn ret = GST_FLOW_OK;

  track->filling = TRUE;
  for (; ret == GST_FLOW_OK && duration > 0 && due <= until; due += duration)
    ret = write_filler (self, track, gst_buffer_copy (filler), due, 0);
  gst_buffer_unref (filler);
  return ret;
}

/* Whether the unit that is being written holds another block of the track. */
static gboolean
has_more (const RelaisBlockWriter *self, const RelaisMuxTrack *track)
{
  for (guint i = self->n_written + 1; i < self->pending->len; i++)
    if (g_array_index (self->pending, RelaisPendingBlock, i).track == track)
      return TRUE;
  return FALSE;
}

/* Until when the track's next block has to be there, if it is not to come too late for a player
 * once @now is written. Where the last block says its duration, as sound does, that holds within a
 * unit too: what comes after @now is no earlier. Where a player has to guess, only the first block
 * of a unit is compared.
 *
 * Returns: the time in ns; %G_MAXUINT64 while there is time */
static guint64
find_missed_limit (RelaisBlockWriter *self,
                   RelaisMuxTrack *track,
                   RelaisMuxTrack *flowing,
                   guint64 now)
{
  guint64 said = relais_append_gap_get_said_limit (&track->gap);
  guint64 limit = relais_append_gap_get_limit (&track->gap);
  gboolean in_unit = track->gap.in_unit;

  if (!self->settings.hold_units)
    return G_MAXUINT64;
  if (now > said)
    return said;
  /* What is left of this unit saves the track only if the unit has begun with it. */
  if (now > limit && !(in_unit && (track == flowing || has_more (self, track))))
    return limit;
  return G_MAXUINT64;
}

static gboolean
is_quiet (RelaisBlockWriter *self, RelaisMuxTrack *track, guint64 now)
{
  guint64 limit = relais_track_time_get_quiet_limit (&track->time, self->settings.quiet_time);

  if (now < track->time.last_real + track->duration + limit)
    return track->filling && !track->is_video;
  return !track->is_video || now >= track->time.last_out + MIN_REPEAT_DISTANCE;
}

static void
check_leave (RelaisBlockWriter *self, RelaisMuxTrack *track, guint64 now)
{
  guint64 last_end = track->time.last_out + track->duration;

  if (self->settings.leave_time > 0 && now >= last_end + self->settings.leave_time)
    track->wants_to_leave = TRUE;
}

/* @now is the time of @flowing's next block. */
static GstFlowReturn
fill_track (RelaisBlockWriter *self, RelaisMuxTrack *track, RelaisMuxTrack *flowing, guint64 now)
{
  guint64 missed = find_missed_limit (self, track, flowing, now);
  GstBuffer *filler;

  if (missed > now && (track == flowing || !is_quiet (self, track, now)))
    return GST_FLOW_OK;
  filler = self->settings.quiet_time > 0 ? relais_mux_track_make_filler (track) : NULL;
  if (filler == NULL)
    {
      if (track != flowing)
        check_leave (self, track, now);
      return GST_FLOW_OK;
    }
  if (missed <= now && track->is_video)
    return write_filler (self, track, filler, missed, 0);
  if (track->is_video && relais_inner_muxer_is_cluster_full (self->mux, now))
    /* Its end is where a Cluster can begin. */
    return write_filler (self, track, filler, now - MIN (now, REPEAT_DURATION), now);
  if (track->is_video)
    return write_filler (self, track, filler, now, 0);
  /* Under another track's block, or up to its own; rather a little into that than a hole. */
  return lay_silence (self, track, filler,
                      track == flowing ? MAX (missed, now - MIN (now, GST_BUFFER_DURATION (filler)))
                                       : now);
}

/**
 * relais_block_filler_fill_own:
 * @self: a writer
 * @track: a track that has begun
 * @time: the time in ns of its next block, which must not have been shown to its repeat frame yet
 *
 * Writes what has to stand before that block so that players take it.
 */
GstFlowReturn
relais_block_filler_fill_own (RelaisBlockWriter *self, RelaisMuxTrack *track, guint64 time)
{
  return fill_track (self, track, track, time);
}

/**
 * relais_block_filler_fill_others:
 * @self: a writer
 * @flowing: the track whose block comes next
 * @now: that block's time in ns
 *
 * Fills the tracks that are quiet, or asks for those to leave that have no filler.
 */
GstFlowReturn
relais_block_filler_fill_others (RelaisBlockWriter *self, RelaisMuxTrack *flowing, guint64 now)
{
  GstFlowReturn ret = GST_FLOW_OK;

  for (guint i = 0; i < self->tracks->len && ret == GST_FLOW_OK; i++)
    {
      RelaisMuxTrack *track = g_ptr_array_index (self->tracks, i);

      if (track == flowing || !track->started)
        continue;
      ret = fill_track (self, track, flowing, now);
    }
  return ret;
}

/**
 * relais_block_filler_begin_sound:
 * @self: a writer whose timeline begins
 *
 * Sound counts as heard up to where the timeline begins: if it does not begin there, or not at all,
 * it is as quiet as one that stops later. A player that comes from another recording compares with
 * the last sound of that one.
 */
void
relais_block_filler_begin_sound (RelaisBlockWriter *self)
{
  guint64 begin = self->timeline.offset, due = self->settings.sound_due;

  for (guint i = 0; i < self->tracks->len && self->settings.quiet_time > 0; i++)
    {
      RelaisMuxTrack *track = g_ptr_array_index (self->tracks, i);
      g_autoptr (GstBuffer) filler = NULL;

      if (track->is_video)
        continue;
      track->started = TRUE;
      filler = relais_mux_track_make_filler (track);
      track->started = filler != NULL;
      if (filler == NULL)
        continue;
      track->duration = GST_BUFFER_DURATION (filler);
      track->time.last_real = track->time.last_out = begin - MIN (begin, track->duration);
      if (due >= 2 * track->duration)
        relais_append_gap_add_frame (&track->gap, due - 2 * track->duration, track->duration, TRUE);
      relais_append_gap_end_unit (&track->gap);
    }
}

/**
 * relais_block_filler_level:
 * @self: a writer
 * @end: a time in ns at which something else begins: another recording, another header
 *
 * Lays silence up to @end where it is missed. A player that goes on there in the same SourceBuffer
 * compares the times of each track. Where the sound's comes too late, it drops all tracks up to the
 * next sync point, and the keyframe at @end has passed by then: pictures would stand still for a
 * whole group of pictures.
 */
GstFlowReturn
relais_block_filler_level (RelaisBlockWriter *self, guint64 end)
{
  GstFlowReturn ret = GST_FLOW_OK;

  for (guint i = 0; i < self->tracks->len && ret == GST_FLOW_OK; i++)
    {
      RelaisMuxTrack *track = g_ptr_array_index (self->tracks, i);
      GstBuffer *filler;

      if (track->is_video || track->has_left || self->settings.quiet_time == 0
          || relais_append_gap_get_said_limit (&track->gap) >= end
          || (filler = relais_mux_track_make_filler (track)) == NULL)
        continue;
      ret = lay_silence (self, track, filler, end - RELAIS_TIMELINE_TICK);
    }
  return ret;
}

/* Firefox takes a Cluster that begins before everything in the one before has ended for a jump
 * back, and begins anew: at a keyframe. In a long group of pictures there is none, so its Clusters
 * are cut where nothing overlaps. */
static gboolean
may_cut_cluster (const RelaisBlockWriter *self, const RelaisMuxTrack *shortened, guint64 time)
{
  if (!self->settings.hold_units || !relais_inner_muxer_is_cluster_full (self->mux, time))
    return FALSE;
  for (guint i = 0; i < self->tracks->len; i++)
    {
      const RelaisMuxTrack *track = g_ptr_array_index (self->tracks, i);

      if (track != shortened && track->started && !track->has_left
          && relais_append_gap_get_end (&track->gap) > time)
        return FALSE;
    }
  return TRUE;
}

/* Returns: the distance in ns to the unit's next block, as it will be written; 0 when there is none
 */
static guint64
get_distance_to_next (RelaisBlockWriter *self, guint64 time)
{
  const RelaisPendingBlock *next;
  guint64 next_time;

  if (self->n_written + 1 >= self->pending->len)
    return 0;
  next = &g_array_index (self->pending, RelaisPendingBlock, self->n_written + 1);
  next_time = relais_timeline_map (&self->timeline, &next->track->time,
                                   GST_BUFFER_PTS (next->buffer) + next->track->time.codec_delay);
  return next_time - MIN (next_time, time);
}

/**
 * relais_block_filler_may_cut:
 * @self: a writer
 * @time: the time in ns of the next block, which is no sync point of video
 *
 * Returns: whether that block should open a Cluster
 */
gboolean
relais_block_filler_may_cut (const RelaisBlockWriter *self, guint64 time)
{
  return may_cut_cluster (self, NULL, time);
}

/**
 * relais_block_filler_get_duration:
 * @self: a writer
 * @track: the track of the block that comes next
 * @time: its time in ns
 * @is_sync_point: whether decoding of @track can start with it
 *
 * A browser guesses how long the last frame of an append is from the one before, but Firefox begins
 * anew with each Cluster, and guesses badly where that holds only one frame of the track. Sound
 * says its own duration; of a picture it is the guess that it would have made.
 *
 * Returns: what the block has to say of its duration in ns; 0 = nothing
 */
guint64
relais_block_filler_get_duration (RelaisBlockWriter *self,
                                  const RelaisMuxTrack *track,
                                  guint64 time,
                                  gboolean is_sync_point)
{
  if (!track->is_video)
    return track->duration / RELAIS_TIMELINE_TICK * RELAIS_TIMELINE_TICK;
  if (!is_sync_point && relais_inner_muxer_is_cluster_full (self->mux, time))
    {
      guint64 distance = get_distance_to_next (self, time);

      /* Cut short, so that a Cluster can begin there. */
      if (distance > 0 && may_cut_cluster (self, track, time + distance))
        return distance;
    }
  if (!self->settings.hold_units || has_more (self, track)
      || !(is_sync_point || relais_inner_muxer_begins_cluster (self->mux, track, time)))
    return 0;
  return relais_append_gap_guess (&track->gap, time);
}
