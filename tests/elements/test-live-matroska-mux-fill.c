/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A track never falls silent: repeat frames and silence packets of livematroskamux. That they
 * decode is the matter of the tests of relais-repeat-frame.c; here it is when they come, and at
 * what time.
 */

#include "relais-repeat-frame.h"
#include "relais-test-capture.h"
#include "relais-test-gst.h"
#include "relais-test-mux.h"

#define CAPTURE    "chrome-vp8-opus.webm"
#define SECOND_KEY 101 /* of CAPTURE: a frame at which decoding can start, as is frame 0 */
#define FRAME_MS   50
#define PACKET_MS  60
#define QUIET_MS   150
#define MAX_DISTANCE_MS                                                                            \
  250 /* no track is quiet for longer than its limit and a packet of the other */

#define VORBIS_CAPS                                                                                \
  "audio/x-vorbis, channels=1, rate=48000, "                                                       \
  "streamheader=(buffer)<01766f72626973000000000180bb00000000000000fa000000000000b801,"            \
  "03766f72626973000000000000000001,05766f726269730001>"

static GPtrArray *vp8;  /* the frames of CAPTURE */
static GPtrArray *opus; /* made-up packets of PACKET_MS each, no two alike */

static RelaisTestMux *
new_mux (guint64 quiet_ms)
{
  g_autofree char *opus_caps = relais_test_mux_make_opus_caps (312);

  return relais_test_mux_new (RELAIS_TEST_VP8_CAPS, opus_caps, "quiet-time", quiet_ms * GST_MSECOND,
                              NULL);
}

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
                                         g_ptr_array_index (opus, packet % opus->len), TRUE),
                   ==, GST_FLOW_OK);
}

/* The first byte says SILK, 60 ms, one frame (RFC 6716 section 3.1). The recording's own packets
 * are of no use here: some are silence, byte by byte what a filler is. */
static GPtrArray *
make_packets (guint n)
{
  GPtrArray *packets = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);

  for (guint i = 0; i < n; i++)
    {
      guint8 packet[] = { 0x58, 0x12, i & 0xff, i >> 8 };

      g_ptr_array_add (packets, g_bytes_new (packet, sizeof packet));
    }
  return packets;
}

static gboolean
is_frame_of (GBytes *payload, GPtrArray *frames)
{
  for (guint i = 0; i < frames->len; i++)
    if (g_bytes_equal (payload, g_ptr_array_index (frames, i)))
      return TRUE;
  return FALSE;
}

static guint
count_fillers (RelaisTestMux *mux, const char *codec_id, GPtrArray *real)
{
  guint track = relais_test_media_get_track (mux->media, codec_id);
  guint n = 0;

  for (guint i = 0; i < mux->media->blocks->len; i++)
    {
      const RelaisTestBlock *block = relais_test_media_get_block (mux->media, i);

      n += block->track == track && !is_frame_of (block->payload, real);
    }
  return n;
}

/* Real frames are there, in order, with fillers between them or not. */
static void
assert_real_frames (RelaisTestMux *mux, const char *codec_id, GPtrArray *frames, guint n)
{
  guint track = relais_test_media_get_track (mux->media, codec_id);
  guint next = 0;

  for (guint i = 0; i < mux->media->blocks->len; i++)
    {
      const RelaisTestBlock *block = relais_test_media_get_block (mux->media, i);

      if (block->track == track && next < n
          && g_bytes_equal (block->payload, g_ptr_array_index (frames, next)))
        next++;
    }
  g_assert_cmpuint (next, ==, n);
}

/* Returns: the longest distance between two blocks of the track in ms */
static gint64
find_longest_gap (RelaisTestMux *mux, const char *codec_id)
{
  g_autoptr (GArray) times = relais_test_media_list_times (mux->media, codec_id);
  gint64 longest = 0;

  for (guint i = 1; i < times->len; i++)
    longest
        = MAX (longest, g_array_index (times, gint64, i) - g_array_index (times, gint64, i - 1));
  return longest;
}

