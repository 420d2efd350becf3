/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The stock muxer inside livematroskamux: which of the two it is, its pads, and what it pushes.
 *
 * webmmux where WebM may hold every codec, else matroskamux. A muxer writes one header; when the
 * tracks change a new muxer takes the old one's place, and its header begins a new epoch
 * downstream.
 *
 * A block goes in on one pad and comes out of the muxer in two or three pieces (cluster header,
 * block header, frame) within the same call; they leave as one buffer, with memories appended and
 * nothing copied.
 *
 * All calls are serialised by the bin's lock. */

#include "config.h"

#include "relais-inner-muxer.h"

#include "relais-collect-pads.h"

#define EBML_ID    0x1A45DFA3u
#define CLUSTER_ID 0x1F43B675u

/* Clusters of a stream without video. Shorter would let viewers start nearer to the edge, but
 * Firefox does not play Clusters of a single block, even where it says its duration. */
#define AUDIO_CLUSTER_DURATION (400 * GST_MSECOND)

/* A longer group of pictures goes on in another Cluster, because a block's time is 16 bits of ms
 * from its Cluster's: from the first time on where players do not notice, at the latest after the
 * second. */
#define FULL_CLUSTER_DURATION (20 * GST_SECOND)
#define MAX_CLUSTER_DURATION  (30 * GST_SECOND)

struct _RelaisInnerMuxer
{
  GstBin *bin;     /* not owned: it owns us */
  GstPad *srcpad;  /* not owned: the bin's ghost pad */
  GstElement *mux; /* owned by the bin; NULL before the first start */
  gboolean is_webm;
  gboolean has_written;
  guint64 cluster_time; /* of the block that opened the newest Cluster, in ns */
  GPtrArray *output;    /* owned GstBuffer: what the muxer pushed for the block that is in it */
};

/* What was sent on is gone from the output. */
static void
clear_buffer (gpointer data)
{
  if (data != NULL)
    gst_buffer_unref (data);
}

/**
 * relais_inner_muxer_new:
 * @bin: the bin that the muxer is put into
 * @srcpad: the bin's source ghost pad; the chain function of its proxy has to call
 * relais_inner_muxer_take_output()
 *
 * Returns: (transfer full): no muxer yet
 */
RelaisInnerMuxer *
relais_inner_muxer_new (GstBin *bin, GstPad *srcpad)
{
  RelaisInnerMuxer *self = g_new0 (RelaisInnerMuxer, 1);

  self->bin = bin;
  self->srcpad = srcpad;
  self->output = g_ptr_array_new_with_free_func (clear_buffer);
  return self;
}

void
relais_inner_muxer_free (RelaisInnerMuxer *self)
{
  g_ptr_array_unref (self->output);
  g_free (self);
}

static gboolean
are_webm (GPtrArray *tracks)
{
  for (guint i = 0; i < tracks->len; i++)
    {
      const RelaisMuxTrack *track = g_ptr_array_index (tracks, i);

      if (!track->has_left && !relais_mux_track_is_webm (track))
        return FALSE;
    }
  return TRUE;
}

/**
 * relais_inner_muxer_is_fit:
 * @self: the muxer
 * @tracks: (element-type RelaisMuxTrack): the tracks
 *
 * Returns: whether the muxer that is inside takes the codecs of all @tracks
 */
gboolean
relais_inner_muxer_is_fit (RelaisInnerMuxer *self, GPtrArray *tracks)
{
  return self->mux != NULL && self->is_webm == are_webm (tracks);
}

/**
 * relais_inner_muxer_attach:
 * @self: a started muxer
 * @track: a track
 *
 * Gives @track a pad of the muxer. Posts an error on the bin where that cannot be.
 *
 * Returns: whether it did
 */
