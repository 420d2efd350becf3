/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* One recording's way through GStreamer:
 *
 *   a pad of our own ! matroskademux ! [h264parse !] livematroskamux ! a pad of our own
 *
 * Nothing in it has a thread or a queue: relais_pipeline_push() puts a chunk in, and its blocks
 * come out within the same call chain. What came out of one chunk is one unit; a sync point opens a
 * unit of its own. With appsrc and its streaming thread in front the same cost 50 % more CPU at
 * the pace of a live stream, and a thread's wake-up of latency.
 *
 * The end is a bare pad and not an appsink, which queues every block, wakes whoever might wait for
 * it with a system call, and makes a sample of it, only to be emptied by the same thread at once.
 *
 * One thread at a time: the handlers are called by whoever pushes, from within the push.
 * relais_pipeline_get_counters() alone may be called from any thread meanwhile. */

#include "config.h"

#include "stream/relais-pipeline.h"

#include "base/relais-error.h"
#include "base/relais-log.h"
#include "relais-live-matroska-mux.h"
#include "stream/relais-track-info.h"
#include "stream/relais-track-linker.h"
#include "stream/relais-unit-builder.h"

struct _RelaisPipeline
{
  char *stream_id;
  RelaisPipelineHandlers handlers;
  gpointer user_data;

  GstElement *pipeline; /* owned */
  GstElement *mux;      /* owned by the pipeline */
  GstPad *src_pad;      /* owned: where chunks go in */
  GstPad *sink_pad;     /* owned: where blocks come out */
  GstEvent *unit_end;   /* owned: sent again and again */

  RelaisEpoch *epoch; /* owned; NULL until the header is complete */
  RelaisUnitBuilder unit_builder;
  RelaisTrackLinker track_linker;
  gint64 arrived;  /* when the newest chunk was pushed, in µs */
  GError *failure; /* owned: the first error; nothing goes in any more */
};

/* Takes @error. */
static void
fail (RelaisPipeline *self, GError *error)
{
  if (self->failure == NULL)
    self->failure = error;
  else
    g_error_free (error);
}

/* Units */

/* Makes a unit of the blocks so far. */
static void
finish_unit (RelaisPipeline *self)
{
  RelaisUnit *unit = relais_unit_builder_finish (&self->unit_builder, self->epoch, self->arrived);

  if (unit != NULL)
    self->handlers.unit (unit, self->user_data);
}

/* The muxer's caps hold the header that it wrote, in one or more buffers. */
static GBytes *
read_streamheader (GstCaps *caps)
{
  const GValue *headers
      = gst_structure_get_value (gst_caps_get_structure (caps, 0), "streamheader");
  GByteArray *bytes;

  if (headers == NULL)
    return NULL;
  bytes = g_byte_array_new ();
  for (guint i = 0; i < gst_value_array_get_size (headers); i++)
    {
      GstBuffer *buffer = gst_value_get_buffer (gst_value_array_get_value (headers, i));
      GstMapInfo map;

      if (gst_buffer_map (buffer, &map, GST_MAP_READ))
        {
          g_byte_array_append (bytes, map.data, (guint) map.size);
          gst_buffer_unmap (buffer, &map);
        }
    }
  return g_byte_array_free_to_bytes (bytes);
}

static gboolean
open_epoch (RelaisPipeline *self, GstCaps *caps)
{
  const char *media_type = gst_structure_get_name (gst_caps_get_structure (caps, 0));
  g_autoptr (GBytes) init = read_streamheader (caps);
  g_autoptr (GArray) tracks = NULL;
  g_autofree char *mime = NULL;

  if (init == NULL)
    return FALSE;
  tracks = relais_track_linker_list_tracks (&self->track_linker);
  mime = relais_track_info_make_mime (tracks, g_str_has_suffix (media_type, "/webm"));
  self->epoch = self->handlers.open_epoch (mime, tracks, init, self->user_data);
  return TRUE;
}

