/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* livematroskamux: a bin around the stock matroskamux or webmmux that makes a live stream of it.
 *
 *   sink pads ─► [inspect, time, fill] ─► matroskamux streamable=true ─► [join] ─► src
 *
 * - No waiting: relais_collect_pads_release() lets every block leave at once, in arrival order, on
 * the caller's thread.
 * - One buffer a block: the muxer's cluster header, block header and frame leave as one buffer
 * (memories are appended, not copied).
 * - True sync points: DELTA_UNIT is clear only on a buffer that opens a Cluster with a video frame
 * whose own bitstream says key frame, or on any block of an audio-only stream. Video frames before
 * the first sync point are dropped and counted.
 * - Caps carry `streamheader`, and the header leaves first as a buffer with the HEADER flag.
 * - Time never goes back: relais-timeline.c. A quiet track gets fillers: relais-repeat-frame.c.
 * - WebM where every codec allows it, else Matroska: the muxer is chosen by the caps, before the
 * first block.
 *
 * Threads: `lock` serialises all pads, and is held while a block goes through the muxer and out of
 * the source pad, like the stream lock of any GstCollectPads muxer. Order: lock, then the
 * collection's stream lock (relais-collect-pads.c).
 *
 * Blocks wait in `pending` only until every pad has caps (at most MAX_PENDING_BLOCKS, then the
 * element errors out), and with "hold-units" until the unit's end. */

#include "config.h"

#include "relais-live-matroska-mux.h"

#include "relais-collect-pads.h"
#include "relais-mux-track.h"

GST_DEBUG_CATEGORY_STATIC (live_matroska_mux_debug);
#define GST_CAT_DEFAULT live_matroska_mux_debug

#define DEFAULT_QUIET_TIME (150 * GST_MSECOND)
#define MAX_PENDING_BLOCKS 65536
/* A quiet video track is refreshed with every block of the flowing one, but no denser than this. */
#define MIN_REPEAT_DISTANCE (30 * GST_MSECOND)

typedef struct
{
  RelaisMuxTrack *track; /* not owned: a removed pad takes its blocks with it */
  GstBuffer *buffer;     /* owned, PTS in running time */
  guint64 order;         /* latest time of its track up to here: what blocks are sorted by */
} PendingBlock;

struct _RelaisLiveMatroskaMux
{
  GstBin parent_instance;

  GMutex lock; /* protects everything below, and the order of blocks */

  GstElement *mux; /* the inner muxer; owned by the bin */
  gboolean is_webm;
  GstPad *srcpad;       /* owned by the element */
  GPtrArray *tracks;    /* owned RelaisMuxTrack */
  GArray *pending;      /* PendingBlock, in arrival order */
  GPtrArray *output;    /* owned GstBuffer: what the muxer pushed for the block that is in it */
  gboolean header_done; /* the muxer has seen a block: no track or muxer can change any more */
  RelaisTimeline timeline;
  guint next_pad[2]; /* numbers for audio and video pads */

  /* properties */
  gboolean hold_units;
  guint64 quiet_time;
  guint64 timestamp_offset;
};

enum
{
  PROP_HOLD_UNITS = 1,
  PROP_QUIET_TIME,
  PROP_TIMESTAMP_OFFSET,
  PROP_END_TIME,
  PROP_STATS,
  N_PROPS
};

static GParamSpec *properties[N_PROPS];

#define VIDEO_CAPS                                                                                 \
  "video/x-vp8; video/x-vp9; "                                                                     \
  "video/x-av1, stream-format = (string) obu-stream, alignment = (string) tu; "                    \
  "video/x-h264, stream-format = (string) avc, alignment = (string) au"
#define AUDIO_CAPS "audio/x-opus; audio/x-vorbis"

static GstStaticPadTemplate video_template = GST_STATIC_PAD_TEMPLATE ("video_%u",
                                                                      GST_PAD_SINK,
                                                                      GST_PAD_REQUEST,
                                                                      GST_STATIC_CAPS (VIDEO_CAPS));
static GstStaticPadTemplate audio_template = GST_STATIC_PAD_TEMPLATE ("audio_%u",
                                                                      GST_PAD_SINK,
                                                                      GST_PAD_REQUEST,
                                                                      GST_STATIC_CAPS (AUDIO_CAPS));
