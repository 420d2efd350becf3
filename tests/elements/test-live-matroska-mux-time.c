/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The times that livematroskamux writes: units, late blocks, epochs, codec delay, fillers. */

#include "relais-live-matroska-mux.h"
#include "relais-test-capture.h"
#include "relais-test-gst.h"
#include "relais-test-mux.h"

#define CAPTURE    "chrome-vp8-opus.webm"
#define SECOND_KEY 101 /* of CAPTURE: a frame at which decoding can start, as is frame 0 */

static GPtrArray *vp8;  /* the frames of CAPTURE */
static GPtrArray *opus; /* its packets, of 60 ms each */

static void
push_video (RelaisTestMux *mux, guint64 time_ms, guint frame)
{
  g_assert_cmpint (relais_test_mux_push (mux->video, time_ms * 1000, g_ptr_array_index (vp8, frame),
                                         frame == 0),
                   ==, GST_FLOW_OK);
}

static void
push_audio (RelaisTestMux *mux, guint64 time_ms, guint packet)
{
  g_assert_cmpint (relais_test_mux_push (mux->audio, time_ms * 1000,
                                         g_ptr_array_index (opus, packet), TRUE),
                   ==, GST_FLOW_OK);
}

static RelaisTestMux *
new_mux (gboolean hold_units, guint64 quiet_ms, guint64 offset_ms)
{
  g_autofree char *opus_caps = relais_test_mux_make_opus_caps (0);

  return relais_test_mux_new (RELAIS_TEST_VP8_CAPS, opus_caps, "hold-units", hold_units,
                              "quiet-time", quiet_ms * GST_MSECOND, "timestamp-offset",
                              offset_ms * GST_MSECOND, NULL);
}

static gint64
block_time (RelaisTestMux *mux, guint index)
{
  return relais_test_media_get_block (mux->media, index)->time;
}

static void
assert_times (RelaisTestMux *mux, const char *codec_id, const gint64 *expected, guint n)
{
  g_autoptr (GArray) times = relais_test_media_list_times (mux->media, codec_id);

  for (guint i = 0; i < MIN (n, times->len); i++)
    g_assert_cmpint (g_array_index (times, gint64, i), ==, expected[i]);
  g_assert_cmpuint (times->len, ==, n);
}

/* Sound */

/* Pictures every 33 ms and the sound of a recorder whose stamps jitter, in units of 100 ms. */
static void
test_sound_is_even (void)
{
  static const guint64 distances[] = { 52, 69, 59 };
  g_autoptr (RelaisTestMux) mux = new_mux (TRUE, 150, 0);
  g_autoptr (GArray) times = NULL;
  guint64 audio_ms = 8, video_ms = 0;
  guint n_audio = 0, n_video = 0, n_uneven = 0;

  for (guint64 end_ms = 100; end_ms <= 6000; end_ms += 100)
    {
      for (; video_ms < end_ms; video_ms += 33)
        push_video (mux, video_ms, n_video++ % SECOND_KEY);
      for (; audio_ms < end_ms; audio_ms += distances[n_audio++ % G_N_ELEMENTS (distances)])
        push_audio (mux, audio_ms, n_audio % opus->len);
      g_assert_true (relais_test_mux_end_unit (mux->video));
    }
  relais_test_mux_pull_all (mux);
  relais_test_media_assert_in_order (mux->media);
  times = relais_test_media_list_times (mux->media, "A_OPUS");
  g_assert_cmpuint (times->len, ==, n_audio);
  for (guint i = 2; i < times->len; i++)
    n_uneven += g_array_index (times, gint64, i) != g_array_index (times, gint64, i - 1) + 60;
  /* Until the line is where the latest stamps are. */
  g_assert_cmpuint (n_uneven, <=, 1);
  g_assert_cmpuint (relais_test_mux_get_stat (mux, "audio_0", "fillers"), ==, 0);
  g_assert_cmpuint (relais_test_mux_get_stat (mux, "audio_0", "lifted"), ==, 0);
}

/* Units */