/* Chain function of the last pad. */
static GstFlowReturn
take_block (GstPad *pad, GstObject *parent, GstBuffer *buffer)
{
  RelaisPipeline *self = gst_pad_get_element_private (pad);
  gboolean is_sync_point;

  if (GST_BUFFER_FLAG_IS_SET (buffer, GST_BUFFER_FLAG_HEADER))
    {
      finish_unit (self);
      g_clear_pointer (&self->epoch, relais_epoch_unref);
      gst_buffer_unref (buffer);
      return GST_FLOW_OK;
    }
  if (self->epoch == NULL)
    {
      g_autoptr (GstCaps) caps = gst_pad_get_current_caps (pad);

      if (caps == NULL || !open_epoch (self, caps))
        {
          gst_buffer_unref (buffer);
          fail (self, g_error_new (RELAIS_ERROR, RELAIS_ERROR_INTERNAL,
                                   "the muxer sent media without a header"));
          return GST_FLOW_ERROR;
        }
    }

  is_sync_point = !GST_BUFFER_FLAG_IS_SET (buffer, GST_BUFFER_FLAG_DELTA_UNIT);
  if (is_sync_point)
    finish_unit (self);
  relais_unit_builder_add (&self->unit_builder, buffer, is_sync_point);
  return GST_FLOW_OK;
}

/* Event function of the last pad. The pad itself keeps the caps. */
static gboolean
take_event (GstPad *pad, GstObject *parent, GstEvent *event)
{
  if (GST_EVENT_TYPE (event) == GST_EVENT_EOS)
    finish_unit (gst_pad_get_element_private (pad));
  gst_event_unref (event);
  return TRUE;
}

/* The chunk that went in has come out to its end: that is one unit. */
static void
end_unit (RelaisPipeline *self)
{
  g_autoptr (GstPad) pad = relais_track_linker_get_main_pad (&self->track_linker);

  if (pad == NULL)
    return;
  gst_pad_send_event (pad, gst_event_ref (self->unit_end));
  finish_unit (self);
}

/* Building */

static void
take_pad (GstElement *demux, GstPad *pad, gpointer user_data)
{
  RelaisPipeline *self = user_data;

  relais_track_linker_take_pad (&self->track_linker, pad);
}

static void
take_failure (GError *error, gpointer user_data)
{
  fail (user_data, error);
}

static GError *
translate_error (const GError *error, const char *debug)
{
  g_autofree char *message = g_strdup (error->message);

  if (g_error_matches (error, GST_STREAM_ERROR, GST_STREAM_ERROR_FORMAT)
      || g_error_matches (error, GST_STREAM_ERROR, GST_STREAM_ERROR_CODEC_NOT_FOUND))
    return g_error_new (RELAIS_ERROR, RELAIS_ERROR_UNSUPPORTED_CODEC, "%s", message);
  if (error->domain == GST_STREAM_ERROR)
    return g_error_new (RELAIS_ERROR, RELAIS_ERROR_CORRUPT, "the recording cannot be read: %s%s%s",
                        message, debug != NULL ? " " : "", debug != NULL ? debug : "");
  return g_error_new (RELAIS_ERROR, RELAIS_ERROR_INTERNAL, "%s%s%s", message,
                      debug != NULL ? " " : "", debug != NULL ? debug : "");
}

/* Nobody reads the bus: errors are taken where they are posted, everything else is let go. */
static GstBusSyncReply
take_message (GstBus *bus, GstMessage *message, gpointer user_data)
{
  RelaisPipeline *self = user_data;

  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR)
    {
      g_autoptr (GError) error = NULL;
      g_autofree char *debug = NULL;

      gst_message_parse_error (message, &error, &debug);
      fail (self, translate_error (error, NULL));
      relais_log_debug (self->stream_id, "%s: %s (%s)", GST_MESSAGE_SRC_NAME (message),
                        error->message, debug != NULL ? debug : "");
    }
  gst_message_unref (message);
  return GST_BUS_DROP;
}

static GstElement *
add_element (RelaisPipeline *self, const char *factory, GError **error)
{
  GstElement *element = gst_element_factory_make (factory, NULL);

  if (element == NULL)
    g_set_error (error, RELAIS_ERROR, RELAIS_ERROR_INTERNAL, "GStreamer has no element “%s”",
                 factory);
  else
    gst_bin_add (GST_BIN (self->pipeline), element);
  return element;
}

/* A pad without a template takes only the caps that it has: no second epoch. */
static GstStaticPadTemplate sink_template
    = GST_STATIC_PAD_TEMPLATE ("ring", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);

static gboolean
link_sink_pad (RelaisPipeline *self)
{
  g_autoptr (GstPad) mux_pad = gst_element_get_static_pad (self->mux, "src");

  self->sink_pad = gst_object_ref_sink (gst_pad_new_from_static_template (&sink_template, "ring"));
  gst_pad_set_element_private (self->sink_pad, self);
  gst_pad_set_chain_function (self->sink_pad, take_block);
  gst_pad_set_event_function (self->sink_pad, take_event);
  gst_pad_set_active (self->sink_pad, TRUE);
  return gst_pad_link (mux_pad, self->sink_pad) == GST_PAD_LINK_OK;
}

