/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What leaves livematroskamux, and when: the header, one buffer a block, arrival order, true sync
 * points. */

#include "relais-collect-pads.h"
#include "relais-test-capture.h"
#include "relais-test-gst.h"
#include "relais-test-mux.h"

#define CAPTURE "chrome-vp8-opus.webm"

/* Of CAPTURE: frames at which decoding can start. */
#define FIRST_KEY  0
#define SECOND_KEY 101

static GPtrArray *vp8;  /* the frames of CAPTURE */
static GPtrArray *opus; /* its packets */

static GBytes *
video_frame (guint index)
{
  return g_ptr_array_index (vp8, index);
}

static GBytes *
audio_packet (guint index)
{
  return g_ptr_array_index (opus, index);
}

static RelaisTestMux *
new_mux (gboolean with_video, gboolean with_audio)
{
  g_autofree char *opus_caps = relais_test_mux_make_opus_caps (0);

  return relais_test_mux_new (with_video ? RELAIS_TEST_VP8_CAPS : NULL,
                              with_audio ? opus_caps : NULL, NULL);
}

static void
push_video (RelaisTestMux *mux, guint64 time_ms, guint frame)
{
  g_assert_cmpint (relais_test_mux_push (mux->video, time_ms * 1000, video_frame (frame),
                                         frame == FIRST_KEY || frame == SECOND_KEY),
                   ==, GST_FLOW_OK);
}

static void
push_audio (RelaisTestMux *mux, guint64 time_ms, guint packet)
{
  g_assert_cmpint (relais_test_mux_push (mux->audio, time_ms * 1000, audio_packet (packet), TRUE),
                   ==, GST_FLOW_OK);
}

/* Pulls the one buffer of one block. Returns: whether it is marked as a sync point */
static gboolean
pull_block (RelaisTestMux *mux)
{
  guint n_blocks = mux->media->blocks->len;
  g_autoptr (GstBuffer) buffer = relais_test_mux_pull (mux);

  g_assert_nonnull (buffer);
  g_assert_false (GST_BUFFER_FLAG_IS_SET (buffer, GST_BUFFER_FLAG_HEADER));
  g_assert_cmpuint (mux->media->blocks->len, ==, n_blocks + 1);
  g_assert_cmpuint (gst_harness_buffers_in_queue (mux->output), ==, 0);
  return !GST_BUFFER_FLAG_IS_SET (buffer, GST_BUFFER_FLAG_DELTA_UNIT);
}

static const RelaisTestBlock *
last_block (RelaisTestMux *mux)
{
  return relais_test_media_get_block (mux->media, mux->media->blocks->len - 1);
}

/* Pulls the header, up to the buffer of the first block. Returns: its bytes */
static GByteArray *
pull_header (RelaisTestMux *mux)
{
  GByteArray *header = g_byte_array_new ();

  while (gst_harness_buffers_in_queue (mux->output) > 1)
    {
      g_autoptr (GstBuffer) buffer = relais_test_mux_pull (mux);
      GstMapInfo map;

      g_assert_true (GST_BUFFER_FLAG_IS_SET (buffer, GST_BUFFER_FLAG_HEADER));
      g_assert_true (gst_buffer_map (buffer, &map, GST_MAP_READ));
      g_byte_array_append (header, map.data, (guint) map.size);
      gst_buffer_unmap (buffer, &map);
    }
  g_assert_cmpuint (mux->media->n_headers, ==, 1);
  g_assert_cmpuint (mux->media->blocks->len, ==, 0);
  return header;
}

static void
skip_header (RelaisTestMux *mux)
{
  g_byte_array_unref (pull_header (mux));
}

/* The one assumption about somebody else's element: a muxer that is not as it was stops here first.
 */
static void
test_stock_muxer (void)
{
  static const char *factories[] = { "matroskamux", "webmmux" };
  g_autoptr (GstElement) other = gst_object_ref_sink (gst_element_factory_make ("identity", NULL));
  g_autoptr (GstPad) other_pad = gst_element_get_static_pad (other, "sink");

  for (guint i = 0; i < G_N_ELEMENTS (factories); i++)
    {
      g_autoptr (GstElement) mux
          = gst_object_ref_sink (gst_element_factory_make (factories[i], NULL));
      g_autoptr (GstPad) video = gst_element_request_pad_simple (mux, "video_%u");
      g_autoptr (GstPad) audio = gst_element_request_pad_simple (mux, "audio_%u");

      g_assert_true (relais_collect_pads_is_supported (video));
      g_assert_true (relais_collect_pads_is_supported (audio));
      gst_element_release_request_pad (mux, video);
      gst_element_release_request_pad (mux, audio);
    }
  g_assert_false (relais_collect_pads_is_supported (other_pad));
}

