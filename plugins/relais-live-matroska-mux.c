/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* livematroskamux: a bin around the stock matroskamux or webmmux that makes a live stream of it.
 *
 *   sink pads ─► relais-block-writer.c ─► relais-inner-muxer.c (matroskamux streamable=true) ─► src
 *
 * - No waiting: every block leaves at once, in arrival order, on the caller's thread
 * (relais-collect-pads.c).
 * - One buffer a block. DELTA_UNIT is clear only on a buffer that opens a Cluster with a video
 * frame whose own bitstream says key frame, or with any block of an audio-only stream.
 * - Caps carry `streamheader`, and the header leaves first as buffers with the HEADER flag. A new
 * header in the middle, with new caps, begins a new epoch: a track has left or come back, or
 * changed its codec.
 * - Time never goes back: relais-timeline.c. Packets of sound do not overlap, however their stamps
 * jitter: relais-sound-clock.c. A quiet track gets fillers: relais-repeat-frame.c.
 *
 * This file is the element: its pads, events, queries, properties.
 *
 * Threads: `lock` serialises all pads, and is held while a block goes through the muxer and out of
 * the source pad, like the stream lock of any GstCollectPads muxer. Order: lock, then the
 * collection's stream lock (relais-collect-pads.c).
 *
 * Blocks are held only until every pad has caps, and with "hold-units" until the unit's end. */

#include "config.h"

#include "relais-live-matroska-mux.h"

#include "relais-block-writer.h"
#include "relais-collect-pads.h"

GST_DEBUG_CATEGORY (relais_live_matroska_mux_debug);
#define GST_CAT_DEFAULT relais_live_matroska_mux_debug

#define DEFAULT_QUIET_TIME (150 * GST_MSECOND)
#define DEFAULT_LEAVE_TIME (3 * GST_SECOND)

struct _RelaisLiveMatroskaMux
{
  GstBin parent_instance;

  GMutex lock; /* protects everything below, and the order of blocks */

  GstPad *srcpad;    /* owned by the element */
  GPtrArray *tracks; /* owned RelaisMuxTrack */
  RelaisInnerMuxer *mux;
  RelaisBlockWriter *writer;
  guint next_pad[2]; /* numbers for audio and video pads */

  /* properties */
  RelaisBlockWriterSettings settings;
};

enum
{
  PROP_HOLD_UNITS = 1,
  PROP_QUIET_TIME,
  PROP_LEAVE_TIME,
  PROP_TIMESTAMP_OFFSET,
  PROP_SOUND_DUE,
  PROP_END_TIME,
  PROP_NEXT_SOUND_DUE,
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

/* Data */

/* Chain function of the source pad's proxy: the muxer's pieces are kept until the block is whole.
 */
static GstFlowReturn
collect_output (GstPad *pad, GstObject *parent, GstBuffer *buffer)
{
  g_autoptr (GstObject) ghost = gst_pad_get_parent (pad);
  RelaisLiveMatroskaMux *self = RELAIS_LIVE_MATROSKA_MUX (GST_OBJECT_PARENT (ghost));

  relais_inner_muxer_take_output (self->mux, buffer);
  return GST_FLOW_OK;
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

static GstFlowReturn
sink_chain (GstPad *pad, GstObject *parent, GstBuffer *buffer)
{
  RelaisLiveMatroskaMux *self = RELAIS_LIVE_MATROSKA_MUX (parent);
  RelaisMuxTrack *track = gst_pad_get_element_private (pad);
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);
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
  relais_mux_track_smooth (track, buffer);

  if (!relais_block_writer_hold (self->writer, track, buffer))
    {
      GST_ELEMENT_ERROR (self, STREAM, MUX,
                         ("A unit holds too many blocks, or a track has no caps."), (NULL));
      return GST_FLOW_ERROR;
    }
  if (self->settings.hold_units || !all_tracks_have_caps (self))
    return GST_FLOW_OK;
  return relais_block_writer_flush (self->writer);
}

/* From a framerate the muxer makes a DefaultDuration, and with that Chromium freezes the picture at
 * the first frame that comes later than it says; live frames come when they come. Takes @event. */
static GstEvent *
set_variable_framerate (GstEvent *event)
{
  GstCaps *caps;
  GstEvent *changed;

  gst_event_parse_caps (event, &caps);
  caps = gst_caps_copy (caps);
  if (gst_structure_has_field (gst_caps_get_structure (caps, 0), "framerate"))
    gst_caps_set_simple (caps, "framerate", GST_TYPE_FRACTION, 0, 1, NULL);
  changed = gst_event_new_caps (caps);
  gst_caps_unref (caps);
  gst_event_unref (event);
  return changed;
}

/* Called with the lock held. The header is out, and the muxer would refuse new caps. */
static gboolean
take_new_caps (RelaisLiveMatroskaMux *self, RelaisMuxTrack *track, GstEvent *event, GstCaps *caps)
{
  RelaisCodec codec = track->codec;

  if (relais_block_writer_flush (self->writer) != GST_FLOW_OK)
    return FALSE;
  relais_mux_track_set_caps (track, caps);
  /* A new size or rate is the codec's own business; another codec, or other codec data, needs
   * another header. */
  if (track->codec == codec && codec != RELAIS_CODEC_H264)
    return TRUE;
  gst_event_replace (&track->new_caps, event);
  relais_block_writer_begin_epoch (self->writer);
  return TRUE;
}

/* Called with the lock held. */
static gboolean
take_caps (RelaisLiveMatroskaMux *self, RelaisMuxTrack *track, GstEvent *event)
{
  GstCaps *caps;

  gst_event_parse_caps (event, &caps);
  if (relais_block_writer_has_begun (self->writer) && track->has_caps)
    return take_new_caps (self, track, event, caps);

  relais_mux_track_set_caps (track, caps);
  if (!relais_inner_muxer_is_fit (self->mux, self->tracks)
      && !relais_inner_muxer_start (self->mux, self->tracks))
    return FALSE;
  return gst_pad_push_event (track->internal, gst_event_ref (event));
}

static gboolean
sink_event (GstPad *pad, GstObject *parent, GstEvent *event)
{
  RelaisLiveMatroskaMux *self = RELAIS_LIVE_MATROSKA_MUX (parent);
  RelaisMuxTrack *track = gst_pad_get_element_private (pad);
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);
  gboolean taken;