static GstStaticPadTemplate src_template
    = GST_STATIC_PAD_TEMPLATE ("src",
                               GST_PAD_SRC,
                               GST_PAD_ALWAYS,
                               GST_STATIC_CAPS (
                                   "video/webm; audio/webm; video/x-matroska; audio/x-matroska"));

G_DEFINE_FINAL_TYPE (RelaisLiveMatroskaMux, relais_live_matroska_mux, GST_TYPE_BIN)

static void
clear_pending_block (gpointer data)
{
  PendingBlock *block = data;

  gst_clear_buffer (&block->buffer);
}

/* The inner muxer */

/* Called with the lock held. */
static gboolean
attach_track (RelaisLiveMatroskaMux *self, RelaisMuxTrack *track)
{
  GstPad *target
      = gst_element_request_pad_simple (self->mux, track->is_video ? "video_%u" : "audio_%u");

  if (target == NULL || !relais_collect_pads_is_supported (target))
    {
      gst_clear_object (&target);
      GST_ELEMENT_ERROR (self, CORE, FAILED, ("This version of matroskamux cannot be used live."),
                         ("its pads are not collected by GstCollectPads"));
      return FALSE;
    }
  gst_clear_object (&track->target);
  track->target = target;
  return gst_ghost_pad_set_target (GST_GHOST_PAD (track->pad), target);
}

/* Called with the lock held, before the first block. */
static gboolean
use_muxer (RelaisLiveMatroskaMux *self, gboolean webm)
{
  g_autoptr (GstPad) src = NULL;
  GstElement *mux = gst_element_factory_make (webm ? "webmmux" : "matroskamux", NULL);

  if (mux == NULL)
    {
      GST_ELEMENT_ERROR (self, CORE, MISSING_PLUGIN, (NULL),
                         ("matroskamux and webmmux (gst-plugins-good) are needed"));
      return FALSE;
    }
  g_object_set (mux, "streamable", TRUE, "min-cluster-duration", (gint64) 0, "writing-app",
                "relais", NULL);

  if (self->mux != NULL)
    {
      for (guint i = 0; i < self->tracks->len; i++)
        {
          RelaisMuxTrack *track = g_ptr_array_index (self->tracks, i);

          gst_ghost_pad_set_target (GST_GHOST_PAD (track->pad), NULL);
          gst_element_release_request_pad (self->mux, track->target);
          gst_clear_object (&track->target);
        }
      gst_ghost_pad_set_target (GST_GHOST_PAD (self->srcpad), NULL);
      gst_element_set_state (self->mux, GST_STATE_NULL);
      gst_bin_remove (GST_BIN (self), self->mux);
    }

  gst_bin_add (GST_BIN (self), mux);
  self->mux = mux;
  self->is_webm = webm;
  src = gst_element_get_static_pad (mux, "src");
  gst_ghost_pad_set_target (GST_GHOST_PAD (self->srcpad), src);
  for (guint i = 0; i < self->tracks->len; i++)
    if (!attach_track (self, g_ptr_array_index (self->tracks, i)))
      return FALSE;
  if (!gst_element_sync_state_with_parent (mux))
    return FALSE;

  /* The header needs the caps of all tracks, also of those whose first block comes later. */
  for (guint i = 0; i < self->tracks->len; i++)
    {
      RelaisMuxTrack *track = g_ptr_array_index (self->tracks, i);
      GstEvent *caps = gst_pad_get_sticky_event (track->internal, GST_EVENT_CAPS, 0);

      if (caps != NULL && !gst_pad_push_event (track->internal, caps))
        return FALSE;
    }
  return TRUE;
}

/* Output */

static gboolean
buffer_begins_with (GstBuffer *buffer, guint32 id)
{
  guint8 bytes[4];

  return gst_buffer_extract (buffer, 0, bytes, sizeof bytes) == sizeof bytes
         && GST_READ_UINT32_BE (bytes) == id;
}

#define EBML_ID    0x1A45DFA3u
#define CLUSTER_ID 0x1F43B675u

/* Chain function of the source pad's proxy: the muxer's pieces are kept until the block is whole.
 */
static GstFlowReturn
collect_output (GstPad *pad, GstObject *parent, GstBuffer *buffer)
{
  g_autoptr (GstObject) ghost = gst_pad_get_parent (pad);
  RelaisLiveMatroskaMux *self = RELAIS_LIVE_MATROSKA_MUX (GST_OBJECT_PARENT (ghost));

  g_ptr_array_add (self->output, buffer);
  return GST_FLOW_OK;
}

