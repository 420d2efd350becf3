/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* From frames in arrival order to blocks on one timeline: everything that livematroskamux decides
 * between its pads and the stock muxer.
 *
 * - Frames of one unit are merged across tracks by time; within a track their order stays
 * (`pending`, at most MAX_PENDING_BLOCKS).
 * - Each frame's own bitstream says whether it is a sync point. Video before the first one is
 * dropped and counted.
 * - Times are mapped by relais-timeline.c: they never go back.
 * - A track that is quiet while another flows gets fillers, stamped with the other's time. A
 * video track whose next unit would begin too late for a player gets one at the latest time that it
 * takes (relais-append-gap.c). One that has no filler leaves: a new muxer without it begins a new
 * epoch. It returns with another one, a video track at a sync point. While a video track flows, an
 * epoch begins only at a sync point of it, because nothing else can be decoded from its start.
 *
 * All calls are serialised by the bin's lock. */

#include "config.h"

#include "relais-block-filler.h"

GST_DEBUG_CATEGORY_EXTERN (relais_live_matroska_mux_debug);
#define GST_CAT_DEFAULT relais_live_matroska_mux_debug

#define MAX_PENDING_BLOCKS 65536

static void
clear_pending_block (gpointer data)
{
  RelaisPendingBlock *block = data;

  gst_clear_buffer (&block->buffer);
}

/**
 * relais_block_writer_new:
 * @mux: where blocks are written; must outlive the writer
 * @tracks: (element-type RelaisMuxTrack): the element's tracks; must outlive the writer
 *
 * Returns: (transfer full): a writer at the beginning of its timeline
 */
RelaisBlockWriter *
relais_block_writer_new (RelaisInnerMuxer *mux, GPtrArray *tracks)
{
  RelaisBlockWriter *self = g_new0 (RelaisBlockWriter, 1);

  self->mux = mux;
  self->tracks = tracks;
  self->pending = g_array_new (FALSE, FALSE, sizeof (RelaisPendingBlock));
  g_array_set_clear_func (self->pending, clear_pending_block);
  return self;
}

void
relais_block_writer_free (RelaisBlockWriter *self)
{
  g_array_unref (self->pending);
  g_free (self);
}

/**
 * relais_block_writer_reset:
 * @self: a writer
 * @settings: its settings for the run that begins
 *
 * Drops what is held and goes back to the beginning of a timeline.
 */
void
relais_block_writer_reset (RelaisBlockWriter *self, const RelaisBlockWriterSettings *settings)
{
  self->settings = *settings;
  self->has_begun = self->caps_changed = FALSE;
  relais_block_writer_drop (self);
  relais_timeline_init (&self->timeline, settings->timestamp_offset);
}

/**
 * relais_block_writer_forget:
 * @self: a writer
 * @track: a track that is about to be removed; its blocks that are held go with it
 */
void
relais_block_writer_forget (RelaisBlockWriter *self, RelaisMuxTrack *track)
{
  for (guint i = self->pending->len; i > 0; i--)
    if (g_array_index (self->pending, RelaisPendingBlock, i - 1).track == track)
      g_array_remove_index (self->pending, i - 1);
}

gboolean
relais_block_writer_has_begun (const RelaisBlockWriter *self)
{
  return self->has_begun;
}

guint64
relais_block_writer_get_end_time (const RelaisBlockWriter *self)
{
  return self->timeline.end;
}

/**
 * relais_block_writer_get_sound_due:
 * @self: a writer
 *
 * Returns: the time in ns up to which players take the next sound to go on from the last one; 0
 * when there was none
 */
guint64
relais_block_writer_get_sound_due (const RelaisBlockWriter *self)
{
  guint64 due = 0;

  for (guint i = 0; i < self->tracks->len; i++)
    {
      const RelaisMuxTrack *track = g_ptr_array_index (self->tracks, i);

      if (!track->is_video && track->gap.says_duration)
        due = MAX (due, relais_append_gap_get_said_limit (&track->gap));
    }
  return due;
}

/* Epochs */

/**
 * relais_block_writer_begin_epoch:
 * @self: a writer that has begun
 *
 * What the header says of a track has changed: a new muxer, and with it a new header, begins as
 * soon as it may.
 */
