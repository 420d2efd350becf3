/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A GstHarness on each pad of livematroskamux. The element runs no thread: what a push makes it
 * write is there when the push returns. */

#include "relais-test-mux.h"

#include "relais-live-matroska-mux.h"

/**
 * relais_test_mux_make_opus_caps:
 * @pre_skip: samples of 48 kHz
 *
 * Returns: (transfer full): caps of a mono Opus track with an OpusHead (RFC 7845 section 5.1)
 */
char *
relais_test_mux_make_opus_caps (guint pre_skip)
{
  return g_strdup_printf ("audio/x-opus, channel-mapping-family=0, channels=1, rate=48000, "
                          "streamheader=(buffer)<4f707573486561640101%02x%02x80bb0000000000>",
                          pre_skip & 0xff, pre_skip >> 8);
}

/**
 * relais_test_mux_new:
 * @video_caps: (nullable): of the video pad
 * @audio_caps: (nullable): of the audio pad
 * @first_property: (nullable): name of a property to set before the element starts, then its value
 * and so on
 *
 * Returns: (transfer full): a playing element
 */
RelaisTestMux *
relais_test_mux_new (const char *video_caps,
                     const char *audio_caps,
                     const char *first_property,
                     ...)
{
  RelaisTestMux *self = g_new0 (RelaisTestMux, 1);
  va_list properties;

  self->mux = gst_element_factory_make ("livematroskamux", NULL);
  g_assert_nonnull (self->mux);
  gst_object_ref_sink (self->mux);
  va_start (properties, first_property);
  g_object_set_valist (G_OBJECT (self->mux), first_property, properties);
  va_end (properties);

  self->media = relais_test_media_new ();
  if (video_caps != NULL)
    {
      self->video = gst_harness_new_with_element (self->mux, "video_%u", "src");
      self->output = self->video;
    }
  if (audio_caps != NULL)
    {
      self->audio = gst_harness_new_with_element (self->mux, "audio_%u",
                                                  self->output == NULL ? "src" : NULL);
      if (self->output == NULL)
        self->output = self->audio;
    }
  if (video_caps != NULL)
    gst_harness_set_src_caps_str (self->video, video_caps);
  if (audio_caps != NULL)
    gst_harness_set_src_caps_str (self->audio, audio_caps);
  return self;
}

void
relais_test_mux_free (RelaisTestMux *self)
{
  g_clear_pointer (&self->audio, gst_harness_teardown);
  g_clear_pointer (&self->video, gst_harness_teardown);
  gst_element_set_state (self->mux, GST_STATE_NULL);
  gst_object_unref (self->mux);
  relais_test_media_free (self->media);
  g_free (self);
}

/**
 * relais_test_mux_push:
 * @pad: the harness of a pad
 * @time_us: the frame's time in µs
 * @frame: (transfer none): its bytes
 * @flagged_key: whether the buffer claims to be a keyframe
 *
 * Returns: what the pad returned
 */
GstFlowReturn
relais_test_mux_push (GstHarness *pad, guint64 time_us, GBytes *frame, gboolean flagged_key)
{
  GstBuffer *buffer
      = g_bytes_get_size (frame) > 0 ? gst_buffer_new_wrapped_bytes (frame) : gst_buffer_new ();

  GST_BUFFER_PTS (buffer) = time_us * GST_USECOND;
  if (!flagged_key)
    GST_BUFFER_FLAG_SET (buffer, GST_BUFFER_FLAG_DELTA_UNIT);
  return gst_harness_push (pad, buffer);
}

/**
 * relais_test_mux_end_unit:
 * @pad: the harness of a pad
 *
 * Returns: whether the element took the event that ends a unit
 */
gboolean
relais_test_mux_end_unit (GstHarness *pad)
{
  return gst_harness_push_event (pad, gst_event_new_custom (GST_EVENT_CUSTOM_DOWNSTREAM,
                                                            gst_structure_new_empty (
                                                                RELAIS_UNIT_END_EVENT)));
}

/**
 * relais_test_mux_pull:
 * @self: a mux
 *
 * Returns: (transfer full) (nullable): the next buffer that was pushed, which is parsed into
 * `media` too; %NULL = there is none
 */
GstBuffer *
relais_test_mux_pull (RelaisTestMux *self)
{
  GstBuffer *buffer = gst_harness_try_pull (self->output);
  GstMapInfo map;

  if (buffer == NULL)
    return NULL;
  g_assert_true (gst_buffer_map (buffer, &map, GST_MAP_READ));
  relais_test_media_append (self->media, map.data, map.size);
  gst_buffer_unmap (buffer, &map);
  return buffer;
}

/**
 * relais_test_mux_pull_all:
 * @self: a mux
 *
 * Returns: how many buffers there were
 */
guint
relais_test_mux_pull_all (RelaisTestMux *self)
{
  GstBuffer *buffer;
  guint n = 0;

  while ((buffer = relais_test_mux_pull (self)) != NULL)
    {
      gst_buffer_unref (buffer);
      n++;
    }
  return n;
}

/**
 * relais_test_mux_get_end_time:
 * @self: a mux
 *
 * Returns: where another one may go on, in ns
 */
guint64
relais_test_mux_get_end_time (RelaisTestMux *self)
{
  guint64 end;

  g_object_get (self->mux, "end-time", &end, NULL);
  return end;
}

/**
 * relais_test_mux_get_stat:
 * @self: a mux
 * @pad: name of a pad
 * @name: of a counter
 *
 * Returns: the counter's value in the "stats" property
 */
guint64
relais_test_mux_get_stat (RelaisTestMux *self, const char *pad, const char *name)
{
  g_autoptr (GstStructure) stats = NULL;
  const GValue *tracks;

  g_object_get (self->mux, "stats", &stats, NULL);
  tracks = gst_structure_get_value (stats, "tracks");
  for (guint i = 0; i < gst_value_array_get_size (tracks); i++)
    {
      const GstStructure *track = gst_value_get_structure (gst_value_array_get_value (tracks, i));
      guint64 value;

      if (g_strcmp0 (gst_structure_get_string (track, "pad"), pad) != 0)
        continue;
      g_assert_true (gst_structure_get_uint64 (track, name, &value));
      return value;
    }
  g_error ("no track %s in the statistics", pad);
}