/* What a source element would have done. */
static gboolean
link_src_pad (RelaisPipeline *self, GstElement *demux)
{
  g_autoptr (GstPad) demux_pad = gst_element_get_static_pad (demux, "sink");
  GstSegment segment;

  gst_segment_init (&segment, GST_FORMAT_BYTES);
  self->src_pad = gst_object_ref_sink (gst_pad_new ("chunks", GST_PAD_SRC));
  return gst_pad_set_active (self->src_pad, TRUE)
         && gst_pad_link (self->src_pad, demux_pad) == GST_PAD_LINK_OK
         && gst_pad_push_event (self->src_pad, gst_event_new_stream_start (self->stream_id))
         && gst_pad_push_event (self->src_pad, gst_event_new_segment (&segment));
}

static gboolean
build (RelaisPipeline *self,
       const RelaisConfig *config,
       const RelaisPipelineEnd *before,
       GError **error)
{
  g_autoptr (GstBus) bus = NULL;
  GstElement *demux;

  self->pipeline = gst_object_ref_sink (gst_pipeline_new (NULL));
  bus = gst_pipeline_get_bus (GST_PIPELINE (self->pipeline));
  gst_bus_set_sync_handler (bus, take_message, self, NULL);

  if ((demux = add_element (self, "matroskademux", error)) == NULL
      || (self->mux = add_element (self, "livematroskamux", error)) == NULL)
    return FALSE;
  self->track_linker = (RelaisTrackLinker){
    .stream_id = self->stream_id,
    .bin = GST_BIN (self->pipeline),
    .mux = self->mux,
    .fail = take_failure,
    .user_data = self,
  };

  g_object_set (demux, "max-gap-time", (guint64) 0, NULL);
  g_object_set (self->mux, "hold-units", TRUE, "timestamp-offset", before->time, "sound-due",
                before->sound_due, "quiet-time", (guint64) config->quiet_track_ms * GST_MSECOND,
                "leave-time", (guint64) config->quiet_track_drop_ms * GST_MSECOND, NULL);
  g_signal_connect (demux, "pad-added", G_CALLBACK (take_pad), self);

  if (!link_sink_pad (self)
      || gst_element_set_state (self->pipeline, GST_STATE_PLAYING) == GST_STATE_CHANGE_FAILURE
      || !link_src_pad (self, demux))
    {
      g_set_error (error, RELAIS_ERROR, RELAIS_ERROR_INTERNAL, "the pipeline does not start");
      return FALSE;
    }
  return TRUE;
}

/**
 * relais_pipeline_new:
 * @stream_id: for the log
 * @config: what to do about quiet tracks
 * @before: where the recording before it ended, and this one begins
 * @handlers: what it calls
 * @user_data: passed to them; must outlive the pipeline
 * @error: RELAIS_ERROR_INTERNAL where GStreamer lacks an element
 *
 * Returns: (transfer full): a playing pipeline
 */
RelaisPipeline *
relais_pipeline_new (const char *stream_id,
                     const RelaisConfig *config,
                     const RelaisPipelineEnd *before,
                     const RelaisPipelineHandlers *handlers,
                     gpointer user_data,
                     GError **error)
{
  g_autoptr (RelaisPipeline) self = g_new0 (RelaisPipeline, 1);

  self->stream_id = g_strdup (stream_id);
  self->handlers = *handlers;
  self->user_data = user_data;
  self->unit_end = gst_event_new_custom (GST_EVENT_CUSTOM_DOWNSTREAM,
                                         gst_structure_new_empty (RELAIS_UNIT_END_EVENT));
  relais_unit_builder_init (&self->unit_builder);
  if (!build (self, config, before, error))
    return NULL;
  return g_steal_pointer (&self);
}

/**
 * relais_pipeline_free:
 * @self: a pipeline
 *
 * Stops it at once. What relais_pipeline_finish() has not brought out is lost.
 */
