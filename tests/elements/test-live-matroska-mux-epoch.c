/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* When livematroskamux writes another header: a track that has no filler leaves and comes back, a
 * codec changes. */

#include "relais-test-capture.h"
#include "relais-test-gst.h"
#include "relais-test-mux.h"

#define FRAME_MS 50
#define LEAVE_MS 3000

/* Of chrome-vp8-opus.webm: a frame at which decoding can start, as is frame 0. */
#define SECOND_KEY 101

#define VP9_CAPS "video/x-vp9, width=640, height=360, framerate=0/1"
#define H264_CAPS_2                                                                                \
  "video/x-h264, stream-format=avc, alignment=au, width=320, height=180, framerate=0/1, "          \
  "codec_data=(buffer)0142c00dffe1000467420043010002684e"
#define VORBIS_CAPS                                                                                \
  "audio/x-vorbis, channels=1, rate=48000, "                                                       \
  "streamheader=(buffer)<01766f72626973000000000180bb00000000000000fa000000000000b801,"            \
  "03766f72626973000000000000000001,05766f726269730001>"

static GPtrArray *vp8, *vp9, *opus;
static GBytes *idr, *inter; /* H.264 behind lengths of 4 bytes */

static void
push (GstHarness *pad, guint64 time_ms, GBytes *frame)
{
  g_assert_cmpint (relais_test_mux_push (pad, time_ms * 1000, frame, FALSE), ==, GST_FLOW_OK);
}

static void
push_vp8 (RelaisTestMux *mux, guint64 time_ms, guint frame)
{
  push (mux->video, time_ms, g_ptr_array_index (vp8, frame));
}

static void
push_audio (RelaisTestMux *mux, guint64 time_ms, guint packet)
{
  push (mux->audio, time_ms, g_ptr_array_index (opus, packet % opus->len));
}

/* Pulls all, and checks what holds for the first block of every epoch. */
static void
pull_epochs (RelaisTestMux *mux)
{
  for (;;)
    {
      guint n_blocks = mux->media->blocks->len;
      g_autoptr (GstBuffer) buffer = relais_test_mux_pull (mux);

      if (buffer == NULL)
        break;
      if (GST_BUFFER_FLAG_IS_SET (buffer, GST_BUFFER_FLAG_HEADER))
        continue;
      g_assert_cmpuint (mux->media->blocks->len, ==, n_blocks + 1);
      if (n_blocks == 0
          || relais_test_media_get_block (mux->media, n_blocks)->header
                 != relais_test_media_get_block (mux->media, n_blocks - 1)->header)
        g_assert_false (GST_BUFFER_FLAG_IS_SET (buffer, GST_BUFFER_FLAG_DELTA_UNIT));
    }
  relais_test_media_assert_in_order (mux->media);
}

static gboolean
has_left (RelaisTestMux *mux, guint index)
{
  g_autoptr (GstStructure) stats = NULL;
  const GValue *tracks;
  gboolean left;

  g_object_get (mux->mux, "stats", &stats, NULL);
  tracks = gst_structure_get_value (stats, "tracks");
  g_assert_true (gst_structure_get_boolean (
      gst_value_get_structure (gst_value_array_get_value (tracks, index)), "left", &left));
  return left;
}

/* Vorbis falls silent for longer than it may: at the next keyframe a header without it; when it
 * speaks again, at the next keyframe a header with it. */
static void
test_audio_leaves (void)
{
  g_autoptr (RelaisTestMux) mux = relais_test_mux_new (RELAIS_TEST_VP8_CAPS, VORBIS_CAPS, NULL);
  guint64 time = 0;

  push_vp8 (mux, 0, 0);
  push_audio (mux, 0, 0);
  for (guint i = 1; time <= LEAVE_MS; i++)
    push_vp8 (mux, time = i * FRAME_MS, i);
  pull_epochs (mux);
  g_assert_cmpuint (mux->media->n_headers, ==, 1);
  g_assert_false (has_left (mux, 1));

  push_vp8 (mux, time += FRAME_MS, SECOND_KEY);
  pull_epochs (mux);
  g_assert_cmpuint (mux->media->n_headers, ==, 2);
  g_assert_cmpuint (mux->media->tracks->len, ==, 1);
  g_assert_true (has_left (mux, 1));

  /* its words are lost until a viewer can begin with them */
  push_audio (mux, time + 10, 1);
  push_vp8 (mux, time += FRAME_MS, SECOND_KEY + 1);
  push_audio (mux, time + 10, 2);
  pull_epochs (mux);
  g_assert_cmpuint (mux->media->n_headers, ==, 2);
  g_assert_cmpuint (relais_test_mux_get_stat (mux, "audio_0", "dropped"), ==, 2);

  push_vp8 (mux, time += FRAME_MS, SECOND_KEY);
  push_audio (mux, time + 10, 3);
  pull_epochs (mux);
  g_assert_cmpuint (mux->media->n_headers, ==, 3);
  g_assert_cmpuint (mux->media->tracks->len, ==, 2);
  g_assert_false (has_left (mux, 1));
  g_assert_cmpuint (relais_test_mux_get_stat (mux, "audio_0", "frames"), ==, 2);
  g_assert_cmpint (relais_test_media_get_block (mux->media, mux->media->blocks->len - 1)->time, ==,
                   (gint64) time + 10);
}