/* Called with the lock held. Joins what the muxer wrote for one block and sends it on. */
static GstFlowReturn
push_output (RelaisLiveMatroskaMux *self, guint64 time, gboolean track_sync_point)
{
  g_autoptr (GstBuffer) block = NULL;
  GstFlowReturn ret = GST_FLOW_OK;
  gboolean opens_cluster = FALSE, in_header = FALSE;

  for (guint i = 0; i < self->output->len && ret == GST_FLOW_OK; i++)
    {
      GstBuffer *buffer = g_ptr_array_index (self->output, i);

      if (block == NULL && !in_header && buffer_begins_with (buffer, EBML_ID))
        in_header = TRUE;
      if (in_header && !buffer_begins_with (buffer, CLUSTER_ID))
        {
          buffer = gst_buffer_make_writable (gst_buffer_ref (buffer));
          GST_BUFFER_FLAG_SET (buffer, GST_BUFFER_FLAG_HEADER);
          ret = gst_pad_push (self->srcpad, buffer);
          continue;
        }
      in_header = FALSE;
      if (block == NULL)
        {
          opens_cluster = buffer_begins_with (buffer, CLUSTER_ID);
          block = gst_buffer_new ();
        }
      block = gst_buffer_append (block, gst_buffer_ref (buffer));
    }
  g_ptr_array_set_size (self->output, 0);
  if (block == NULL || ret != GST_FLOW_OK)
    return ret;

  GST_BUFFER_PTS (block) = time;
  if (!(track_sync_point && opens_cluster))
    GST_BUFFER_FLAG_SET (block, GST_BUFFER_FLAG_DELTA_UNIT);
  return gst_pad_push (self->srcpad, g_steal_pointer (&block));
}

/* Called with the lock held. Takes @buffer. */
static GstFlowReturn
mux_block (RelaisLiveMatroskaMux *self, RelaisMuxTrack *track, GstBuffer *buffer, guint64 time)
{
  gboolean is_sync_point = !GST_BUFFER_FLAG_IS_SET (buffer, GST_BUFFER_FLAG_DELTA_UNIT)
                           && (track->is_video || self->tracks->len == 1);
  GstFlowReturn ret;

  for (guint i = 0; i < self->tracks->len; i++)
    {
      RelaisMuxTrack *other = g_ptr_array_index (self->tracks, i);

      if (other != track)
        relais_collect_pads_release (other->target, time);
    }

  /* Without a duration the muxer writes a SimpleBlock, which is the smallest and what browsers
   * write themselves. */
  GST_BUFFER_PTS (buffer) = time - MIN (time, track->time.codec_delay);
  GST_BUFFER_DTS (buffer) = GST_CLOCK_TIME_NONE;
  GST_BUFFER_DURATION (buffer) = GST_CLOCK_TIME_NONE;
  self->header_done = TRUE;
  track->started = TRUE;
  ret = gst_pad_push (track->internal, buffer);
  if (ret != GST_FLOW_OK)
    {
      g_ptr_array_set_size (self->output, 0);
      return ret;
    }
  return push_output (self, time, is_sync_point);
}

/* Fillers */

/* Called with the lock held. */
static GstFlowReturn
fill_track (RelaisLiveMatroskaMux *self, RelaisMuxTrack *track, guint64 now)
{
  GstFlowReturn ret = GST_FLOW_OK;
  guint64 limit = relais_track_time_get_quiet_limit (&track->time, self->quiet_time);
  guint64 due = track->time.last_out;

  if (!track->filling && now < due + track->duration + limit)
    return GST_FLOW_OK;
  if (track->filling)
    due += track->is_video ? MIN_REPEAT_DISTANCE : track->duration;
  else if (!track->is_video)
    due = MAX (due + track->duration, self->timeline.last_written);

  while (ret == GST_FLOW_OK && due + track->duration <= now)
    {
      GstBuffer *filler = relais_mux_track_make_filler (track);
      guint64 duration, time;

      if (filler == NULL)
        break;
      /* A picture needs to be repeated once, now; silence has to be laid packet by packet up to
       * now. */
      duration = track->is_video ? 0 : GST_BUFFER_DURATION (filler);
      time = relais_timeline_fill (&self->timeline, &track->time, track->is_video ? now : due);
      track->filling = TRUE;
      track->n_fillers++;
      ret = mux_block (self, track, filler, time);
      if (track->is_video || duration == 0)
        break;
      due = time + duration;
    }
  return ret;
}