static void
check_header (RelaisTestMux *mux, const char *media_type, const char *doc_type)
{
  g_autoptr (GByteArray) header = pull_header (mux);
  g_autoptr (GstCaps) caps = gst_pad_get_current_caps (mux->output->sinkpad);
  const GstStructure *structure = gst_caps_get_structure (caps, 0);
  const GValue *list = gst_structure_get_value (structure, "streamheader");
  g_autoptr (GByteArray) from_caps = g_byte_array_new ();

  g_assert_cmpstr (gst_structure_get_name (structure), ==, media_type);
  g_assert_cmpstr (mux->media->doc_type, ==, doc_type);
  g_assert_nonnull (list);
  for (guint i = 0; i < gst_value_array_get_size (list); i++)
    {
      GstBuffer *buffer = gst_value_get_buffer (gst_value_array_get_value (list, i));
      GstMapInfo map;

      g_assert_true (gst_buffer_map (buffer, &map, GST_MAP_READ));
      g_byte_array_append (from_caps, map.data, (guint) map.size);
      gst_buffer_unmap (buffer, &map);
    }
  g_assert_cmpmem (from_caps->data, from_caps->len, header->data, header->len);
}

static void
test_header (void)
{
  g_autoptr (RelaisTestMux) both = new_mux (TRUE, TRUE);
  g_autoptr (RelaisTestMux) video = new_mux (TRUE, FALSE);
  g_autoptr (RelaisTestMux) audio = new_mux (FALSE, TRUE);

  push_video (both, 0, FIRST_KEY);
  check_header (both, "video/webm", "webm");
  g_assert_cmpuint (both->media->tracks->len, ==, 2);
  g_assert_cmpuint (relais_test_media_get_track (both->media, "V_VP8"), >, 0);
  g_assert_cmpuint (relais_test_media_get_track (both->media, "A_OPUS"), >, 0);

  push_video (video, 0, FIRST_KEY);
  check_header (video, "video/webm", "webm");
  g_assert_cmpuint (video->media->tracks->len, ==, 1);

  push_audio (audio, 0, 0);
  check_header (audio, "audio/webm", "webm");
  g_assert_cmpuint (audio->media->tracks->len, ==, 1);
}

/* WebM may not hold H.264. The muxer inside is changed whichever pad learns its codec first. */
static void
test_h264 (void)
{
  /* an IDR slice and a non-IDR slice behind a length of 4 bytes */
  g_autoptr (GBytes) idr = g_bytes_new_static ("\0\0\0\2\x65\x88", 6);
  g_autoptr (GBytes) inter = g_bytes_new_static ("\0\0\0\2\x41\x9a", 6);
  g_autofree char *opus_caps = relais_test_mux_make_opus_caps (0);

  for (guint audio_first = 0; audio_first < 2; audio_first++)
    {
      g_autoptr (RelaisTestMux) mux = audio_first
                                          ? relais_test_mux_new (NULL, opus_caps, NULL)
                                          : relais_test_mux_new (RELAIS_TEST_H264_CAPS, NULL, NULL);

      if (audio_first)
        {
          mux->video = gst_harness_new_with_element (mux->mux, "video_%u", NULL);
          gst_harness_set_src_caps_str (mux->video, RELAIS_TEST_H264_CAPS);
        }
      else
        {
          mux->audio = gst_harness_new_with_element (mux->mux, "audio_%u", NULL);
          gst_harness_set_src_caps_str (mux->audio, opus_caps);
        }

      g_assert_cmpint (relais_test_mux_push (mux->video, 0, idr, FALSE), ==, GST_FLOW_OK);
      check_header (mux, "video/x-matroska", "matroska");
      g_assert_true (pull_block (mux));
      push_audio (mux, 10, 0);
      g_assert_false (pull_block (mux));
      g_assert_cmpint (relais_test_mux_push (mux->video, 20000, inter, TRUE), ==, GST_FLOW_OK);
      g_assert_false (pull_block (mux));
      g_assert_cmpint (relais_test_mux_push (mux->video, 40000, idr, TRUE), ==, GST_FLOW_OK);
      g_assert_true (pull_block (mux));
      relais_test_media_assert_in_order (mux->media);
    }
}

static GstPadProbeReturn
note_thread (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  GThread **thread = user_data;

  *thread = g_thread_self ();
  return GST_PAD_PROBE_OK;
}