/* Ten frames, then three seconds of sound alone, then frames again. */
static void
test_quiet_video (void)
{
  g_autoptr (RelaisTestMux) mux = new_mux (QUIET_MS);
  guint n_audio = 0, n_fillers;

  for (guint i = 0; i < 10; i++)
    {
      push_video (mux, FRAME_MS * i, i);
      for (; PACKET_MS * n_audio <= FRAME_MS * i; n_audio++)
        push_audio (mux, PACKET_MS * n_audio, n_audio);
    }
  g_assert_cmpuint (relais_test_mux_get_stat (mux, "video_0", "fillers"), ==, 0);
  for (; PACKET_MS * n_audio < 3500; n_audio++)
    push_audio (mux, PACKET_MS * n_audio, n_audio);
  /* real frames are back, the first one stamped before the last repeat */
  for (guint i = 10; i < 40; i++)
    {
      guint time = 3450 + FRAME_MS * (i - 10);

      push_video (mux, time, i);
      for (; PACKET_MS * n_audio <= time; n_audio++)
        push_audio (mux, PACKET_MS * n_audio, n_audio);
    }
  relais_test_mux_pull_all (mux);

  n_fillers = count_fillers (mux, "V_VP8", vp8);
  g_assert_cmpuint (n_fillers, >=, 3000 / MAX_DISTANCE_MS);
  g_assert_cmpuint (n_fillers, ==, relais_test_mux_get_stat (mux, "video_0", "fillers"));
  g_assert_cmpuint (relais_test_mux_get_stat (mux, "video_0", "frames"), ==, 40);
  g_assert_cmpuint (relais_test_mux_get_stat (mux, "audio_0", "fillers"), ==, 0);
  g_assert_cmpint (find_longest_gap (mux, "V_VP8"), <=, MAX_DISTANCE_MS);
  assert_real_frames (mux, "V_VP8", vp8, 40);
  relais_test_media_assert_in_order (mux->media);
}

/* A repeat is never where a viewer could start, and opens no Cluster. */
static void
test_repeats_are_delta (void)
{
  g_autoptr (RelaisTestMux) mux = new_mux (QUIET_MS);
  guint n_sync_points = 0, n_repeats = 0;

  push_video (mux, 0, 0);
  for (guint i = 0; i < 30; i++)
    push_audio (mux, PACKET_MS * i, i);
  push_video (mux, PACKET_MS * 30, SECOND_KEY);
  for (;;)
    {
      guint n_before = mux->media->blocks->len;
      g_autoptr (GstBuffer) buffer = relais_test_mux_pull (mux);
      const RelaisTestBlock *block;

      if (buffer == NULL)
        break;
      if (mux->media->blocks->len == n_before)
        continue;
      block = relais_test_media_get_block (mux->media, n_before);
      n_sync_points += !GST_BUFFER_FLAG_IS_SET (buffer, GST_BUFFER_FLAG_DELTA_UNIT);
      if (block->track != relais_test_media_get_track (mux->media, "V_VP8")
          || is_frame_of (block->payload, vp8))
        continue;
      n_repeats++;
      g_assert_true (GST_BUFFER_FLAG_IS_SET (buffer, GST_BUFFER_FLAG_DELTA_UNIT));
      g_assert_false (block->opens_cluster);
      g_assert_false (block->is_key);
    }
  g_assert_cmpuint (n_repeats, >, 0);
  g_assert_cmpuint (n_sync_points, ==, 2);
}

/* The microphone is gone, the picture goes on: silence is laid under it. */
static void
test_quiet_audio (void)
{
  g_autoptr (RelaisTestMux) mux = new_mux (QUIET_MS);
  guint n_fillers, n_audio = 0;

  for (guint i = 0; i < 100; i++)
    {
      push_video (mux, FRAME_MS * i, i);
      for (; n_audio < 10 && PACKET_MS * n_audio <= FRAME_MS * i; n_audio++)
        push_audio (mux, PACKET_MS * n_audio, n_audio);
    }
  /* it is plugged in again */
  for (guint i = 0; i < 10; i++)
    push_audio (mux, FRAME_MS * 100 + PACKET_MS * i, 10 + i);
  relais_test_mux_pull_all (mux);

  n_fillers = count_fillers (mux, "A_OPUS", opus);
  g_assert_cmpuint (n_fillers, ==, relais_test_mux_get_stat (mux, "audio_0", "fillers"));
  g_assert_cmpint (find_longest_gap (mux, "A_OPUS"), <=, MAX_DISTANCE_MS);
  /* they cover the 4.4 s, and do not pile up */
  g_assert_cmpuint (n_fillers, >=, 4000 / PACKET_MS);
  g_assert_cmpuint (n_fillers, <=, 5000 / PACKET_MS);
  assert_real_frames (mux, "A_OPUS", opus, 20);
  assert_real_frames (mux, "V_VP8", vp8, 100);
  relais_test_media_assert_in_order (mux->media);
}