/* Called with the lock held: @flowing has a block at @now. */
static GstFlowReturn
fill_quiet_tracks (RelaisLiveMatroskaMux *self, RelaisMuxTrack *flowing, guint64 now)
{
  GstFlowReturn ret = GST_FLOW_OK;

  if (self->quiet_time == 0)
    return GST_FLOW_OK;
  for (guint i = 0; i < self->tracks->len && ret == GST_FLOW_OK; i++)
    {
      RelaisMuxTrack *track = g_ptr_array_index (self->tracks, i);

      if (track != flowing && track->started)
        ret = fill_track (self, track, now);
    }
  return ret;
}

/* Input */

/* Called with the lock held, before the first block. The muxer adds the codec delay to a time that
 * is above it and writes 0 for all others, so the first moments of a timeline could not be written
 * as they are: it begins behind them. */
static void
begin_timeline (RelaisLiveMatroskaMux *self)
{
  guint64 offset = self->timestamp_offset;

  for (guint i = 0; i < self->tracks->len; i++)
    {
      const RelaisMuxTrack *track = g_ptr_array_index (self->tracks, i);
      guint64 ticks = 2 * track->time.codec_delay / RELAIS_TIMELINE_TICK + 1;

      if (track->time.codec_delay > 0)
        offset = MAX (offset, ticks * RELAIS_TIMELINE_TICK);
    }
  relais_timeline_init (&self->timeline, offset);
}

/* Called with the lock held. Takes @buffer, whose PTS is running time. */
static GstFlowReturn
write_block (RelaisLiveMatroskaMux *self, RelaisMuxTrack *track, GstBuffer *buffer)
{
  /* The demuxer took the codec delay off, the muxer puts it on again: in between times are those of
   * the blocks. */
  guint64 pts = GST_BUFFER_PTS (buffer) + track->time.codec_delay;
  guint64 time;
  GstFlowReturn ret;
  gboolean is_sync_point;

  buffer = gst_buffer_make_writable (buffer);
  is_sync_point = relais_mux_track_inspect (track, buffer);
  if (track->is_video && !track->started && !is_sync_point)
    {
      track->n_dropped++;
      gst_buffer_unref (buffer);
      return GST_FLOW_OK;
    }

  if (!self->header_done)
    begin_timeline (self);
  time = relais_timeline_map (&self->timeline, &track->time, pts);
  ret = fill_quiet_tracks (self, track, time);
  if (ret != GST_FLOW_OK)
    {
      gst_buffer_unref (buffer);
      return ret;
    }
  track->filling = FALSE;
  track->n_frames++;
  if (is_sync_point)
    track->n_sync_points++;
  if (time > pts + (guint64) MAX (track->time.shift, 0) + RELAIS_TIMELINE_TICK)
    track->n_lifted++;
  return mux_block (self, track, buffer, time);
}

static gint
compare_pending (gconstpointer a, gconstpointer b)
{
  const PendingBlock *left = a, *right = b;

  return left->order < right->order ? -1 : left->order > right->order;
}

/* Called with the lock held. Blocks are merged across tracks by time; within a track their order
 * stays. */
static GstFlowReturn
write_pending (RelaisLiveMatroskaMux *self)
{
  GstFlowReturn ret = GST_FLOW_OK;

  if (self->pending->len > 1)
    {
      /* g_array_sort() is stable since GLib 2.32 */
      g_array_sort (self->pending, compare_pending);
    }
  for (guint i = 0; i < self->pending->len && ret == GST_FLOW_OK; i++)
    {
      PendingBlock *block = &g_array_index (self->pending, PendingBlock, i);

      ret = write_block (self, block->track, g_steal_pointer (&block->buffer));
    }
  g_array_set_size (self->pending, 0);
  return ret;
}

/* Called with the lock held. */
static gboolean
all_tracks_have_caps (RelaisLiveMatroskaMux *self)
{
  for (guint i = 0; i < self->tracks->len; i++)
    {
      RelaisMuxTrack *track = g_ptr_array_index (self->tracks, i);

      if (!track->has_caps && !track->eos)
        return FALSE;
    }
  return TRUE;
}

