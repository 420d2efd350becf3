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
  guint n_written;       /* of the pending ones, while they are written */
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
      relais_append_gap_init (&track->gap);
      GST_INFO_OBJECT (track->pad, "%s the new epoch", track->has_left ? "is not in" : "is in");
    }
  self->caps_changed = FALSE;
  return relais_inner_muxer_start (self->mux, self->tracks) ? GST_FLOW_OK : GST_FLOW_ERROR;
}

/* Fillers */

static GstFlowReturn
write_filler (RelaisBlockWriter *self, RelaisMuxTrack *track, GstBuffer *filler, guint64 due)
{
  guint64 time = relais_timeline_fill (&self->timeline, &track->time, due);
  guint64 duration = track->is_video ? 0 : GST_BUFFER_DURATION (filler);

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
    ret = write_filler (self, track, gst_buffer_copy (filler), due);
  gst_buffer_unref (filler);
  return ret;
}

/* Whether the unit that is being written holds another block of the track. */
static gboolean
has_more (const RelaisBlockWriter *self, const RelaisMuxTrack *track)
{
  for (guint i = self->n_written + 1; i < self->pending->len; i++)
    if (g_array_index (self->pending, PendingBlock, i).track == track)
      return TRUE;
  return FALSE;
}

/* Whether the track's next unit would begin later than players allow, once @now is written. What is
 * left of this unit saves a video track only if the unit has begun with it. Sound may come a little
 * behind the picture in its chunk, so it is missed only in a unit that has none. */
static gboolean
begins_late (RelaisBlockWriter *self, RelaisMuxTrack *track, RelaisMuxTrack *flowing, guint64 now)
{
  gboolean in_unit = track->gap.in_unit;

  if (!self->settings.hold_units || now <= relais_append_gap_get_limit (&track->gap))
    return FALSE;
  if (track == flowing)
    return !in_unit;
  return track->is_video ? !(in_unit && has_more (self, track))
                         : !(in_unit || has_more (self, track));
}

static gboolean
is_quiet (RelaisBlockWriter *self, RelaisMuxTrack *track, guint64 now)
{
  guint64 limit = relais_track_time_get_quiet_limit (&track->time, self->settings.quiet_time);

  if (now < track->time.last_real + track->duration + limit)
    return track->filling && !track->is_video;
  return !track->is_video || now >= track->time.last_out + MIN_REPEAT_DISTANCE;
}

/* @now is the time of @flowing's next block. */
static GstFlowReturn
fill_track (RelaisBlockWriter *self, RelaisMuxTrack *track, RelaisMuxTrack *flowing, guint64 now)
{
  gboolean late = begins_late (self, track, flowing, now);
  GstBuffer *filler;

  if (self->settings.quiet_time == 0
      || !(late || (track != flowing && is_quiet (self, track, now))))
    return GST_FLOW_OK;
  filler = relais_mux_track_make_filler (track);
  if (filler == NULL)
    return GST_FLOW_OK;
  if (track->is_video)
    return write_filler (self, track, filler,
                         late ? relais_append_gap_get_limit (&track->gap) : now);
  /* Up to its own next block, or under another track's. */
  return lay_silence (self, track, filler,
                      track == flowing ? now - MIN (now, GST_BUFFER_DURATION (filler)) : now);
}

static void
check_leave (RelaisBlockWriter *self, RelaisMuxTrack *track, guint64 now)
{
  guint64 last_end = track->time.last_out + track->duration;

  if (self->settings.leave_time > 0 && now >= last_end + self->settings.leave_time)
    track->wants_to_leave = TRUE;
}

static GstFlowReturn
fill_quiet_tracks (RelaisBlockWriter *self, RelaisMuxTrack *flowing, guint64 now)
{
  GstFlowReturn ret = GST_FLOW_OK;

  for (guint i = 0; i < self->tracks->len && ret == GST_FLOW_OK; i++)
    {
      RelaisMuxTrack *track = g_ptr_array_index (self->tracks, i);

      if (track == flowing || !track->started)
        continue;
      ret = fill_track (self, track, flowing, now);
      check_leave (self, track, now);
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

static void
end_unit (RelaisBlockWriter *self)
{
  for (guint i = 0; i < self->tracks->len; i++)
    {
      RelaisMuxTrack *track = g_ptr_array_index (self->tracks, i);

      relais_append_gap_end_unit (&track->gap);
    }
}

/* A browser guesses how long the last frame of an append is from the one before, but Firefox begins
 * anew with each Cluster, and guesses badly where that holds only one frame of the track. Sound
 * says its own duration; of a picture it is the guess it would have made. */
static guint64
get_block_duration (const RelaisBlockWriter *self,
                    const RelaisMuxTrack *track,
                    guint64 time,
                    gboolean is_sync_point)
{
  if (!track->is_video)
    return track->duration / RELAIS_TIMELINE_TICK * RELAIS_TIMELINE_TICK;
  if (!self->settings.hold_units || has_more (self, track)
      || !(is_sync_point || relais_inner_muxer_begins_cluster (self->mux, track, time)))
    return 0;
  return relais_append_gap_guess (&track->gap, time);
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
      ret = fill_track (self, track, track, time);
    }
  buffer = gst_buffer_make_writable (buffer);
  is_sync_point = relais_mux_track_inspect (track, buffer);
  /* It is not quiet any more; one that has left comes back where it can be decoded. */
  if (!track->has_left || is_sync_point)
    track->wants_to_leave = FALSE;
  if (ret == GST_FLOW_OK && is_sync_point && wants_epoch (self)
      && (track->is_video || !has_flowing_video (self)))
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
  time = relais_timeline_map (&self->timeline, &track->time, pts);
  ret = fill_quiet_tracks (self, track, time);
  if (ret != GST_FLOW_OK)
    {
      gst_buffer_unref (buffer);
      return ret;
    }
  relais_timeline_add (&self->timeline, &track->time, time);
  if (is_sync_point && track->is_video)
    end_unit (self); /* it opens the next one */
  duration = get_block_duration (self, track, time, is_sync_point);
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
  for (self->n_written = 0; self->n_written < self->pending->len && ret == GST_FLOW_OK;
       self->n_written++)
    {
      PendingBlock *block = &g_array_index (self->pending, PendingBlock, self->n_written);

      ret = write_block (self, block->track, g_steal_pointer (&block->buffer));
    }
  end_unit (self);
  relais_block_writer_drop (self);
  return ret;
}

void
relais_block_writer_drop (RelaisBlockWriter *self)
{
  g_array_set_size (self->pending, 0);
}