/* A camera of H.264 is switched off: the sound goes on alone, at once, until the next IDR. */
static void
test_video_leaves (void)
{
  g_autofree char *opus_caps = relais_test_mux_make_opus_caps (0);
  g_autoptr (RelaisTestMux) mux = relais_test_mux_new (RELAIS_TEST_H264_CAPS, opus_caps, NULL);
  guint n_audio = 0, n_blocks;

  push (mux->video, 0, idr);
  for (; n_audio * 60 < LEAVE_MS + 600; n_audio++)
    push_audio (mux, n_audio * 60, n_audio);
  pull_epochs (mux);
  g_assert_cmpuint (mux->media->n_headers, ==, 2);
  g_assert_cmpstr (mux->media->doc_type, ==, "webm");
  g_assert_cmpuint (mux->media->tracks->len, ==, 1);
  g_assert_cmpuint (mux->media->blocks->len, ==, n_audio + 1);
  g_assert_true (has_left (mux, 0));

  /* a frame that needs another one is of no use */
  n_blocks = mux->media->blocks->len;
  push (mux->video, n_audio * 60, inter);
  pull_epochs (mux);
  g_assert_cmpuint (mux->media->blocks->len, ==, n_blocks);

  push (mux->video, n_audio * 60, idr);
  push_audio (mux, n_audio * 60, n_audio);
  push (mux->video, n_audio * 60 + 33, inter);
  pull_epochs (mux);
  g_assert_cmpuint (mux->media->n_headers, ==, 3);
  g_assert_cmpstr (mux->media->doc_type, ==, "matroska");
  g_assert_cmpuint (mux->media->tracks->len, ==, 2);
  g_assert_cmpuint (mux->media->blocks->len, ==, n_blocks + 3);
}

static void
test_never_leaves (void)
{
  g_autofree char *opus_caps = relais_test_mux_make_opus_caps (0);
  g_autoptr (RelaisTestMux) mux
      = relais_test_mux_new (RELAIS_TEST_H264_CAPS, opus_caps, "leave-time", (guint64) 0, NULL);

  push (mux->video, 0, idr);
  for (guint i = 0; i < 200; i++)
    push_audio (mux, i * 60, i);
  pull_epochs (mux);
  g_assert_cmpuint (mux->media->n_headers, ==, 1);
}

/* A pause of both is no reason for another header. */
static void
test_both_quiet (void)
{
  g_autofree char *opus_caps = relais_test_mux_make_opus_caps (0);
  g_autoptr (RelaisTestMux) mux = relais_test_mux_new (RELAIS_TEST_H264_CAPS, opus_caps, NULL);

  push (mux->video, 0, idr);
  push_audio (mux, 0, 0);
  for (guint first = 0; first < 2; first++)
    {
      guint64 time = 9000 * (first + 1);

      if (first == 0)
        push_audio (mux, time, 1);
      push (mux->video, time + 10, inter);
      push_audio (mux, time + 60, 2);
    }
  pull_epochs (mux);
  g_assert_cmpuint (mux->media->n_headers, ==, 1);
  g_assert_cmpuint (relais_test_mux_get_stat (mux, "video_0", "frames"), ==, 3);
  g_assert_cmpuint (relais_test_mux_get_stat (mux, "audio_0", "frames"), ==, 4);
  g_assert_cmpuint (relais_test_mux_get_stat (mux, "audio_0", "lifted"), ==, 0);
}

/* Another codec begins with the keyframe that it needs anyway. */
static void
test_codec_changes (void)
{
  g_autofree char *opus_caps = relais_test_mux_make_opus_caps (0);
  g_autoptr (RelaisTestMux) mux = relais_test_mux_new (RELAIS_TEST_VP8_CAPS, opus_caps, NULL);
  GstCaps *caps;

  push_vp8 (mux, 0, 0);
  push_audio (mux, 10, 0);
  gst_harness_set_src_caps_str (mux->video, VP9_CAPS);
  push_audio (mux, 70, 1);
  pull_epochs (mux);
  g_assert_cmpuint (mux->media->n_headers, ==, 1);

  push (mux->video, 80, g_ptr_array_index (vp9, 0));
  push (mux->video, 130, g_ptr_array_index (vp9, 1));
  push_audio (mux, 130, 2);
  pull_epochs (mux);
  g_assert_cmpuint (mux->media->n_headers, ==, 2);
  g_assert_cmpuint (relais_test_media_get_track (mux->media, "V_VP9"), >, 0);
  g_assert_cmpuint (mux->media->blocks->len, ==, 6);

  /* and to one that WebM may not hold */
  gst_harness_set_src_caps_str (mux->video, RELAIS_TEST_H264_CAPS);
  push (mux->video, 180, idr);
  pull_epochs (mux);
  g_assert_cmpuint (mux->media->n_headers, ==, 3);
  g_assert_cmpstr (mux->media->doc_type, ==, "matroska");
  caps = gst_pad_get_current_caps (mux->output->sinkpad);
  g_assert_true (gst_structure_has_name (gst_caps_get_structure (caps, 0), "video/x-matroska"));
  gst_caps_unref (caps);
}