/* Called with the lock held. Takes @buffer. */
static GstFlowReturn
hold_block (RelaisLiveMatroskaMux *self, RelaisMuxTrack *track, GstBuffer *buffer)
{
  PendingBlock block = { .track = track,
                         .buffer = buffer,
                         .order = GST_BUFFER_PTS (buffer) + track->time.codec_delay };

  if (self->pending->len >= MAX_PENDING_BLOCKS)
    {
      gst_buffer_unref (buffer);
      GST_ELEMENT_ERROR (self, STREAM, MUX,
                         ("A unit holds too many blocks, or a track has no caps."),
                         ("%u blocks are waiting", self->pending->len));
      return GST_FLOW_ERROR;
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
  return GST_FLOW_OK;
}

static GstFlowReturn
sink_chain (GstPad *pad, GstObject *parent, GstBuffer *buffer)
{
  RelaisLiveMatroskaMux *self = RELAIS_LIVE_MATROSKA_MUX (parent);
  RelaisMuxTrack *track = gst_pad_get_element_private (pad);
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&self->lock);
  guint64 time
      = GST_BUFFER_PTS_IS_VALID (buffer) ? GST_BUFFER_PTS (buffer) : GST_BUFFER_DTS (buffer);

  if (!track->has_caps)
    {
      gst_buffer_unref (buffer);
      return GST_FLOW_NOT_NEGOTIATED;
    }
  if (GST_CLOCK_TIME_IS_VALID (time))
    time = gst_segment_to_running_time (&track->segment, GST_FORMAT_TIME, time);
  if (!GST_CLOCK_TIME_IS_VALID (time))
    {
      GST_WARNING_OBJECT (pad, "dropping a frame without a time or outside of its segment");
      track->n_dropped++;
      gst_buffer_unref (buffer);
      return GST_FLOW_OK;
    }
  buffer = gst_buffer_make_writable (buffer);
  GST_BUFFER_PTS (buffer) = time;

  if (self->hold_units || !all_tracks_have_caps (self))
    return hold_block (self, track, buffer);
  if (self->pending->len > 0)
    {
      GstFlowReturn ret = write_pending (self);

      if (ret != GST_FLOW_OK)
        {
          gst_buffer_unref (buffer);
          return ret;
        }
    }
  return write_block (self, track, buffer);
}

/* Called with the lock held. */
static gboolean
take_caps (RelaisLiveMatroskaMux *self, RelaisMuxTrack *track, GstEvent *event)
{
  GstCaps *caps;

  gst_event_parse_caps (event, &caps);
  if (self->header_done && track->has_caps)
    {
      RelaisCodec codec = track->codec;

      /* The header is out. A new size is the codec's own business; a new codec or new codec data
       * needs a new epoch. */
      relais_mux_track_set_caps (track, caps);
      if (track->codec == codec && codec != RELAIS_CODEC_H264)
        return TRUE;
      GST_ELEMENT_ERROR (self, STREAM, FORMAT, ("The codec of a track changed in the middle."),
                         ("%s: %" GST_PTR_FORMAT, GST_PAD_NAME (track->pad), caps));
      return FALSE;
    }
  relais_mux_track_set_caps (track, caps);
  if (self->is_webm && !relais_mux_track_is_webm (track) && !use_muxer (self, FALSE))
    return FALSE;
  return gst_pad_push_event (track->internal, gst_event_ref (event));
}

