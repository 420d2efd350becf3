/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* From frames in arrival order to blocks on one timeline: everything that livematroskamux decides
 * between its pads and the stock muxer.
 *
 * - Frames of one unit are merged across tracks by time; within a track their order stays
 * (`pending`, at most MAX_PENDING_BLOCKS).
 * - Each frame's own bitstream says whether it is a sync point. Video before the first one is
 * dropped and counted.
 * - Times are mapped by relais-timeline.c: they never go back.
 * - A track that is quiet while another flows gets fillers, stamped with the other's time. One that
 * has no filler leaves: a new muxer without it begins a new epoch. It returns with another one, a
 * video track at a sync point. While a video track flows, an epoch begins only at a sync point of
 * it, because nothing else can be decoded from its start.
 *
 * All calls are serialised by the bin's lock. */

#include "config.h"

#include "relais-block-writer.h"

GST_DEBUG_CATEGORY_EXTERN (relais_live_matroska_mux_debug);
#define GST_CAT_DEFAULT relais_live_matroska_mux_debug

#define MAX_PENDING_BLOCKS 65536

/* A quiet video track is refreshed with every block of the flowing one, but no denser than this. */
#define MIN_REPEAT_DISTANCE (30 * GST_MSECOND)

typedef struct
{
  RelaisMuxTrack *track; /* not owned: a removed track takes its blocks with it */
  GstBuffer *buffer;     /* owned, PTS in running time */
  guint64 order;         /* latest time of its track up to here: what blocks are sorted by */
} PendingBlock;

struct _RelaisBlockWriter
{
  RelaisInnerMuxer *mux; /* not owned */
  GPtrArray *tracks;     /* not owned, RelaisMuxTrack */
  RelaisBlockWriterSettings settings;
  RelaisTimeline timeline;
  GArray *pending;       /* PendingBlock, in arrival order */
  gboolean has_begun;    /* the muxer has seen a block: its tracks cannot change any more */
  gboolean caps_changed; /* the muxer's header is no longer true */
};

static void
clear_pending_block (gpointer data)
{
  PendingBlock *block = data;

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
  self->pending = g_array_new (FALSE, FALSE, sizeof (PendingBlock));
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
    if (g_array_index (self->pending, PendingBlock, i - 1).track == track)
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
      if (track->is_video || track->has_left)
        track->started = FALSE;
      GST_INFO_OBJECT (track->pad, "%s the new epoch", track->has_left ? "is not in" : "is in");
    }
  self->caps_changed = FALSE;
  return relais_inner_muxer_start (self->mux, self->tracks) ? GST_FLOW_OK : GST_FLOW_ERROR;
}

/* Fillers */

static GstFlowReturn
write_filler (RelaisBlockWriter *self, RelaisMuxTrack *track, GstBuffer *filler, guint64 time)
{
  track->filling = TRUE;
  track->n_fillers++;
  return relais_inner_muxer_write (self->mux, self->tracks, track, filler, time, FALSE);
}

/* A picture needs to be shown again once, now. */
static GstFlowReturn
repeat_picture (RelaisBlockWriter *self, RelaisMuxTrack *track, GstBuffer *filler, guint64 now)
{
  guint64 time = relais_timeline_fill (&self->timeline, &track->time, now);

  return write_filler (self, track, filler, time);
}

/* Silence has to be laid packet by packet up to now. */
static GstFlowReturn
lay_silence (RelaisBlockWriter *self, RelaisMuxTrack *track, GstBuffer *filler, guint64 now)
{
  guint64 duration = GST_BUFFER_DURATION (filler);
  guint64 due = track->time.last_out + track->duration;
  GstFlowReturn ret = GST_FLOW_OK;

  if (!track->filling)
    due = MAX (due, self->timeline.last_written);
  for (; ret == GST_FLOW_OK && duration > 0 && due <= now; due += duration)
    {
      guint64 time = relais_timeline_fill (&self->timeline, &track->time, due);

      ret = write_filler (self, track, gst_buffer_copy (filler), time);
      track->duration = duration;
    }
  gst_buffer_unref (filler);
  return ret;
}