void
relais_block_writer_begin_epoch (RelaisBlockWriter *self)
{
  self->caps_changed = TRUE;
}

static gboolean
wants_epoch (RelaisBlockWriter *self)
{
  for (guint i = 0; i < self->tracks->len; i++)
    {
      const RelaisMuxTrack *track = g_ptr_array_index (self->tracks, i);

      if (track->wants_to_leave != track->has_left)
        return TRUE;
    }
  return self->caps_changed;
}

/* Whether a video track is carried that an epoch has to wait for. */
static gboolean
has_flowing_video (RelaisBlockWriter *self)
{
  for (guint i = 0; i < self->tracks->len; i++)
    {
      const RelaisMuxTrack *track = g_ptr_array_index (self->tracks, i);

      if (track->is_video && track->started && !track->has_left && !track->wants_to_leave)
        return TRUE;
    }
  return FALSE;
}

static GstFlowReturn
begin_wanted_epoch (RelaisBlockWriter *self)
{
  for (guint i = 0; i < self->tracks->len; i++)
    {
      RelaisMuxTrack *track = g_ptr_array_index (self->tracks, i);

      track->has_left = track->wants_to_leave;
      /* Sound that stays goes on in the SourceBuffer as in the file. */
      if (track->is_video || track->has_left)
        {
          track->started = FALSE;
          relais_append_gap_init (&track->gap);
        }
      GST_INFO_OBJECT (track->pad, "%s the new epoch", track->has_left ? "is not in" : "is in");
    }
  self->caps_changed = FALSE;
  return relais_inner_muxer_start (self->mux, self->tracks) ? GST_FLOW_OK : GST_FLOW_ERROR;
}

/* Blocks */

/* The muxer adds the codec delay to a time that is above it and writes 0 for all others, so the
 * first moments of a timeline could not be written as they are: it begins behind them. */
static void
begin_timeline (RelaisBlockWriter *self)
{
  guint64 offset = self->settings.timestamp_offset;

  for (guint i = 0; i < self->tracks->len; i++)
    {
      const RelaisMuxTrack *track = g_ptr_array_index (self->tracks, i);
      guint64 ticks = 2 * track->time.codec_delay / RELAIS_TIMELINE_TICK + 1;

      if (track->time.codec_delay > 0)
        offset = MAX (offset, ticks * RELAIS_TIMELINE_TICK);
    }
  relais_timeline_init (&self->timeline, offset);
  relais_block_filler_begin_sound (self);
  self->has_begun = TRUE;
}

static guint
count_carried (RelaisBlockWriter *self)
{
  guint n = 0;

  for (guint i = 0; i < self->tracks->len; i++)
    {
      const RelaisMuxTrack *track = g_ptr_array_index (self->tracks, i);

      n += !track->has_left;
    }
  return n;
}

static void
end_unit (RelaisBlockWriter *self)
{
  for (guint i = 0; i < self->tracks->len; i++)
    {
      RelaisMuxTrack *track = g_ptr_array_index (self->tracks, i);

      relais_append_gap_end_unit (&track->gap);
    }
}