static gboolean
sink_event (GstPad *pad, GstObject *parent, GstEvent *event)
{
  RelaisLiveMatroskaMux *self = RELAIS_LIVE_MATROSKA_MUX (parent);
  RelaisMuxTrack *track = gst_pad_get_element_private (pad);
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&self->lock);
  gboolean taken;

  switch ((guint) GST_EVENT_TYPE (event))
    {
    case GST_EVENT_CAPS:
      taken = take_caps (self, track, event);
      gst_event_unref (event);
      return taken;

    case GST_EVENT_SEGMENT:
      {
        GstSegment plain;

        /* Times are turned into running time here, so that the muxer sees one plain segment from
         * zero. */
        gst_event_copy_segment (event, &track->segment);
        gst_event_unref (event);
        gst_segment_init (&plain, GST_FORMAT_TIME);
        return gst_pad_push_event (track->internal, gst_event_new_segment (&plain));
      }

    case GST_EVENT_TAG:
    case GST_EVENT_TOC:
    case GST_EVENT_GAP:
      /* Tags would grow every viewer's header; a gap is filled here or not at all. */
      gst_event_unref (event);
      return TRUE;

    case GST_EVENT_CUSTOM_DOWNSTREAM:
      if (gst_event_has_name (event, RELAIS_UNIT_END_EVENT))
        {
          gboolean written = !all_tracks_have_caps (self) || write_pending (self) == GST_FLOW_OK;

          return gst_pad_push_event (self->srcpad, event) && written;
        }
      break;

    case GST_EVENT_EOS:
      track->eos = TRUE;
      write_pending (self);
      break;

    case GST_EVENT_FLUSH_STOP:
      g_array_set_size (self->pending, 0);
      break;

    default:
      break;
    }
  return gst_pad_push_event (track->internal, event);
}

/* The pads answer for all codecs, whichever of the two muxers is inside at the moment. */
static gboolean
sink_query (GstPad *pad, GstObject *parent, GstQuery *query)
{
  GstCaps *caps, *filter, *result;
  g_autoptr (GstCaps) template = NULL;

  switch ((guint) GST_QUERY_TYPE (query))
    {
    case GST_QUERY_CAPS:
      template = gst_pad_get_pad_template_caps (pad);
      gst_query_parse_caps (query, &filter);
      result = filter != NULL ? gst_caps_intersect_full (filter, template, GST_CAPS_INTERSECT_FIRST)
                              : gst_caps_ref (template);
      gst_query_set_caps_result (query, result);
      gst_caps_unref (result);
      return TRUE;

    case GST_QUERY_ACCEPT_CAPS:
      template = gst_pad_get_pad_template_caps (pad);
      gst_query_parse_accept_caps (query, &caps);
      gst_query_set_accept_caps_result (query, gst_caps_is_subset (caps, template));
      return TRUE;

    default:
      return gst_pad_query_default (pad, parent, query);
    }
}

/* Element */

static GstPad *
request_new_pad (GstElement *element, GstPadTemplate *templ, const char *name, const GstCaps *caps)
{
  RelaisLiveMatroskaMux *self = RELAIS_LIVE_MATROSKA_MUX (element);
  gboolean is_video = g_str_has_prefix (GST_PAD_TEMPLATE_NAME_TEMPLATE (templ), "video");
  g_autofree char *pad_name = NULL;
  RelaisMuxTrack *track;
  GstPad *pad;

  g_mutex_lock (&self->lock);
  if (self->header_done || (self->mux == NULL && !use_muxer (self, TRUE)))
    {
      g_mutex_unlock (&self->lock);
      GST_WARNING_OBJECT (self, "no pad can be added once the header is written");
      return NULL;
    }
  pad_name = g_strdup_printf ("%s_%u", is_video ? "video" : "audio", self->next_pad[is_video]++);
  pad = gst_ghost_pad_new_no_target_from_template (pad_name, templ);
  track = relais_mux_track_new (pad, is_video);
  track->internal = GST_PAD (gst_proxy_pad_get_internal (GST_PROXY_PAD (pad)));
  gst_object_unref (track->internal); /* the ghost pad keeps it */
  gst_pad_set_element_private (pad, track);
  gst_pad_set_chain_function (pad, sink_chain);
  gst_pad_set_event_function (pad, sink_event);
  gst_pad_set_query_function (pad, sink_query);
  if (!attach_track (self, track))
    {
      g_mutex_unlock (&self->lock);
      relais_mux_track_free (track);
      gst_object_unref (gst_object_ref_sink (pad));
      return NULL;
    }
  g_ptr_array_add (self->tracks, track);
  g_mutex_unlock (&self->lock);

  gst_pad_set_active (pad, TRUE);
  gst_element_add_pad (element, pad);
  return pad;
}