/* Blocks leave within the push that brought them, on its thread, whatever the other track does. */
static void
test_silent_track (gconstpointer data)
{
  gboolean video_speaks = GPOINTER_TO_INT (data);
  g_autofree char *opus_caps = relais_test_mux_make_opus_caps (0);
  g_autoptr (RelaisTestMux) mux
      = relais_test_mux_new (RELAIS_TEST_VP8_CAPS, opus_caps, "quiet-time", (guint64) 0, NULL);
  GThread *thread = NULL;

  gst_pad_add_probe (mux->output->sinkpad, GST_PAD_PROBE_TYPE_BUFFER, note_thread, &thread, NULL);
  for (guint i = 0; i < 100; i++)
    {
      if (video_speaks)
        push_video (mux, 33 * i, i);
      else
        push_audio (mux, 60 * i, i);
      if (i == 0)
        skip_header (mux);
      pull_block (mux);
      g_assert_true (thread == g_thread_self ());
    }
  relais_test_media_assert_in_order (mux->media);

  /* the other one begins to speak in the end */
  if (video_speaks)
    push_audio (mux, 3300, 0);
  else
    push_video (mux, 6000, FIRST_KEY);
  pull_block (mux);
  g_assert_cmpint (last_block (mux)->time, ==, video_speaks ? 3300 : 6000);
}

static void
test_arrival_order (void)
{
  /* v = a video frame 33 ms after the last, a = an audio packet 60 ms after the last */
  static const char order[] = "vavvavavvvaavvvvavvvvvaa";
  g_autoptr (RelaisTestMux) mux = new_mux (TRUE, TRUE);
  guint n_video = 0, n_audio = 0;

  for (const char *at = order; *at != '\0'; at++)
    {
      if (*at == 'v')
        push_video (mux, 33 * n_video, n_video);
      else
        push_audio (mux, 60 * n_audio, n_audio);
      if (at == order)
        skip_header (mux);
      pull_block (mux);
      g_assert_true (g_bytes_equal (last_block (mux)->payload, *at == 'v'
                                                                   ? video_frame (n_video++)
                                                                   : audio_packet (n_audio++)));
      /* sound says how long it is, pictures cannot */
      g_assert_cmpint (last_block (mux)->duration, ==, *at == 'v' ? 0 : 60);
    }
  relais_test_media_assert_in_order (mux->media);
}

/* A flag that lies is set right from the bitstream, for both kinds of lie, and counted. */
static void
test_lying_flags (void)
{
  g_autoptr (RelaisTestMux) mux = new_mux (TRUE, FALSE);
  static const struct
  {
    guint frame;
    gboolean flagged_key;
    gboolean is_sync_point;
  } frames[] = {
    { FIRST_KEY, FALSE, TRUE },  { 1, TRUE, FALSE },   { 2, FALSE, FALSE },
    { SECOND_KEY, FALSE, TRUE }, { 102, TRUE, FALSE }, { SECOND_KEY, TRUE, TRUE },
  };

  for (guint i = 0; i < G_N_ELEMENTS (frames); i++)
    {
      g_assert_cmpint (relais_test_mux_push (mux->video, 33000 * i, video_frame (frames[i].frame),
                                             frames[i].flagged_key),
                       ==, GST_FLOW_OK);
      if (i == 0)
        skip_header (mux);
      g_assert_cmpint (pull_block (mux), ==, frames[i].is_sync_point);
      g_assert_cmpint (last_block (mux)->is_key, ==, frames[i].is_sync_point);
      g_assert_cmpint (last_block (mux)->opens_cluster, ==, frames[i].is_sync_point);
    }
  g_assert_cmpuint (relais_test_mux_get_stat (mux, "video_0", "misflagged"), ==, 4);
  g_assert_cmpuint (relais_test_mux_get_stat (mux, "video_0", "sync-points"), ==, 3);
  g_assert_cmpuint (relais_test_mux_get_stat (mux, "video_0", "frames"), ==, 6);
}

/* The first Cluster is opened by whatever comes first; where that is audio, no viewer may begin
 * there. */
static void
test_audio_opens (void)
{
  g_autoptr (RelaisTestMux) mux = new_mux (TRUE, TRUE);

  push_audio (mux, 0, 0);
  skip_header (mux);
  g_assert_false (pull_block (mux));
  g_assert_true (last_block (mux)->opens_cluster);

  push_video (mux, 10, FIRST_KEY);
  g_assert_true (pull_block (mux));
  g_assert_true (last_block (mux)->opens_cluster);

  push_audio (mux, 60, 1);
  g_assert_false (pull_block (mux));
  push_video (mux, 70, SECOND_KEY);
  g_assert_true (pull_block (mux));
  g_assert_cmpuint (mux->media->n_clusters, ==, 3);
}