/* Takes @buffer, whose PTS is running time. */
static GstFlowReturn
write_block (RelaisBlockWriter *self, RelaisMuxTrack *track, GstBuffer *buffer)
{
  /* The demuxer took the codec delay off, the muxer puts it on again: in between times are those of
   * the blocks. */
  guint64 pts = GST_BUFFER_PTS (buffer) + track->time.codec_delay;
  GstFlowReturn ret = GST_FLOW_OK;
  gboolean is_sync_point;
  guint64 time, duration;

  /* What repeats the picture before this one must not know this one yet. */
  if (track->started && !track->has_left)
    {
      time = relais_timeline_map (&self->timeline, &track->time, pts);
      ret = relais_block_filler_fill_own (self, track, time);
    }
  buffer = gst_buffer_make_writable (buffer);
  is_sync_point = relais_mux_track_inspect (track, buffer);
  /* It is not quiet any more; one that has left comes back where it can be decoded. */
  if (!track->has_left || is_sync_point)
    track->wants_to_leave = FALSE;
  if (ret == GST_FLOW_OK && is_sync_point && wants_epoch (self)
      && (track->is_video || !has_flowing_video (self)))
    {
      time = relais_timeline_map (&self->timeline, &track->time, pts);
      ret = relais_block_filler_level (self, time);
      if (ret == GST_FLOW_OK)
        ret = begin_wanted_epoch (self);
    }
  if (ret != GST_FLOW_OK || track->has_left
      || (track->is_video && !track->started && !is_sync_point))
    {
      track->n_dropped++;
      gst_buffer_unref (buffer);
      return ret;
    }

  if (!self->has_begun)
    begin_timeline (self);
  time = relais_timeline_map (&self->timeline, &track->time, pts);
  ret = relais_block_filler_fill_others (self, track, time);
  if (ret != GST_FLOW_OK)
    {
      gst_buffer_unref (buffer);
      return ret;
    }
  relais_timeline_add (&self->timeline, &track->time, time);
  if (is_sync_point && track->is_video)
    end_unit (self); /* it opens the next one */
  if (!(is_sync_point && track->is_video) && relais_block_filler_may_cut (self, time))
    relais_inner_muxer_cut_cluster (self->mux);
  duration = relais_block_filler_get_duration (self, track, time, is_sync_point);
  relais_append_gap_add_frame (&track->gap, time, duration, is_sync_point);
  track->started = TRUE;
  track->filling = FALSE;
  track->n_frames++;
  track->n_sync_points += is_sync_point;
  if ((gint64) time > (gint64) pts + track->time.shift + (gint64) RELAIS_TIMELINE_TICK)
    track->n_lifted++;
  return relais_inner_muxer_write (self->mux, self->tracks, track, buffer, time, duration,
                                   is_sync_point && (track->is_video || count_carried (self) == 1));
}

static gint
compare_pending (gconstpointer a, gconstpointer b)
{
  const RelaisPendingBlock *left = a, *right = b;

  return left->order < right->order ? -1 : left->order > right->order;
}

/**
 * relais_block_writer_hold:
 * @self: a writer
 * @track: the track of the block
 * @buffer: (transfer full): a frame whose PTS is running time
 *
 * Returns: whether there was room for it
 */
gboolean
relais_block_writer_hold (RelaisBlockWriter *self, RelaisMuxTrack *track, GstBuffer *buffer)
{
  RelaisPendingBlock block = { .track = track,
                               .buffer = buffer,
                               .order = GST_BUFFER_PTS (buffer) + track->time.codec_delay };

  if (self->pending->len >= MAX_PENDING_BLOCKS)
    {
      gst_buffer_unref (buffer);
      return FALSE;
    }
  for (guint i = self->pending->len; i > 0; i--)
    {
      const RelaisPendingBlock *earlier = &g_array_index (self->pending, RelaisPendingBlock, i - 1);

      if (earlier->track == track)
        {
          block.order = MAX (block.order, earlier->order);
          break;
        }
    }
  g_array_append_val (self->pending, block);
  return TRUE;
}

/**
 * relais_block_writer_flush:
 * @self: a writer
 *
 * Writes the blocks that are held, in the order of their times.
 */
GstFlowReturn
relais_block_writer_flush (RelaisBlockWriter *self)
{
  GstFlowReturn ret = GST_FLOW_OK;

  /* Stable since GLib 2.32. */
  if (self->pending->len > 1)
    g_array_sort (self->pending, compare_pending);
  for (self->n_written = 0; self->n_written < self->pending->len && ret == GST_FLOW_OK;
       self->n_written++)
    {
      RelaisPendingBlock *block
          = &g_array_index (self->pending, RelaisPendingBlock, self->n_written);

      ret = write_block (self, block->track, g_steal_pointer (&block->buffer));
    }
  end_unit (self);
  relais_block_writer_drop (self);
  return ret;
}

/**
 * relais_block_writer_finish:
 * @self: a writer
 *
 * The recording ends: writes what is held, and what it takes for the next one to follow.
 */
GstFlowReturn
relais_block_writer_finish (RelaisBlockWriter *self)
{
  GstFlowReturn ret = relais_block_writer_flush (self);

  /* Without units the tracks do not end together. */
  if (ret == GST_FLOW_OK && self->settings.hold_units)
    ret = relais_block_filler_level (self, self->timeline.end);
  return ret;
}

void
relais_block_writer_drop (RelaisBlockWriter *self)
{
  g_array_set_size (self->pending, 0);
}