  switch ((guint) GST_EVENT_TYPE (event))
    {
    case GST_EVENT_CAPS:
      event = set_variable_framerate (event);
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
          gboolean written = !all_tracks_have_caps (self)
                             || relais_block_writer_flush (self->writer) == GST_FLOW_OK;

          return gst_pad_push_event (self->srcpad, event) && written;
        }
      break;

    case GST_EVENT_EOS:
      track->eos = TRUE;
      relais_block_writer_finish (self->writer);
      return relais_inner_muxer_end_track (self->mux, self->tracks, track, event);

    case GST_EVENT_FLUSH_STOP:
      relais_block_writer_drop (self->writer);
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
  if (relais_block_writer_has_begun (self->writer)
      || (!relais_inner_muxer_is_fit (self->mux, self->tracks)
          && !relais_inner_muxer_start (self->mux, self->tracks)))
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
  if (!relais_inner_muxer_attach (self->mux, track))
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
  relais_block_writer_forget (self->writer, track);
  relais_inner_muxer_detach (self->mux, track);
  gst_pad_set_element_private (pad, NULL);
  g_ptr_array_remove (self->tracks, track);
  g_mutex_unlock (&self->lock);
  gst_element_remove_pad (element, pad);
}

static void
reset_track (gpointer data, gpointer user_data)
{
  RelaisMuxTrack *track = data;

  relais_mux_track_reset (track);
  if (track->target != NULL)
    relais_collect_pads_reset (track->target);
}

