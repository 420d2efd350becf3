/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* One recording's way through GStreamer:
 *
 *   appsrc ! matroskademux ! [h264parse !] livematroskamux ! tee ! a pad of our own
 *
 * Everything behind appsrc runs on appsrc's streaming thread: a chunk goes in, its blocks come out
 * within the same call chain. When appsrc goes on to the next chunk, or has no more (`need-data`),
 * the blocks so far are one unit. A sync point opens a unit of its own.
 *
 * The end is a bare pad and not an appsink, which queues every block, wakes whoever might wait for
 * it with a system call, and makes a sample of it, only to be emptied by the same thread at once.
 *
 * Owner: the stream, on the main context. The handlers' open_epoch() and unit() run on the
 * streaming thread, done() on the main context. relais_pipeline_free() stops the streaming thread
 * before it returns, so no handler runs after it.
 *
 * appsrc's queue has no limit of its own: the publisher watches relais_pipeline_get_queued_bytes().
 */

#include "config.h"

#include "stream/relais-pipeline.h"

#include <gst/app/app.h>

#include "base/relais-error.h"
#include "base/relais-log.h"
#include "relais-live-matroska-mux.h"
#include "stream/relais-track-info.h"
#include "stream/relais-track-linker.h"
#include "stream/relais-unit-builder.h"

/* A pipeline whose end does not come out within this time is given up, with what it holds. */
#define DRAIN_TIMEOUT_MS 5000

struct _RelaisPipeline
{
  char *stream_id;
  RelaisPipelineHandlers handlers;
  gpointer user_data;

  GstElement *pipeline; /* owned */
  GstElement *src;      /* owned by the pipeline, as the two below */
  GstElement *mux;
  GstElement *tee;
  GstPad *sink_pad;   /* owned: where blocks come out */
  GstEvent *unit_end; /* owned: sent again and again */

  /* Only the streaming thread uses these. */
  RelaisEpoch *epoch; /* owned; NULL until the header is complete */
  RelaisUnitBuilder unit_builder;
  RelaisTrackLinker track_linker;
  gboolean has_chunk; /* one went in whose unit was not ended yet */

  /* When the newest chunk was pushed, in µs: written by the main thread, read by the streaming
   * thread. */
  gint64 arrived; /* atomic by __atomic builtins */

  GMutex lock;           /* protects `failure`, `is_done` and `done_source` */
  GError *failure;       /* owned: the first error of any thread */
  gboolean is_done;      /* the end or an error came out; done() is on its way or was called */
  GSource *done_source;  /* owned: calls done() on the main context */
  GSource *drain_source; /* owned, main context: the drain timeout */
};

/* The end */

static gboolean
call_done (gpointer data)
{
  RelaisPipeline *self = data;
  g_autoptr (GError) failure = NULL;

  if (self->drain_source != NULL)
    g_source_destroy (self->drain_source);
  g_clear_pointer (&self->drain_source, g_source_unref);
  g_mutex_lock (&self->lock);
  failure = self->failure != NULL ? g_error_copy (self->failure) : NULL;
  g_mutex_unlock (&self->lock);
  self->handlers.done (self, failure, self->user_data);
  return G_SOURCE_REMOVE;
}

/* From any thread. Takes @error; %NULL = everything came out. */
static void
end_with (RelaisPipeline *self, GError *error)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  if (self->is_done)
    {
      g_clear_error (&error);
      return;
    }
  self->is_done = TRUE;
  self->failure = error;
  self->done_source = g_idle_source_new ();
  g_source_set_priority (self->done_source, G_PRIORITY_DEFAULT);
  g_source_set_static_name (self->done_source, "relais-pipeline-done");
  g_source_set_callback (self->done_source, call_done, self, NULL);
  g_source_attach (self->done_source, NULL);
}

/* Units */