gboolean
relais_inner_muxer_attach (RelaisInnerMuxer *self, RelaisMuxTrack *track)
{
  GstPad *target
      = gst_element_request_pad_simple (self->mux, track->is_video ? "video_%u" : "audio_%u");

  if (target == NULL || !relais_collect_pads_is_supported (target))
    {
      gst_clear_object (&target);
      GST_ELEMENT_ERROR (self->bin, CORE, FAILED,
                         ("This version of matroskamux cannot be used live."),
                         ("its pads are not collected by GstCollectPads"));
      return FALSE;
    }
  gst_clear_object (&track->target);
  track->target = target;
  return gst_ghost_pad_set_target (GST_GHOST_PAD (track->pad), target);
}

/**
 * relais_inner_muxer_detach:
 * @self: a started muxer
 * @track: a track, attached or not
 */
void
relais_inner_muxer_detach (RelaisInnerMuxer *self, RelaisMuxTrack *track)
{
  if (track->target == NULL)
    return;
  gst_ghost_pad_set_target (GST_GHOST_PAD (track->pad), NULL);
  gst_element_release_request_pad (self->mux, track->target);
  gst_clear_object (&track->target);
}

static void
remove_muxer (RelaisInnerMuxer *self, GPtrArray *tracks)
{
  for (guint i = 0; i < tracks->len; i++)
    relais_inner_muxer_detach (self, g_ptr_array_index (tracks, i));
  gst_ghost_pad_set_target (GST_GHOST_PAD (self->srcpad), NULL);
  gst_element_set_state (self->mux, GST_STATE_NULL);
  gst_bin_remove (self->bin, self->mux);
  self->mux = NULL;
}

/* Caps that changed in the middle wait until their pad has no peer that would refuse them. */
static void
settle_caps (RelaisMuxTrack *track)
{
  if (track->new_caps != NULL)
    gst_pad_push_event (track->internal, g_steal_pointer (&track->new_caps));
}

/* The header needs the caps of all tracks, also of those whose first block comes later. Pushing one
 * sticky event sends all that the pad's new peer has not got yet. */
static gboolean
send_caps (RelaisMuxTrack *track)
{
  GstEvent *caps = gst_pad_get_sticky_event (track->internal, GST_EVENT_CAPS, 0);

  return caps == NULL || gst_pad_push_event (track->internal, caps);
}

/**
 * relais_inner_muxer_start:
 * @self: the muxer
 * @tracks: (element-type RelaisMuxTrack): the tracks; those that have left are not attached
 *
 * Puts a new muxer inside, in the place of the one that may be there. Between two blocks only.
 * Posts an error on the bin where it cannot be made.
 *
 * Returns: whether it runs
 */
gboolean
relais_inner_muxer_start (RelaisInnerMuxer *self, GPtrArray *tracks)
{
  g_autoptr (GstPad) src = NULL;

  if (self->mux != NULL)
    remove_muxer (self, tracks);

  self->is_webm = are_webm (tracks);
  self->has_written = FALSE;
  self->cluster_time = 0;
  self->mux = gst_element_factory_make (self->is_webm ? "webmmux" : "matroskamux", NULL);
  if (self->mux == NULL)
    {
      GST_ELEMENT_ERROR (self->bin, CORE, MISSING_PLUGIN, (NULL),
                         ("matroskamux and webmmux (gst-plugins-good) are needed"));
      return FALSE;
    }
  g_object_set (self->mux, "streamable", TRUE, "min-cluster-duration", (gint64) 0,
                "max-cluster-duration", (gint64) MAX_CLUSTER_DURATION, "writing-app", "relais",
                NULL);
  gst_bin_add (self->bin, self->mux);
  src = gst_element_get_static_pad (self->mux, "src");
  gst_ghost_pad_set_target (GST_GHOST_PAD (self->srcpad), src);

  for (guint i = 0; i < tracks->len; i++)
    {
      RelaisMuxTrack *track = g_ptr_array_index (tracks, i);

      settle_caps (track);
      if (!track->has_left && !relais_inner_muxer_attach (self, track))
        return FALSE;
    }
  if (!gst_element_sync_state_with_parent (self->mux))
    return FALSE;
  for (guint i = 0; i < tracks->len; i++)
    {
      RelaisMuxTrack *track = g_ptr_array_index (tracks, i);

      if (!track->has_left && !send_caps (track))
        return FALSE;
    }
  return TRUE;
}