static GstPadProbeReturn
count_unit_ends (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  guint *n = user_data;

  if (gst_event_has_name (GST_PAD_PROBE_INFO_EVENT (info), RELAIS_UNIT_END_EVENT))
    ++*n;
  return GST_PAD_PROBE_OK;
}

/* One track's blocks may all come before the other's: they leave at the unit's end, by time. */
static void
test_unit_is_sorted (void)
{
  g_autoptr (RelaisTestMux) mux = new_mux (TRUE, 0, 0);
  static const gint64 expected[] = { 0, 0, 33, 60, 66, 99, 120 };
  guint n_ends = 0;

  gst_pad_add_probe (mux->output->sinkpad, GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, count_unit_ends,
                     &n_ends, NULL);
  for (guint i = 0; i < 4; i++)
    push_video (mux, 33 * i, i);
  for (guint i = 0; i < 3; i++)
    push_audio (mux, 60 * i, i);
  g_assert_cmpuint (gst_harness_buffers_received (mux->output), ==, 0);
  g_assert_true (relais_test_mux_end_unit (mux->audio));
  g_assert_cmpuint (n_ends, ==, 1);

  relais_test_mux_pull_all (mux);
  g_assert_cmpuint (mux->media->blocks->len, ==, G_N_ELEMENTS (expected));
  for (guint i = 0; i < G_N_ELEMENTS (expected); i++)
    g_assert_cmpint (block_time (mux, i), ==, expected[i]);
  g_assert_cmpuint (relais_test_mux_get_stat (mux, "audio_0", "lifted"), ==, 0);

  /* an empty unit */
  g_assert_true (relais_test_mux_end_unit (mux->video));
  g_assert_cmpuint (n_ends, ==, 2);
  g_assert_cmpuint (relais_test_mux_pull_all (mux), ==, 0);
}

/* Within a track the order is the order of decoding, whatever the times say. */
static void
test_track_keeps_order (void)
{
  g_autoptr (RelaisTestMux) mux = new_mux (TRUE, 0, 0);
  static const guint64 video_times[] = { 0, 66, 33, 99 };

  for (guint i = 0; i < G_N_ELEMENTS (video_times); i++)
    push_video (mux, video_times[i], i);
  push_audio (mux, 50, 0);
  push_audio (mux, 70, 1);
  relais_test_mux_end_unit (mux->video);
  relais_test_mux_pull_all (mux);

  g_assert_cmpuint (mux->media->blocks->len, ==, 6);
  relais_test_media_assert_in_order (mux->media);
  for (guint i = 0, next = 0; i < mux->media->blocks->len; i++)
    {
      const RelaisTestBlock *block = relais_test_media_get_block (mux->media, i);

      if (block->track == relais_test_media_get_track (mux->media, "V_VP8"))
        g_assert_true (g_bytes_equal (block->payload, g_ptr_array_index (vp8, next++)));
    }
}

/* The end of a track ends the unit too: nothing is left behind. */
static void
test_eos_flushes_unit (void)
{
  g_autoptr (RelaisTestMux) mux = new_mux (TRUE, 0, 0);

  push_video (mux, 0, 0);
  push_audio (mux, 0, 0);
  push_video (mux, 33, 1);
  g_assert_true (gst_harness_push_event (mux->video, gst_event_new_eos ()));
  relais_test_mux_pull_all (mux);
  g_assert_cmpuint (mux->media->blocks->len, ==, 3);
}

/* Late blocks */

static void
test_late_block_is_lifted (void)
{
  g_autoptr (RelaisTestMux) mux = new_mux (FALSE, 0, 0);
  static const gint64 video[] = { 0, 300, 333 };
  static const gint64 audio[] = { 0, 60, 120, 180, 240, 300, 360 };

  push_video (mux, 0, 0);
  for (guint i = 0; i < 6; i++)
    push_audio (mux, 60 * i, i);
  push_video (mux, 33, 1); /* 267 ms late */
  push_video (mux, 333, 2);
  push_audio (mux, 360, 6);
  relais_test_mux_pull_all (mux);

  relais_test_media_assert_in_order (mux->media);
  assert_times (mux, "V_VP8", video, G_N_ELEMENTS (video));
  assert_times (mux, "A_OPUS", audio, G_N_ELEMENTS (audio));
  g_assert_cmpuint (relais_test_mux_get_stat (mux, "video_0", "lifted"), ==, 1);
  g_assert_cmpuint (relais_test_mux_get_stat (mux, "audio_0", "lifted"), ==, 0);
}