/* The same codec: a new size is VP8's own business, but new codec data of H.264 is not. */
static void
test_codec_data_changes (void)
{
  g_autoptr (RelaisTestMux) vp8_mux = relais_test_mux_new (RELAIS_TEST_VP8_CAPS, NULL, NULL);
  g_autoptr (RelaisTestMux) h264_mux = relais_test_mux_new (RELAIS_TEST_H264_CAPS, NULL, NULL);

  push_vp8 (vp8_mux, 0, 0);
  gst_harness_set_src_caps_str (vp8_mux->video,
                                "video/x-vp8, width=320, height=180, framerate=0/1");
  push_vp8 (vp8_mux, 50, 1);
  push_vp8 (vp8_mux, 100, SECOND_KEY);
  pull_epochs (vp8_mux);
  g_assert_cmpuint (vp8_mux->media->n_headers, ==, 1);
  g_assert_cmpuint (vp8_mux->media->blocks->len, ==, 3);

  push (h264_mux->video, 0, idr);
  push (h264_mux->video, 33, inter);
  gst_harness_set_src_caps_str (h264_mux->video, H264_CAPS_2);
  push (h264_mux->video, 66, idr);
  push (h264_mux->video, 99, inter);
  pull_epochs (h264_mux);
  g_assert_cmpuint (h264_mux->media->n_headers, ==, 2);
  g_assert_cmpuint (h264_mux->media->blocks->len, ==, 4);
}

/* What a unit holds in front of the change belongs to the old header. */
static void
test_change_within_unit (void)
{
  g_autoptr (RelaisTestMux) mux
      = relais_test_mux_new (RELAIS_TEST_VP8_CAPS, NULL, "hold-units", TRUE, NULL);

  push_vp8 (mux, 0, 0);
  push_vp8 (mux, 50, 1);
  relais_test_mux_end_unit (mux->video);
  push_vp8 (mux, 100, 2);
  gst_harness_set_src_caps_str (mux->video, VP9_CAPS);
  push (mux->video, 150, g_ptr_array_index (vp9, 0));
  relais_test_mux_end_unit (mux->video);
  pull_epochs (mux);
  g_assert_cmpuint (mux->media->n_headers, ==, 2);
  g_assert_cmpuint (mux->media->blocks->len, ==, 4);
  g_assert_cmpuint (relais_test_media_get_block (mux->media, 2)->header, ==, 1);
  g_assert_cmpuint (relais_test_media_get_block (mux->media, 3)->header, ==, 2);
}

int
main (int argc, char **argv)
{
  int result;

  g_test_init (&argc, &argv, NULL);
  relais_test_gst_init ();
  vp8 = relais_test_capture_read ("chrome-vp8-opus.webm", "V_VP8");
  vp9 = relais_test_capture_read ("chrome-vp9-opus.webm", "V_VP9");
  opus = relais_test_capture_read ("chrome-vp8-opus.webm", "A_OPUS");
  idr = g_bytes_new_static ("\0\0\0\2\x65\x88", 6);
  inter = g_bytes_new_static ("\0\0\0\2\x41\x9a", 6);

  g_test_add_func ("/live-matroska-mux-epoch/audio-leaves", test_audio_leaves);
  g_test_add_func ("/live-matroska-mux-epoch/video-leaves", test_video_leaves);
  g_test_add_func ("/live-matroska-mux-epoch/never-leaves", test_never_leaves);
  g_test_add_func ("/live-matroska-mux-epoch/both-quiet", test_both_quiet);
  g_test_add_func ("/live-matroska-mux-epoch/codec-changes", test_codec_changes);
  g_test_add_func ("/live-matroska-mux-epoch/codec-data-changes", test_codec_data_changes);
  g_test_add_func ("/live-matroska-mux-epoch/change-within-unit", test_change_within_unit);
  result = g_test_run ();

  g_ptr_array_unref (vp8);
  g_ptr_array_unref (vp9);
  g_ptr_array_unref (opus);
  g_bytes_unref (idr);
  g_bytes_unref (inter);
  return result;
}