/**
 * relais_inner_muxer_take_output:
 * @self: the muxer
 * @buffer: (transfer full): what it pushed
 */
void
relais_inner_muxer_take_output (RelaisInnerMuxer *self, GstBuffer *buffer)
{
  g_ptr_array_add (self->output, buffer);
}

/* Returns: the ID of four bytes that @buffer begins with; 0 where it is shorter */
static guint32
read_id (GstBuffer *buffer)
{
  guint8 bytes[4];

  if (gst_buffer_extract (buffer, 0, bytes, sizeof bytes) != sizeof bytes)
    return 0;
  return GST_READ_UINT32_BE (bytes);
}

static void
note_cluster (RelaisInnerMuxer *self, GPtrArray *tracks, guint64 time)
{
  if (time > self->cluster_time + FULL_CLUSTER_DURATION)
    g_object_set (self->mux, "max-cluster-duration", (gint64) MAX_CLUSTER_DURATION, NULL);
  self->cluster_time = time;
  for (guint i = 0; i < tracks->len; i++)
    {
      RelaisMuxTrack *track = g_ptr_array_index (tracks, i);

      track->in_cluster = FALSE;
    }
}

/* Joins what the muxer wrote for one block and sends it on; a header goes before it, buffer by
 * buffer. */
static GstFlowReturn
push_output (RelaisInnerMuxer *self, GPtrArray *tracks, guint64 time, gboolean track_sync_point)
{
  g_autoptr (GstBuffer) block = NULL;
  GstFlowReturn ret = GST_FLOW_OK;
  gboolean opens_cluster = FALSE, in_header = FALSE;

  for (guint i = 0; i < self->output->len && ret == GST_FLOW_OK; i++)
    {
      /* Taken, not referenced: it is joined with the others without a copy of its own. */
      g_autoptr (GstBuffer) buffer = g_steal_pointer (&g_ptr_array_index (self->output, i));
      guint32 id = block == NULL ? read_id (buffer) : 0;

      if (i == 0)
        in_header = id == EBML_ID;
      if (in_header && id != CLUSTER_ID)
        {
          buffer = gst_buffer_make_writable (buffer);
          GST_BUFFER_FLAG_SET (buffer, GST_BUFFER_FLAG_HEADER);
          ret = gst_pad_push (self->srcpad, g_steal_pointer (&buffer));
          continue;
        }
      in_header = FALSE;
      if (block == NULL)
        {
          opens_cluster = id == CLUSTER_ID;
          block = gst_buffer_make_writable (g_steal_pointer (&buffer));
          GST_BUFFER_FLAG_UNSET (block, GST_BUFFER_FLAG_DELTA_UNIT | GST_BUFFER_FLAG_HEADER);
          GST_BUFFER_DTS (block) = GST_BUFFER_DURATION (block) = GST_CLOCK_TIME_NONE;
        }
      else
        block = gst_buffer_append (block, g_steal_pointer (&buffer));
    }
  g_ptr_array_set_size (self->output, 0);
  if (block == NULL || ret != GST_FLOW_OK)
    return ret;

  if (opens_cluster)
    note_cluster (self, tracks, time);
  GST_BUFFER_PTS (block) = time;
  if (!(track_sync_point && opens_cluster))
    GST_BUFFER_FLAG_SET (block, GST_BUFFER_FLAG_DELTA_UNIT);
  return gst_pad_push (self->srcpad, g_steal_pointer (&block));
}