/* A track that flows at its own slow rhythm is left alone, below half a second. */
static void
test_slow_rhythm (void)
{
  g_autoptr (RelaisTestMux) mux = new_mux (QUIET_MS);
  guint n_audio = 0;

  for (guint i = 0; i < 60; i++)
    {
      /* five frames a second, once the rhythm is known */
      push_video (mux, 200 * i, i);
      for (; PACKET_MS * n_audio < 200 * (i + 1); n_audio++)
        push_audio (mux, PACKET_MS * n_audio, n_audio);
    }
  /* before it was known one repeat may have come */
  g_assert_cmpuint (relais_test_mux_get_stat (mux, "video_0", "fillers"), <=, 2);
}

static void
test_never (void)
{
  g_autoptr (RelaisTestMux) mux = new_mux (0);

  push_video (mux, 0, 0);
  for (guint i = 0; i < 100; i++)
    push_audio (mux, PACKET_MS * i, i);
  relais_test_mux_pull_all (mux);
  g_assert_cmpuint (relais_test_mux_get_stat (mux, "video_0", "fillers"), ==, 0);
  g_assert_cmpuint (mux->media->blocks->len, ==, 101);
}

/* Units of five frames, of which one begins after @gap_ms instead of FRAME_MS.
 * Returns: how many repeats that took */
static guint
count_repeats_at_gap (guint gap_ms, gboolean within_unit)
{
  g_autoptr (RelaisTestMux) mux
      = relais_test_mux_new (RELAIS_TEST_VP8_CAPS, NULL, "hold-units", TRUE, NULL);
  g_autoptr (GArray) times = NULL;
  guint n_repeats, time = 0;

  for (guint i = 0; i < 20; i++)
    {
      if (i > 0)
        time += i == (within_unit ? 12 : 10) ? gap_ms : FRAME_MS;
      push_video (mux, time, i);
      if (i % 5 == 4)
        g_assert_true (relais_test_mux_end_unit (mux->video));
    }
  relais_test_mux_pull_all (mux);
  times = relais_test_media_list_times (mux->media, "V_VP8");
  n_repeats = count_fillers (mux, "V_VP8", vp8);
  g_assert_cmpuint (times->len, ==, 20 + n_repeats);
  g_assert_cmpuint (n_repeats, ==, relais_test_mux_get_stat (mux, "video_0", "fillers"));
  if (n_repeats > 0) /* as late as a player takes it */
    g_assert_cmpint (g_array_index (times, gint64, 10) - g_array_index (times, gint64, 9), ==,
                     2 * FRAME_MS);
  assert_real_frames (mux, "V_VP8", vp8, 20);
  relais_test_media_assert_in_order (mux->media);
  return n_repeats;
}

/* Firefox takes no frame after a gap at the beginning of an append: one repeat closes it. */
static void
test_gap_before_unit (void)
{
  g_assert_cmpuint (count_repeats_at_gap (2 * FRAME_MS, FALSE), ==, 0);
  g_assert_cmpuint (count_repeats_at_gap (2 * FRAME_MS + 1, FALSE), ==, 1);
  g_assert_cmpuint (count_repeats_at_gap (1000, FALSE), ==, 1);
  g_assert_cmpuint (count_repeats_at_gap (7000, FALSE), ==, 1);
}

static void
test_gap_within_unit (void)
{
  g_assert_cmpuint (count_repeats_at_gap (1000, TRUE), ==, 0);
}

/* Nothing came for five seconds, as from a page that was held up: a track that has a filler does
 * not leave for that. */
static void
test_gap_of_all (void)
{
  /* sound that would fill the gap would hide it */
  g_autoptr (RelaisTestMux) mux
      = relais_test_mux_new (RELAIS_TEST_VP8_CAPS, VORBIS_CAPS, "hold-units", TRUE, NULL);

  for (guint i = 0; i < 10; i++)
    {
      guint late = i < 5 ? 0 : 5000;

      push_audio (mux, late + PACKET_MS * i, i);
      /* after the gap the sound is there first */
      if (i != 5 && i != 6)
        push_video (mux, late + PACKET_MS * i + 1, i);
      relais_test_mux_end_unit (mux->video);
    }
  relais_test_mux_pull_all (mux);
  g_assert_cmpuint (mux->media->n_headers, ==, 1);
  g_assert_cmpuint (relais_test_mux_get_stat (mux, "video_0", "dropped"), ==, 0);
  relais_test_media_assert_in_order (mux->media);
}