static void
release_pad (GstElement *element, GstPad *pad)
{
  RelaisLiveMatroskaMux *self = RELAIS_LIVE_MATROSKA_MUX (element);
  RelaisMuxTrack *track = gst_pad_get_element_private (pad);

  gst_pad_set_active (pad, FALSE);
  g_mutex_lock (&self->lock);
  for (guint i = self->pending->len; i > 0; i--)
    if (g_array_index (self->pending, PendingBlock, i - 1).track == track)
      g_array_remove_index (self->pending, i - 1);
  gst_ghost_pad_set_target (GST_GHOST_PAD (pad), NULL);
  gst_element_release_request_pad (self->mux, track->target);
  gst_pad_set_element_private (pad, NULL);
  g_ptr_array_remove (self->tracks, track);
  g_mutex_unlock (&self->lock);
  gst_element_remove_pad (element, pad);
}

static void
reset_track (gpointer track, gpointer user_data)
{
  relais_mux_track_reset (track);
}

static GstStateChangeReturn
change_state (GstElement *element, GstStateChange transition)
{
  RelaisLiveMatroskaMux *self = RELAIS_LIVE_MATROSKA_MUX (element);
  GstStateChangeReturn ret;

  if (transition == GST_STATE_CHANGE_READY_TO_PAUSED)
    {
      g_mutex_lock (&self->lock);
      relais_timeline_init (&self->timeline, self->timestamp_offset);
      g_mutex_unlock (&self->lock);
    }
  ret = GST_ELEMENT_CLASS (relais_live_matroska_mux_parent_class)
            ->change_state (element, transition);
  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY)
    {
      g_mutex_lock (&self->lock);
      g_array_set_size (self->pending, 0);
      self->header_done = FALSE;
      g_ptr_array_foreach (self->tracks, reset_track, NULL);
      g_mutex_unlock (&self->lock);
    }
  return ret;
}

/* Called with the lock held. */
static GstStructure *
get_stats (RelaisLiveMatroskaMux *self)
{
  GstStructure *stats = gst_structure_new_empty ("livematroskamux-stats");
  GValue list = G_VALUE_INIT;

  g_value_init (&list, GST_TYPE_ARRAY);
  for (guint i = 0; i < self->tracks->len; i++)
    {
      GValue value = G_VALUE_INIT;

      g_value_init (&value, GST_TYPE_STRUCTURE);
      g_value_take_boxed (&value, relais_mux_track_get_stats (g_ptr_array_index (self->tracks, i)));
      gst_value_array_append_and_take_value (&list, &value);
    }
  gst_structure_take_value (stats, "tracks", &list);
  return stats;
}