/**
 * relais_inner_muxer_write:
 * @self: a started muxer
 * @tracks: (element-type RelaisMuxTrack): all tracks
 * @track: the one that the block is of
 * @buffer: (transfer full): a writable frame whose DELTA_UNIT flag is true
 * @time: the block's time in ns
 * @duration: what to say of its duration in ns; 0 = nothing, which makes it a SimpleBlock, the
 * smallest and what browsers write themselves
 * @is_sync_point: whether decoding of the whole stream can start with it, if it opens a Cluster
 *
 * Writes one block; it has left on the source pad when this returns.
 */
GstFlowReturn
relais_inner_muxer_write (RelaisInnerMuxer *self,
                          GPtrArray *tracks,
                          RelaisMuxTrack *track,
                          GstBuffer *buffer,
                          guint64 time,
                          guint64 duration,
                          gboolean is_sync_point)
{
  gboolean is_alone = TRUE;
  GstFlowReturn ret;

  for (guint i = 0; i < tracks->len; i++)
    {
      RelaisMuxTrack *other = g_ptr_array_index (tracks, i);

      if (other == track || other->target == NULL)
        continue;
      relais_collect_pads_release (other->target, time);
      is_alone = FALSE;
    }
  if (!self->has_written && is_alone && !track->is_video)
    g_object_set (self->mux, "min-cluster-duration", (gint64) AUDIO_CLUSTER_DURATION, NULL);
  self->has_written = TRUE;

  GST_BUFFER_PTS (buffer) = time - MIN (time, track->time.codec_delay);
  GST_BUFFER_DTS (buffer) = GST_CLOCK_TIME_NONE;
  GST_BUFFER_DURATION (buffer) = duration > 0 ? duration : GST_CLOCK_TIME_NONE;
  ret = gst_pad_push (track->internal, buffer);
  if (ret != GST_FLOW_OK)
    {
      g_ptr_array_set_size (self->output, 0);
      return ret;
    }
  ret = push_output (self, tracks, time, is_sync_point);
  track->in_cluster = TRUE;
  return ret;
}

/**
 * relais_inner_muxer_is_cluster_full:
 * @self: a started muxer
 * @time: the time in ns of the next block
 *
 * Returns: whether a new Cluster should soon begin
 */
gboolean
relais_inner_muxer_is_cluster_full (const RelaisInnerMuxer *self, guint64 time)
{
  return self->has_written && time > self->cluster_time + FULL_CLUSTER_DURATION;
}

/**
 * relais_inner_muxer_cut_cluster:
 * @self: a started muxer
 *
 * The next block opens a new Cluster.
 */
void
relais_inner_muxer_cut_cluster (RelaisInnerMuxer *self)
{
  g_object_set (self->mux, "max-cluster-duration", (gint64) 1, NULL);
}

/**
 * relais_inner_muxer_begins_cluster:
 * @self: a started muxer
 * @track: a track
 * @time: the time in ns of its next block, which is not a sync point
 *
 * Returns: whether that block is the track's first in its Cluster
 */
gboolean
relais_inner_muxer_begins_cluster (const RelaisInnerMuxer *self,
                                   const RelaisMuxTrack *track,
                                   guint64 time)
{
  return !track->in_cluster
         || time > self->cluster_time + MAX_CLUSTER_DURATION - RELAIS_TIMELINE_TICK;
}

/**
 * relais_inner_muxer_end_track:
 * @self: a started muxer
 * @tracks: (element-type RelaisMuxTrack): all tracks
 * @track: the one that has ended
 * @eos: (transfer full): the event that says so
 *
 * The muxer ends when the last of its tracks has.
 *
 * Returns: whether the event was taken
 */
gboolean
relais_inner_muxer_end_track (RelaisInnerMuxer *self,
                              GPtrArray *tracks,
                              RelaisMuxTrack *track,
                              GstEvent *eos)
{
  for (guint i = 0; i < tracks->len; i++)
    {
      RelaisMuxTrack *other = g_ptr_array_index (tracks, i);

      if (other != track && !other->eos && other->target != NULL)
        relais_collect_pads_hold (other->target);
    }
  return gst_pad_push_event (track->internal, eos);
}