/* A keyframe alone in its unit: a player that cannot know how long it is gets told. */
static void
test_lone_keyframe (void)
{
  g_autoptr (RelaisTestMux) mux
      = relais_test_mux_new (RELAIS_TEST_VP8_CAPS, NULL, "hold-units", TRUE, NULL);
  const RelaisTestBlock *block;

  for (guint i = 0; i < 4; i++)
    {
      push_video (mux, FRAME_MS * i, i);
      relais_test_mux_end_unit (mux->video);
    }
  push_video (mux, FRAME_MS * 4, SECOND_KEY);
  relais_test_mux_end_unit (mux->video);
  relais_test_mux_pull_all (mux);
  g_assert_cmpuint (mux->media->blocks->len, ==, 5);
  for (guint i = 0; i < 4; i++)
    g_assert_cmpint (relais_test_media_get_block (mux->media, i)->duration, ==, 0);
  block = relais_test_media_get_block (mux->media, 4);
  g_assert_true (block->is_key);
  g_assert_true (block->opens_cluster);
  g_assert_cmpint (block->duration, ==, FRAME_MS);
}

/* A unit without any sound, later than a player takes the next packet: silence, without a hole
 * that a player would see. */
static void
test_unit_without_sound (void)
{
  g_autofree char *opus_caps = relais_test_mux_make_opus_caps (312);
  g_autoptr (RelaisTestMux) mux
      = relais_test_mux_new (RELAIS_TEST_VP8_CAPS, opus_caps, "hold-units", TRUE, NULL);
  guint n_audio = 0;

  for (guint i = 0; i < 40; i++)
    {
      push_video (mux, FRAME_MS * i, i);
      for (; n_audio < 10 && PACKET_MS * n_audio < FRAME_MS * (i + 1); n_audio++)
        push_audio (mux, PACKET_MS * n_audio, n_audio);
      if (i % 2 == 1)
        relais_test_mux_end_unit (mux->video);
    }
  relais_test_mux_pull_all (mux);
  g_assert_cmpuint (count_fillers (mux, "A_OPUS", opus), >, 0);
  g_assert_cmpint (find_longest_gap (mux, "A_OPUS"), <=, 2 * PACKET_MS);
  assert_real_frames (mux, "V_VP8", vp8, 40);
  relais_test_media_assert_in_order (mux->media);
}

/* @n units of 100 ms: sound, and pictures up to @n_frames. */
static RelaisTestMux *
make_long_group (guint n, guint n_frames)
{
  g_autofree char *opus_caps = relais_test_mux_make_opus_caps (0);
  RelaisTestMux *mux
      = relais_test_mux_new (RELAIS_TEST_VP8_CAPS, opus_caps, "hold-units", TRUE, NULL);
  guint n_video = 0, n_audio = 0;

  for (guint unit = 1; unit <= n; unit++)
    {
      for (; n_video < n_frames && FRAME_MS * n_video < 100 * unit; n_video++)
        push_video (mux, FRAME_MS * n_video,
                    n_video % SECOND_KEY == 0 ? MIN (n_video, 1) : n_video % SECOND_KEY);
      for (; PACKET_MS * n_audio + 7 < 100 * unit; n_audio++)
        push_audio (mux, PACKET_MS * n_audio + 7, n_audio);
      g_assert_true (relais_test_mux_end_unit (mux->video));
    }
  relais_test_mux_pull_all (mux);
  return mux;
}

/* A group of pictures that is longer than a Cluster: where Firefox begins another one, everything
 * in the one before has ended, or it would wait for a keyframe. */
static void
assert_clusters_do_not_overlap (RelaisTestMux *mux)
{
  gint64 ends[2] = { 0, 0 }, last_times[2] = { 0, 0 }, last_steps[2] = { 0, 0 };
  gint64 durations[2] = { 0, 0 };

  g_assert_cmpuint (mux->media->n_clusters, >, 2);
  for (guint i = 0; i < mux->media->blocks->len; i++)
    {
      const RelaisTestBlock *block = relais_test_media_get_block (mux->media, i);
      guint track = block->track - 1;

      g_assert_cmpuint (track, <, 2);
      if (block->opens_cluster)
        {
          g_assert_cmpint (block->time, >=, ends[0]);
          g_assert_cmpint (block->time, >=, ends[1]);
        }
      last_steps[track] = block->time - last_times[track];
      /* Chromium compares with what a block says of itself. */
      if (durations[track] > 0)
        g_assert_cmpint (last_steps[track], <=, 2 * durations[track]);
      durations[track] = block->duration;
      last_times[track] = block->time;
      ends[track] = block->time + (block->duration > 0 ? block->duration : last_steps[track]);
    }
  relais_test_media_assert_in_order (mux->media);
}