/* The same for a publisher whose clock does not begin at zero. */
static void
test_late_block_is_counted (void)
{
  g_autoptr (RelaisTestMux) mux = new_mux (FALSE, 0, 0);

  push_video (mux, 50000, 0);
  push_audio (mux, 50300, 0);
  push_video (mux, 50033, 1);
  push_audio (mux, 50360, 1);
  relais_test_mux_pull_all (mux);
  relais_test_media_assert_in_order (mux->media);
  g_assert_cmpint (block_time (mux, 2), ==, 300);
  g_assert_cmpuint (relais_test_mux_get_stat (mux, "video_0", "lifted"), ==, 1);
  g_assert_cmpuint (relais_test_mux_get_stat (mux, "audio_0", "lifted"), ==, 0);
}

/* A keyframe that comes late opens its Cluster at the lifted time, not before the block before it.
 */
static void
test_late_key_frame (void)
{
  g_autoptr (RelaisTestMux) mux = new_mux (FALSE, 0, 0);

  push_video (mux, 0, 0);
  push_audio (mux, 200, 0);
  push_video (mux, 100, SECOND_KEY);
  push_audio (mux, 260, 1);
  relais_test_mux_pull_all (mux);
  relais_test_media_assert_in_order (mux->media);
  g_assert_true (relais_test_media_get_block (mux->media, 2)->opens_cluster);
  g_assert_cmpint (block_time (mux, 2), ==, 200);
}

/* H.264 with B-frames presents in another order than it decodes: its times are not touched. */
static void
test_reordered_h264 (void)
{
  g_autoptr (GBytes) idr = g_bytes_new_static ("\0\0\0\2\x65\x88", 6);
  g_autoptr (GBytes) inter = g_bytes_new_static ("\0\0\0\2\x41\x9a", 6);
  g_autoptr (RelaisTestMux) mux = relais_test_mux_new (RELAIS_TEST_H264_CAPS, NULL, NULL);
  static const guint64 times[] = { 0, 133, 67, 33, 100 };

  for (guint i = 0; i < G_N_ELEMENTS (times); i++)
    g_assert_cmpint (relais_test_mux_push (mux->video, times[i] * 1000, i == 0 ? idr : inter,
                                           i == 0),
                     ==, GST_FLOW_OK);
  relais_test_mux_pull_all (mux);
  for (guint i = 0; i < G_N_ELEMENTS (times); i++)
    g_assert_cmpint (block_time (mux, i), ==, (gint64) times[i]);
}

/* Epochs */

/* Whatever the publisher's clock says, the first block lands on the offset, and the next epoch
 * begins behind everything that was written. */
static void
test_offset_and_end (void)
{
  static const guint64 offsets_ms[] = { 0, 1, 12345, G_GUINT64_CONSTANT (90000000) };
  static const guint64 starts_ms[] = { 0, 7, 5000, G_GUINT64_CONSTANT (1700000000000) };

  for (guint i = 0; i < G_N_ELEMENTS (offsets_ms) * G_N_ELEMENTS (starts_ms); i++)
    {
      guint64 offset = offsets_ms[i / G_N_ELEMENTS (starts_ms)];
      guint64 start = starts_ms[i % G_N_ELEMENTS (starts_ms)];
      g_autoptr (RelaisTestMux) mux = new_mux (FALSE, 0, offset);

      g_assert_cmpuint (relais_test_mux_get_end_time (mux), ==, offset * GST_MSECOND);
      for (guint k = 0; k < 10; k++)
        push_video (mux, start + 40 * k, k);
      push_audio (mux, start + 360, 0);
      relais_test_mux_pull_all (mux);
      g_assert_cmpint (block_time (mux, 0), ==, (gint64) offset);
      g_assert_cmpint (block_time (mux, 10), ==, (gint64) offset + 360);
      relais_test_media_assert_in_order (mux->media);
      /* a frame of 40 ms follows the last one */
      g_assert_cmpuint (relais_test_mux_get_end_time (mux), ==, (offset + 400) * GST_MSECOND);
    }
}