static void
relais_live_matroska_mux_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  RelaisLiveMatroskaMux *self = RELAIS_LIVE_MATROSKA_MUX (object);
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&self->lock);

  switch (id)
    {
    case PROP_HOLD_UNITS:
      g_value_set_boolean (value, self->hold_units);
      break;
    case PROP_QUIET_TIME:
      g_value_set_uint64 (value, self->quiet_time);
      break;
    case PROP_TIMESTAMP_OFFSET:
      g_value_set_uint64 (value, self->timestamp_offset);
      break;
    case PROP_END_TIME:
      g_value_set_uint64 (value, self->timeline.end);
      break;
    case PROP_STATS:
      g_value_take_boxed (value, get_stats (self));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
relais_live_matroska_mux_set_property (GObject *object,
                                       guint id,
                                       const GValue *value,
                                       GParamSpec *pspec)
{
  RelaisLiveMatroskaMux *self = RELAIS_LIVE_MATROSKA_MUX (object);
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&self->lock);

  switch (id)
    {
    case PROP_HOLD_UNITS:
      self->hold_units = g_value_get_boolean (value);
      break;
    case PROP_QUIET_TIME:
      self->quiet_time = g_value_get_uint64 (value);
      break;
    case PROP_TIMESTAMP_OFFSET:
      self->timestamp_offset = g_value_get_uint64 (value);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
relais_live_matroska_mux_dispose (GObject *object)
{
  RelaisLiveMatroskaMux *self = RELAIS_LIVE_MATROSKA_MUX (object);

  /* The bin's dispose removes pads and muxer; the tracks must not outlive their pads' private
   * pointers. */
  while (self->tracks->len > 0)
    {
      RelaisMuxTrack *track = g_ptr_array_index (self->tracks, self->tracks->len - 1);

      release_pad (GST_ELEMENT (self), track->pad);
    }
  G_OBJECT_CLASS (relais_live_matroska_mux_parent_class)->dispose (object);
}

static void
relais_live_matroska_mux_finalize (GObject *object)
{
  RelaisLiveMatroskaMux *self = RELAIS_LIVE_MATROSKA_MUX (object);

  g_ptr_array_unref (self->tracks);
  g_array_unref (self->pending);
  g_ptr_array_unref (self->output);
  g_mutex_clear (&self->lock);
  G_OBJECT_CLASS (relais_live_matroska_mux_parent_class)->finalize (object);
}

static void
relais_live_matroska_mux_class_init (RelaisLiveMatroskaMuxClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GstElementClass *element_class = GST_ELEMENT_CLASS (klass);
  const GParamFlags flags = G_PARAM_STATIC_STRINGS;

  GST_DEBUG_CATEGORY_INIT (live_matroska_mux_debug, "livematroskamux", 0, "live Matroska muxer");

  object_class->get_property = relais_live_matroska_mux_get_property;
  object_class->set_property = relais_live_matroska_mux_set_property;
  object_class->dispose = relais_live_matroska_mux_dispose;
  object_class->finalize = relais_live_matroska_mux_finalize;
  element_class->request_new_pad = request_new_pad;
  element_class->release_pad = release_pad;
  element_class->change_state = change_state;

  properties[PROP_HOLD_UNITS] = g_param_spec_boolean (
      "hold-units", "Hold units",
      "Hold blocks until a serialized custom event \"" RELAIS_UNIT_END_EVENT
      "\" and sort them across tracks; otherwise every block leaves at once",
      FALSE, flags | G_PARAM_READWRITE);
  properties[PROP_QUIET_TIME] = g_param_spec_uint64 (
      "quiet-time", "Quiet time",
      "A track that is quiet this long while another flows gets fillers (ns, 0 = never)", 0,
      G_MAXUINT64, DEFAULT_QUIET_TIME, flags | G_PARAM_READWRITE);
  properties[PROP_TIMESTAMP_OFFSET] = g_param_spec_uint64 (
      "timestamp-offset", "Timestamp offset",
      "Where the first block lands on the output's timeline (ns); read when going to PAUSED", 0,
      G_MAXINT64, 0, flags | G_PARAM_READWRITE);
  properties[PROP_END_TIME] = g_param_spec_uint64 (
      "end-time", "End time",
      "Where an epoch that continues this one may start: past everything written (ns)", 0,
      G_MAXUINT64, 0, flags | G_PARAM_READABLE);
  properties[PROP_STATS] = g_param_spec_boxed ("stats", "Statistics",
                                               "An array \"tracks\" of structures with pad, "
                                               "frames, sync-points, fillers, dropped, lifted and "
                                               "misflagged",
                                               GST_TYPE_STRUCTURE, flags | G_PARAM_READABLE);
  g_object_class_install_properties (object_class, N_PROPS, properties);

  gst_element_class_add_static_pad_template (element_class, &video_template);
  gst_element_class_add_static_pad_template (element_class, &audio_template);
  gst_element_class_add_static_pad_template (element_class, &src_template);
  gst_element_class_set_static_metadata (
      element_class, "Live Matroska/WebM muxer", "Codec/Muxer",
      "Muxes live WebM or Matroska at once and in arrival order: never waits for a silent track, "
      "one "
      "buffer a block, sync points verified in the bitstream, streamheader in the caps",
      "The relais authors");
}

static void
relais_live_matroska_mux_init (RelaisLiveMatroskaMux *self)
{
  g_autoptr (GstPadTemplate) template = gst_static_pad_template_get (&src_template);
  GstProxyPad *internal;

  g_mutex_init (&self->lock);
  self->tracks = g_ptr_array_new_with_free_func ((GDestroyNotify) relais_mux_track_free);
  self->pending = g_array_new (FALSE, FALSE, sizeof (PendingBlock));
  g_array_set_clear_func (self->pending, clear_pending_block);
  self->output = g_ptr_array_new_with_free_func ((GDestroyNotify) gst_buffer_unref);
  self->quiet_time = DEFAULT_QUIET_TIME;
  relais_timeline_init (&self->timeline, 0);

  self->srcpad = gst_ghost_pad_new_no_target_from_template ("src", template);
  internal = gst_proxy_pad_get_internal (GST_PROXY_PAD (self->srcpad));
  gst_pad_set_chain_function (GST_PAD (internal), collect_output);
  gst_object_unref (internal);
  gst_element_add_pad (GST_ELEMENT (self), self->srcpad);
}