static void
test_long_group (void)
{
  g_autoptr (RelaisTestMux) mux = make_long_group (750, G_MAXUINT);

  assert_clusters_do_not_overlap (mux);
  g_assert_cmpuint (relais_test_mux_get_stat (mux, "video_0", "sync-points"), ==, 1);
}

/* The same while the picture stands still. */
static void
test_long_still (void)
{
  g_autoptr (RelaisTestMux) mux = make_long_group (750, 20);

  assert_clusters_do_not_overlap (mux);
  g_assert_cmpint (find_longest_gap (mux, "V_VP8"), <=, MAX_DISTANCE_MS);
}

/* Where there never was a picture there is none to repeat. */
static void
test_never_started (void)
{
  g_autoptr (RelaisTestMux) mux = new_mux (QUIET_MS);

  for (guint i = 0; i < 100; i++)
    push_audio (mux, PACKET_MS * i, i);
  g_assert_cmpuint (relais_test_mux_get_stat (mux, "video_0", "fillers"), ==, 0);
}

/* Sound that never began is quiet from the beginning. */
static void
test_mute_from_the_start (void)
{
  g_autoptr (RelaisTestMux) mux = new_mux (QUIET_MS);

  for (guint i = 0; i < 40; i++)
    push_video (mux, FRAME_MS * i, i);
  relais_test_mux_pull_all (mux);
  g_assert_cmpuint (relais_test_mux_get_stat (mux, "audio_0", "fillers"), >, 0);
  g_assert_cmpint (find_longest_gap (mux, "A_OPUS"), <=, MAX_DISTANCE_MS);
  relais_test_media_assert_in_order (mux->media);
}

/* Vorbis has no filler: nothing is invented, and the picture flows. */
static void
test_no_filler (void)
{
  g_autoptr (RelaisTestMux) mux = relais_test_mux_new (RELAIS_TEST_VP8_CAPS, VORBIS_CAPS,
                                                       "quiet-time", QUIET_MS * GST_MSECOND, NULL);

  push_video (mux, 0, 0);
  push_audio (mux, 0, 0);
  for (guint i = 1; i < 100; i++)
    push_video (mux, FRAME_MS * i, i);
  relais_test_mux_pull_all (mux);
  g_assert_cmpuint (relais_test_mux_get_stat (mux, "audio_0", "fillers"), ==, 0);
  g_assert_cmpuint (mux->media->blocks->len, ==, 101);
}

int
main (int argc, char **argv)
{
  int result;

  g_test_init (&argc, &argv, NULL);
  relais_test_gst_init ();
  vp8 = relais_test_capture_read (CAPTURE, "V_VP8");
  opus = make_packets (200);

  g_test_add_func ("/live-matroska-mux-fill/quiet-video", test_quiet_video);
  g_test_add_func ("/live-matroska-mux-fill/repeats-are-delta", test_repeats_are_delta);
  g_test_add_func ("/live-matroska-mux-fill/quiet-audio", test_quiet_audio);
  g_test_add_func ("/live-matroska-mux-fill/slow-rhythm", test_slow_rhythm);
  g_test_add_func ("/live-matroska-mux-fill/gap-before-unit", test_gap_before_unit);
  g_test_add_func ("/live-matroska-mux-fill/gap-within-unit", test_gap_within_unit);
  g_test_add_func ("/live-matroska-mux-fill/gap-of-all", test_gap_of_all);
  g_test_add_func ("/live-matroska-mux-fill/lone-keyframe", test_lone_keyframe);
  g_test_add_func ("/live-matroska-mux-fill/unit-without-sound", test_unit_without_sound);
  g_test_add_func ("/live-matroska-mux-fill/long-group", test_long_group);
  g_test_add_func ("/live-matroska-mux-fill/long-still", test_long_still);
  g_test_add_func ("/live-matroska-mux-fill/never", test_never);
  g_test_add_func ("/live-matroska-mux-fill/never-started", test_never_started);
  g_test_add_func ("/live-matroska-mux-fill/mute-from-the-start", test_mute_from_the_start);
  g_test_add_func ("/live-matroska-mux-fill/no-filler", test_no_filler);
  result = g_test_run ();

  g_ptr_array_unref (vp8);
  g_ptr_array_unref (opus);
  return result;
}