static GstFlowReturn
fill_track (RelaisBlockWriter *self, RelaisMuxTrack *track, guint64 now)
{
  guint64 limit = relais_track_time_get_quiet_limit (&track->time, self->settings.quiet_time);
  guint64 last_end = track->time.last_out + track->duration;
  GstBuffer *filler;

  if (track->filling ? now < track->time.last_out + (track->is_video ? MIN_REPEAT_DISTANCE : 0)
                     : now < last_end + limit)
    return GST_FLOW_OK;

  filler = self->settings.quiet_time > 0 ? relais_mux_track_make_filler (track) : NULL;
  if (filler == NULL)
    {
      if (self->settings.leave_time > 0 && now >= last_end + self->settings.leave_time)
        track->wants_to_leave = TRUE;
      return GST_FLOW_OK;
    }
  return track->is_video ? repeat_picture (self, track, filler, now)
                         : lay_silence (self, track, filler, now);
}

static GstFlowReturn
fill_quiet_tracks (RelaisBlockWriter *self, RelaisMuxTrack *flowing, guint64 now)
{
  GstFlowReturn ret = GST_FLOW_OK;

  for (guint i = 0; i < self->tracks->len && ret == GST_FLOW_OK; i++)
    {
      RelaisMuxTrack *track = g_ptr_array_index (self->tracks, i);

      if (track != flowing && track->started)
        ret = fill_track (self, track, now);
    }
  return ret;
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

/* Takes @buffer, whose PTS is running time. */
static GstFlowReturn
write_block (RelaisBlockWriter *self, RelaisMuxTrack *track, GstBuffer *buffer)
{
  /* The demuxer took the codec delay off, the muxer puts it on again: in between times are those of
   * the blocks. */
  guint64 pts = GST_BUFFER_PTS (buffer) + track->time.codec_delay;
  GstFlowReturn ret = GST_FLOW_OK;
  gboolean is_sync_point;
  guint64 time, last_written;

  buffer = gst_buffer_make_writable (buffer);
  is_sync_point = relais_mux_track_inspect (track, buffer);
  /* It is not quiet any more; one that has left comes back where it can be decoded. */
  if (!track->has_left || is_sync_point)
    track->wants_to_leave = FALSE;
  if (is_sync_point && wants_epoch (self) && (track->is_video || !has_flowing_video (self)))
    ret = begin_wanted_epoch (self);
  if (ret != GST_FLOW_OK || track->has_left
      || (track->is_video && !track->started && !is_sync_point))
    {
      track->n_dropped++;
      gst_buffer_unref (buffer);
      return ret;
    }

  if (!self->has_begun)
    begin_timeline (self);
  last_written = self->timeline.last_written;
  time = relais_timeline_map (&self->timeline, &track->time, pts);
  /* Fillers go before the block: for them it is not written yet. */
  self->timeline.last_written = last_written;
  ret = fill_quiet_tracks (self, track, time);
  self->timeline.last_written = MAX (self->timeline.last_written, time);
  if (ret != GST_FLOW_OK)
    {
      gst_buffer_unref (buffer);
      return ret;
    }
  track->started = TRUE;
  track->filling = FALSE;
  track->n_frames++;
  track->n_sync_points += is_sync_point;
  if ((gint64) time > (gint64) pts + track->time.shift + (gint64) RELAIS_TIMELINE_TICK)
    track->n_lifted++;
  return relais_inner_muxer_write (self->mux, self->tracks, track, buffer, time,
                                   is_sync_point && (track->is_video || count_carried (self) == 1));
}

static gint
compare_pending (gconstpointer a, gconstpointer b)
{
  const PendingBlock *left = a, *right = b;

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
  PendingBlock block = { .track = track,
                         .buffer = buffer,
                         .order = GST_BUFFER_PTS (buffer) + track->time.codec_delay };

  if (self->pending->len >= MAX_PENDING_BLOCKS)
    {
      gst_buffer_unref (buffer);
      return FALSE;
    }
  for (guint i = self->pending->len; i > 0; i--)
    {
      const PendingBlock *earlier = &g_array_index (self->pending, PendingBlock, i - 1);

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
  for (guint i = 0; i < self->pending->len && ret == GST_FLOW_OK; i++)
    {
      PendingBlock *block = &g_array_index (self->pending, PendingBlock, i);

      ret = write_block (self, block->track, g_steal_pointer (&block->buffer));
    }
  relais_block_writer_drop (self);
  return ret;
}

void
relais_block_writer_drop (RelaisBlockWriter *self)
{
  g_array_set_size (self->pending, 0);
}