/* Codec delay */

/* The demuxer takes the pre-skip off, the muxer puts it on: what is written has the distance of the
 * publisher's own blocks, to the millisecond. */
static void
test_codec_delay (void)
{
  static const guint pre_skips[] = { 0, 120, 312, 3840, 65535 };

  for (guint i = 0; i < 2 * G_N_ELEMENTS (pre_skips); i++)
    {
      guint pre_skip = pre_skips[i / 2];
      guint64 offset_ms = i % 2 == 0 ? 0 : 7000;
      g_autofree char *opus_caps = relais_test_mux_make_opus_caps (pre_skip);
      g_autoptr (RelaisTestMux) mux
          = relais_test_mux_new (RELAIS_TEST_VP8_CAPS, opus_caps, "quiet-time", (guint64) 0,
                                 "timestamp-offset", offset_ms * GST_MSECOND, NULL);
      guint64 delay_us = gst_util_uint64_scale (pre_skip, G_USEC_PER_SEC, 48000);
      guint n = 0;
      gint64 shift = 0;

      /* as it was in the publisher's file: audio at 0, 60, ... and video at 30, 90, ... */
      for (guint k = 0; k < 20; k++)
        {
          guint64 file_time = 2000 + 60 * k;

          g_assert_cmpint (relais_test_mux_push (mux->audio, file_time * 1000 - delay_us,
                                                 g_ptr_array_index (opus, k), TRUE),
                           ==, GST_FLOW_OK);
          push_video (mux, file_time + 30, k);
        }
      relais_test_mux_pull_all (mux);

      g_assert_cmpuint (g_array_index (mux->media->tracks, RelaisTestTrack, 1).codec_delay / 1000,
                        ==, delay_us);
      shift = block_time (mux, 0);
      if (offset_ms > 0 || pre_skip == 0)
        g_assert_cmpint (shift, ==, (gint64) offset_ms);
      for (guint k = 0; k < 20; k++)
        {
          g_assert_cmpint (block_time (mux, n++), ==, shift + 60 * (gint64) k);
          g_assert_cmpint (block_time (mux, n++), ==, shift + 60 * (gint64) k + 30);
        }
      g_assert_cmpuint (n, ==, mux->media->blocks->len);
    }
}

int
main (int argc, char **argv)
{
  int result;

  g_test_init (&argc, &argv, NULL);
  relais_test_gst_init ();
  vp8 = relais_test_capture_read (CAPTURE, "V_VP8");
  opus = relais_test_capture_read (CAPTURE, "A_OPUS");

  g_test_add_func ("/live-matroska-mux-time/sound-is-even", test_sound_is_even);
  g_test_add_func ("/live-matroska-mux-time/unit-is-sorted", test_unit_is_sorted);
  g_test_add_func ("/live-matroska-mux-time/track-keeps-order", test_track_keeps_order);
  g_test_add_func ("/live-matroska-mux-time/eos-flushes-unit", test_eos_flushes_unit);
  g_test_add_func ("/live-matroska-mux-time/late-block-is-lifted", test_late_block_is_lifted);
  g_test_add_func ("/live-matroska-mux-time/late-block-is-counted", test_late_block_is_counted);
  g_test_add_func ("/live-matroska-mux-time/late-key-frame", test_late_key_frame);
  g_test_add_func ("/live-matroska-mux-time/reordered-h264", test_reordered_h264);
  g_test_add_func ("/live-matroska-mux-time/offset-and-end", test_offset_and_end);
  g_test_add_func ("/live-matroska-mux-time/codec-delay", test_codec_delay);
  result = g_test_run ();

  g_ptr_array_unref (vp8);
  g_ptr_array_unref (opus);
  return result;
}