void
relais_pipeline_free (RelaisPipeline *self)
{
  if (self->src_pad != NULL)
    gst_pad_set_active (self->src_pad, FALSE);
  gst_element_set_state (self->pipeline, GST_STATE_NULL);
  gst_clear_object (&self->src_pad);
  gst_object_unref (self->pipeline);
  if (self->sink_pad != NULL)
    gst_pad_set_active (self->sink_pad, FALSE);
  gst_clear_object (&self->sink_pad);
  gst_event_unref (self->unit_end);
  g_clear_pointer (&self->epoch, relais_epoch_unref);
  relais_unit_builder_clear (&self->unit_builder);
  g_clear_error (&self->failure);
  g_free (self->stream_id);
  g_free (self);
}

static gboolean
tell_failure (RelaisPipeline *self, GError **error)
{
  if (self->failure != NULL && error != NULL)
    *error = g_error_copy (self->failure);
  return self->failure == NULL;
}

/**
 * relais_pipeline_push:
 * @self: a pipeline
 * @bytes: a part of a recording; a reference is taken, nothing is copied
 * @ends_unit: whether what comes out of it and of the parts before it is a unit; of a chunk that is
 * pushed in pieces only the last one's end is
 * @error: why the recording cannot go on: RELAIS_ERROR_CORRUPT, RELAIS_ERROR_UNSUPPORTED_CODEC or
 * RELAIS_ERROR_INTERNAL
 *
 * When it returns, everything that could come out has been handed to the handlers.
 *
 * Returns: whether more may be pushed
 */
gboolean
relais_pipeline_push (RelaisPipeline *self, GBytes *bytes, gboolean ends_unit, GError **error)
{
  GstFlowReturn ret;

  self->arrived = g_get_monotonic_time ();
  ret = gst_pad_push (self->src_pad, gst_buffer_new_wrapped_bytes (bytes));
  /* Whoever stopped the flow has mostly said why. */
  if (ret < GST_FLOW_EOS && self->failure == NULL)
    fail (self, g_error_new (RELAIS_ERROR, RELAIS_ERROR_CORRUPT, "the recording cannot be read: %s",
                             gst_flow_get_name (ret)));
  if (ends_unit && self->failure == NULL)
    end_unit (self);
  return tell_failure (self, error);
}

/**
 * relais_pipeline_finish:
 * @self: a pipeline
 * @error: as for relais_pipeline_push(), and RELAIS_ERROR_NO_HEADER where nothing ever came out
 *
 * Nothing more will be pushed: what was pushed comes out to its last block.
 *
 * Returns: whether it all did
 */
gboolean
relais_pipeline_finish (RelaisPipeline *self, GError **error)
{
  gst_pad_push_event (self->src_pad, gst_event_new_eos ());
  if (self->epoch == NULL)
    fail (self, g_error_new (RELAIS_ERROR, RELAIS_ERROR_NO_HEADER,
                             "the recording ended before its first frame"));
  return tell_failure (self, error);
}

/**
 * relais_pipeline_get_end:
 * @self: a pipeline
 * @end: (out): where the next recording goes on
 */
void
relais_pipeline_get_end (RelaisPipeline *self, RelaisPipelineEnd *end)
{
  g_object_get (self->mux, "end-time", &end->time, "next-sound-due", &end->sound_due, NULL);
}

/**
 * relais_pipeline_get_counters:
 * @self: a pipeline
 * @counters: (out) (array length=max_tracks): the counters of the first tracks
 * @max_tracks: room in @counters
 *
 * Returns: how many were written
 */
guint
relais_pipeline_get_counters (RelaisPipeline *self, RelaisTrackCounters *counters, guint max_tracks)
{
  g_autoptr (GstStructure) stats = NULL;
  const GValue *list;
  guint n;

  g_object_get (self->mux, "stats", &stats, NULL);
  list = gst_structure_get_value (stats, "tracks");
  n = MIN (gst_value_array_get_size (list), max_tracks);
  for (guint i = 0; i < n; i++)
    {
      const GstStructure *track = gst_value_get_structure (gst_value_array_get_value (list, i));

      counters[i].is_video = g_str_has_prefix (gst_structure_get_string (track, "pad"), "video");
      gst_structure_get (track, "left", G_TYPE_BOOLEAN, &counters[i].has_left, "frames",
                         G_TYPE_UINT64, &counters[i].n_frames, "sync-points", G_TYPE_UINT64,
                         &counters[i].n_sync_points, "fillers", G_TYPE_UINT64,
                         &counters[i].n_fillers, "dropped", G_TYPE_UINT64, &counters[i].n_dropped,
                         "lifted", G_TYPE_UINT64, &counters[i].n_lifted, NULL);
    }
  return n;
}