static void
test_audio_only (void)
{
  g_autoptr (RelaisTestMux) mux = new_mux (FALSE, TRUE);

  for (guint i = 0; i < 20; i++)
    {
      push_audio (mux, 60 * i, i);
      if (i == 0)
        skip_header (mux);
      /* a Cluster every 400 ms: Firefox does not play Clusters of one block */
      g_assert_cmpint (pull_block (mux), ==, i % 7 == 0);
      g_assert_cmpint (last_block (mux)->opens_cluster, ==, i % 7 == 0);
    }
}

/* Without its keyframe a frame is only an error message in somebody's decoder. */
static void
test_before_first_key (void)
{
  g_autoptr (RelaisTestMux) mux = new_mux (TRUE, TRUE);

  for (guint i = 1; i < 6; i++)
    g_assert_cmpint (relais_test_mux_push (mux->video, 33000 * i, video_frame (i), TRUE), ==,
                     GST_FLOW_OK);
  g_assert_cmpuint (gst_harness_buffers_received (mux->output), ==, 0);

  push_audio (mux, 200, 0);
  skip_header (mux);
  pull_block (mux);
  push_video (mux, 210, 6);
  g_assert_null (relais_test_mux_pull (mux));
  push_video (mux, 240, SECOND_KEY);
  g_assert_true (pull_block (mux));
  push_video (mux, 270, SECOND_KEY + 1);
  g_assert_false (pull_block (mux));

  g_assert_cmpuint (relais_test_mux_get_stat (mux, "video_0", "dropped"), ==, 6);
  g_assert_cmpuint (relais_test_mux_get_stat (mux, "video_0", "frames"), ==, 2);
  g_assert_cmpuint (relais_test_mux_get_stat (mux, "audio_0", "dropped"), ==, 0);
}

/* The whole recording, every flag a lie: what comes out begins with a keyframe in each Cluster, and
 * no payload is changed or lost. */
static void
test_recording (void)
{
  g_autofree char *opus_caps = relais_test_mux_make_opus_caps (0);
  g_autoptr (RelaisTestMux) mux
      = relais_test_mux_new (RELAIS_TEST_VP8_CAPS, opus_caps, "quiet-time", (guint64) 0, NULL);
  guint n_audio = 0, n_clusters = 0;

  for (guint i = 0; i < vp8->len; i++)
    {
      for (; n_audio < opus->len && n_audio * 60 <= i * 50; n_audio++)
        push_audio (mux, 60 * n_audio, n_audio);
      g_assert_cmpint (relais_test_mux_push (mux->video, 50000 * i, video_frame (i), i % 2 == 0),
                       ==, GST_FLOW_OK);
    }
  for (; n_audio < opus->len; n_audio++)
    g_assert_cmpint (relais_test_mux_push (mux->audio, 60000 * n_audio, audio_packet (n_audio),
                                           TRUE),
                     ==, GST_FLOW_OK);
  relais_test_mux_pull_all (mux);

  relais_test_media_assert_in_order (mux->media);
  for (guint i = 0; i < mux->media->blocks->len; i++)
    n_clusters += relais_test_media_get_block (mux->media, i)->opens_cluster;
  g_assert_cmpuint (n_clusters, ==, 4); /* the first is opened by audio */
  g_assert_cmpuint (relais_test_mux_get_stat (mux, "video_0", "sync-points"), ==, 3);
  relais_test_media_assert_payloads (mux->media, "V_VP8", vp8, 0);
  relais_test_media_assert_payloads (mux->media, "A_OPUS", opus, 0);
}

int
main (int argc, char **argv)
{
  int result;

  g_test_init (&argc, &argv, NULL);
  relais_test_gst_init ();
  vp8 = relais_test_capture_read (CAPTURE, "V_VP8");
  opus = relais_test_capture_read (CAPTURE, "A_OPUS");

  g_test_add_func ("/live-matroska-mux/stock-muxer", test_stock_muxer);
  g_test_add_func ("/live-matroska-mux/header", test_header);
  g_test_add_func ("/live-matroska-mux/h264", test_h264);
  g_test_add_data_func ("/live-matroska-mux/silent-audio", GINT_TO_POINTER (TRUE),
                        test_silent_track);
  g_test_add_data_func ("/live-matroska-mux/silent-video", GINT_TO_POINTER (FALSE),
                        test_silent_track);
  g_test_add_func ("/live-matroska-mux/arrival-order", test_arrival_order);
  g_test_add_func ("/live-matroska-mux/lying-flags", test_lying_flags);
  g_test_add_func ("/live-matroska-mux/audio-opens", test_audio_opens);
  g_test_add_func ("/live-matroska-mux/audio-only", test_audio_only);
  g_test_add_func ("/live-matroska-mux/before-first-key", test_before_first_key);
  g_test_add_func ("/live-matroska-mux/recording", test_recording);
  result = g_test_run ();

  g_ptr_array_unref (vp8);
  g_ptr_array_unref (opus);
  return result;
}