/* Makes a unit of the blocks so far. */
static void
finish_unit (RelaisPipeline *self)
{
  gint64 arrived = __atomic_load_n (&self->arrived, __ATOMIC_RELAXED);
  RelaisUnit *unit = relais_unit_builder_finish (&self->unit_builder, self->epoch, arrived);

  if (unit != NULL)
    self->handlers.unit (self, unit, self->user_data);
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
  self->epoch = self->handlers.open_epoch (self, mime, tracks, init, self->user_data);
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
          end_with (self, g_error_new (RELAIS_ERROR, RELAIS_ERROR_INTERNAL,
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

static void
take_end (RelaisPipeline *self)
{
  finish_unit (self);
  end_with (self, self->epoch != NULL ? NULL
                                      : g_error_new (RELAIS_ERROR, RELAIS_ERROR_NO_HEADER,
                                                     "the recording ended before its first frame"));
}

/* Event function of the last pad. The pad itself keeps the caps. */
static gboolean
take_event (GstPad *pad, GstObject *parent, GstEvent *event)
{
  if (GST_EVENT_TYPE (event) == GST_EVENT_EOS)
    take_end (gst_pad_get_element_private (pad));
  gst_event_unref (event);
  return TRUE;
}

/* The chunk that went in last has come out to its end: that is one unit. */
static void
end_unit (RelaisPipeline *self)
{
  g_autoptr (GstPad) pad = NULL;

  if (!self->has_chunk)
    return;
  self->has_chunk = FALSE;
  pad = relais_track_linker_get_main_pad (&self->track_linker);
  if (pad == NULL)
    return;
  gst_pad_send_event (pad, gst_event_ref (self->unit_end));
  finish_unit (self);
}

/* appsrc is about to hand out the next chunk. */
static GstPadProbeReturn
take_next_chunk (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  RelaisPipeline *self = user_data;

  end_unit (self);
  self->has_chunk = TRUE;
  return GST_PAD_PROBE_OK;
}

/* appsrc has handed out everything it had. */
static void
take_drained (GstAppSrc *src, guint length, gpointer user_data)
{
  RelaisPipeline *self = user_data;

  end_unit (self);
  self->handlers.drained (self, self->user_data);
}

/* Building */

/* On the streaming thread. */
static void
take_pad (GstElement *demux, GstPad *pad, gpointer user_data)
{
  RelaisPipeline *self = user_data;

  relais_track_linker_take_pad (&self->track_linker, pad);
}

static void
take_failure (GError *error, gpointer user_data)
{
  end_with (user_data, error);
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
      end_with (self, translate_error (error, NULL));
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
  g_autoptr (GstPad) tee_pad = gst_element_request_pad_simple (self->tee, "src_%u");

  self->sink_pad = gst_object_ref_sink (gst_pad_new_from_static_template (&sink_template, "ring"));
  gst_pad_set_element_private (self->sink_pad, self);
  gst_pad_set_chain_function (self->sink_pad, take_block);
  gst_pad_set_event_function (self->sink_pad, take_event);
  gst_pad_set_active (self->sink_pad, TRUE);
  return gst_pad_link (tee_pad, self->sink_pad) == GST_PAD_LINK_OK;
}

static gboolean
build (RelaisPipeline *self,
       const RelaisConfig *config,
       const RelaisPipelineEnd *before,
       GError **error)
{
  GstAppSrcCallbacks src_callbacks = { .need_data = take_drained };
  g_autoptr (GstBus) bus = NULL;
  g_autoptr (GstPad) src_pad = NULL;
  GstElement *demux;

  self->pipeline = gst_object_ref_sink (gst_pipeline_new (NULL));
  bus = gst_pipeline_get_bus (GST_PIPELINE (self->pipeline));
  gst_bus_set_sync_handler (bus, take_message, self, NULL);

  if ((self->src = add_element (self, "appsrc", error)) == NULL
      || (demux = add_element (self, "matroskademux", error)) == NULL
      || (self->mux = add_element (self, "livematroskamux", error)) == NULL
      || (self->tee = add_element (self, "tee", error)) == NULL)
    return FALSE;
  self->track_linker = (RelaisTrackLinker){
    .stream_id = self->stream_id,
    .bin = GST_BIN (self->pipeline),
    .mux = self->mux,
    .fail = take_failure,
    .user_data = self,
  };

  /* max-bytes 0: the publisher's limit is relais_pipeline_get_queued_bytes(). */
  g_object_set (self->src, "format", GST_FORMAT_BYTES, "stream-type", 0, "max-bytes", (guint64) 0,
                "block", FALSE, NULL);
  g_object_set (demux, "max-gap-time", (guint64) 0, NULL);
  g_object_set (self->mux, "hold-units", TRUE, "timestamp-offset", before->time, "sound-due",
                before->sound_due, "quiet-time", (guint64) config->quiet_track_ms * GST_MSECOND,
                "leave-time", (guint64) config->quiet_track_drop_ms * GST_MSECOND, NULL);
  gst_app_src_set_callbacks (GST_APP_SRC (self->src), &src_callbacks, self, NULL);
  src_pad = gst_element_get_static_pad (self->src, "src");
  gst_pad_add_probe (src_pad, GST_PAD_PROBE_TYPE_BUFFER, take_next_chunk, self, NULL);
  g_signal_connect (demux, "pad-added", G_CALLBACK (take_pad), self);

  if (!gst_element_link (self->src, demux) || !gst_element_link (self->mux, self->tee)
      || !link_sink_pad (self)
      || gst_element_set_state (self->pipeline, GST_STATE_PLAYING) == GST_STATE_CHANGE_FAILURE)
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
  g_mutex_init (&self->lock);
  if (!build (self, config, before, error))
    return NULL;
  return g_steal_pointer (&self);
}

static void
destroy_source (GSource **source)
{
  if (*source != NULL)
    g_source_destroy (*source);
  g_clear_pointer (source, g_source_unref);
}

/**
 * relais_pipeline_free:
 * @self: a pipeline
 *
 * Stops it at once. What was not drained before is lost. On the main context.
 */
void
relais_pipeline_free (RelaisPipeline *self)
{
  gst_element_set_state (self->pipeline, GST_STATE_NULL);
  gst_object_unref (self->pipeline);
  if (self->sink_pad != NULL)
    gst_pad_set_active (self->sink_pad, FALSE);
  gst_clear_object (&self->sink_pad);
  gst_event_unref (self->unit_end);
  destroy_source (&self->done_source);
  destroy_source (&self->drain_source);
  g_clear_pointer (&self->epoch, relais_epoch_unref);
  relais_unit_builder_clear (&self->unit_builder);
  g_clear_error (&self->failure);
  g_mutex_clear (&self->lock);
  g_free (self->stream_id);
  g_free (self);
}

/**
 * relais_pipeline_push:
 * @self: a pipeline
 * @bytes: a part of a recording; a reference is taken, nothing is copied
 */
void
relais_pipeline_push (RelaisPipeline *self, GBytes *bytes)
{
  __atomic_store_n (&self->arrived, g_get_monotonic_time (), __ATOMIC_RELAXED);
  gst_app_src_push_buffer (GST_APP_SRC (self->src), gst_buffer_new_wrapped_bytes (bytes));
}

static gboolean
give_up_draining (gpointer data)
{
  RelaisPipeline *self = data;

  g_clear_pointer (&self->drain_source, g_source_unref);
  end_with (self, g_error_new (RELAIS_ERROR, RELAIS_ERROR_INTERNAL,
                               "the pipeline did not end within %d ms", DRAIN_TIMEOUT_MS));
  return G_SOURCE_REMOVE;
}

/**
 * relais_pipeline_finish:
 * @self: a pipeline
 *
 * Nothing more will be pushed. What was pushed comes out to its last block, then done() is called.
 */
void
relais_pipeline_finish (RelaisPipeline *self)
{
  gst_app_src_end_of_stream (GST_APP_SRC (self->src));
  if (self->drain_source != NULL)
    return;
  self->drain_source = g_timeout_source_new (DRAIN_TIMEOUT_MS);
  g_source_set_static_name (self->drain_source, "relais-pipeline-drain");
  g_source_set_callback (self->drain_source, give_up_draining, self, NULL);
  g_source_attach (self->drain_source, NULL);
}

/**
 * relais_pipeline_get_queued_bytes:
 * @self: a pipeline
 *
 * Returns: bytes that were pushed and are not yet taken by the streaming thread
 */
guint64
relais_pipeline_get_queued_bytes (RelaisPipeline *self)
{
  return gst_app_src_get_current_level_bytes (GST_APP_SRC (self->src));
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