static GstStateChangeReturn
change_state (GstElement *element, GstStateChange transition)
{
  RelaisLiveMatroskaMux *self = RELAIS_LIVE_MATROSKA_MUX (element);
  GstStateChangeReturn ret;

  if (transition == GST_STATE_CHANGE_READY_TO_PAUSED)
    {
      g_mutex_lock (&self->lock);
      relais_block_writer_reset (self->writer, &self->settings);
      g_mutex_unlock (&self->lock);
    }
  ret = GST_ELEMENT_CLASS (relais_live_matroska_mux_parent_class)
            ->change_state (element, transition);
  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY)
    {
      g_mutex_lock (&self->lock);
      relais_block_writer_reset (self->writer, &self->settings);
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
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  switch (id)
    {
    case PROP_HOLD_UNITS:
      g_value_set_boolean (value, self->settings.hold_units);
      break;
    case PROP_QUIET_TIME:
      g_value_set_uint64 (value, self->settings.quiet_time);
      break;
    case PROP_LEAVE_TIME:
      g_value_set_uint64 (value, self->settings.leave_time);
      break;
    case PROP_TIMESTAMP_OFFSET:
      g_value_set_uint64 (value, self->settings.timestamp_offset);
      break;
    case PROP_SOUND_DUE:
      g_value_set_uint64 (value, self->settings.sound_due);
      break;
    case PROP_END_TIME:
      g_value_set_uint64 (value, relais_block_writer_get_end_time (self->writer));
      break;
    case PROP_NEXT_SOUND_DUE:
      g_value_set_uint64 (value, relais_block_writer_get_sound_due (self->writer));
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
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  switch (id)
    {
    case PROP_HOLD_UNITS:
      self->settings.hold_units = g_value_get_boolean (value);
      break;
    case PROP_QUIET_TIME:
      self->settings.quiet_time = g_value_get_uint64 (value);
      break;
    case PROP_LEAVE_TIME:
      self->settings.leave_time = g_value_get_uint64 (value);
      break;
    case PROP_TIMESTAMP_OFFSET:
      self->settings.timestamp_offset = g_value_get_uint64 (value);
      break;
    case PROP_SOUND_DUE:
      self->settings.sound_due = g_value_get_uint64 (value);
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

  relais_block_writer_free (self->writer);
  relais_inner_muxer_free (self->mux);
  g_ptr_array_unref (self->tracks);
  g_mutex_clear (&self->lock);
  G_OBJECT_CLASS (relais_live_matroska_mux_parent_class)->finalize (object);
}

static void
relais_live_matroska_mux_class_init (RelaisLiveMatroskaMuxClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GstElementClass *element_class = GST_ELEMENT_CLASS (klass);
  const GParamFlags flags = G_PARAM_STATIC_STRINGS;

  GST_DEBUG_CATEGORY_INIT (relais_live_matroska_mux_debug, "livematroskamux", 0,
                           "live Matroska muxer");

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
      "\" and sort them across tracks; otherwise every block leaves at once (read when "
      "going to PAUSED)",
      FALSE, flags | G_PARAM_READWRITE);
  properties[PROP_QUIET_TIME] = g_param_spec_uint64 (
      "quiet-time", "Quiet time",
      "A track that is quiet this long while another flows gets fillers (ns, 0 = never)", 0,
      G_MAXUINT64, DEFAULT_QUIET_TIME, flags | G_PARAM_READWRITE);
  properties[PROP_LEAVE_TIME] = g_param_spec_uint64 (
      "leave-time", "Leave time",
      "A track that is quiet this long and whose codec has no filler leaves, by a new header; it "
      "returns with another one (ns, 0 = never; read when going to PAUSED, as quiet-time)",
      0, G_MAXUINT64, DEFAULT_LEAVE_TIME, flags | G_PARAM_READWRITE);
  properties[PROP_TIMESTAMP_OFFSET] = g_param_spec_uint64 (
      "timestamp-offset", "Timestamp offset",
      "Where the first block lands on the output's timeline (ns); read when going to PAUSED", 0,
      G_MAXINT64, 0, flags | G_PARAM_READWRITE);
  properties[PROP_SOUND_DUE] = g_param_spec_uint64 (
      "sound-due", "Sound due",
      "Up to when players take sound to go on from what is continued (ns, 0 = there was none): "
      "where none is there by then, silence is; read when going to PAUSED",
      0, G_MAXINT64, 0, flags | G_PARAM_READWRITE);
  properties[PROP_END_TIME] = g_param_spec_uint64 (
      "end-time", "End time",
      "Where an epoch that continues this one may start: past everything written (ns)", 0,
      G_MAXUINT64, 0, flags | G_PARAM_READABLE);
  properties[PROP_NEXT_SOUND_DUE]
      = g_param_spec_uint64 ("next-sound-due", "Next sound due",
                             "The sound-due of an epoch that continues this one (ns, 0 = no sound)",
                             0, G_MAXUINT64, 0, flags | G_PARAM_READABLE);
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
  self->srcpad = gst_ghost_pad_new_no_target_from_template ("src", template);
  internal = gst_proxy_pad_get_internal (GST_PROXY_PAD (self->srcpad));
  gst_pad_set_chain_function (GST_PAD (internal), collect_output);
  gst_object_unref (internal);
  gst_element_add_pad (GST_ELEMENT (self), self->srcpad);

  self->mux = relais_inner_muxer_new (GST_BIN (self), self->srcpad);
  self->writer = relais_block_writer_new (self->mux, self->tracks);
  self->settings = (RelaisBlockWriterSettings){ .quiet_time = DEFAULT_QUIET_TIME,
                                                .leave_time = DEFAULT_LEAVE_TIME };
  relais_block_writer_reset (self->writer, &self->settings);
}
