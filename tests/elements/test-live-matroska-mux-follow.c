/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What follows in the same SourceBuffer (another recording, another header) loses no picture,
 * wherever the tracks of the one before ended and its own begin.
 *
 * Judged by the rules that browsers keep
 * (https://www.w3.org/TR/media-source-2/#sourcebuffer-coded-frame-processing, step 6): a frame that
 * comes more than two of the last frame's durations after it is a discontinuity, at which every
 * track waits for its next sync point. Sound says how long it is; of pictures nothing is taken for
 * granted here but that they have a sync point to begin with. */

#include "relais-test-capture.h"
#include "relais-test-gst.h"
#include "relais-test-mux.h"

#define VP9_CAPS    "video/x-vp9, width=640, height=360, framerate=0/1"
#define FRAME_MS    33
#define PACKET_MS   20
#define PACKET_SIZE 3 /* of silence too; no picture is that small */
#define N_FRAMES    12

typedef struct
{
  gint64 last, duration; /* ms; last < 0 = nothing to compare with */
  gboolean needs_sync_point;
} PlayerTrack;

typedef struct
{
  PlayerTrack tracks[2];
  guint n_headers;
  guint n_dropped; /* frames that nobody would see or hear */
  guint n_taken;
  gint64 time; /* of the last block */
} Player;

static GPtrArray *vp8, *vp9;
static GBytes *packet; /* SILK, 20 ms, one frame (RFC 6716 section 3.1) */

static void
wait_for_sync_points (Player *player, gboolean forget)
{
  for (guint i = 0; i < G_N_ELEMENTS (player->tracks); i++)
    {
      player->tracks[i].needs_sync_point = TRUE;
      if (forget)
        player->tracks[i].last = -1;
    }
}

/* @first_header: how many headers the player has seen before the media */
static void
play (Player *player, const RelaisTestMedia *media, guint first_header)
{
  for (guint i = 0; i < media->blocks->len; i++)
    {
      const RelaisTestBlock *block = relais_test_media_get_block (media, i);
      gboolean is_sound = g_bytes_get_size (block->payload) <= PACKET_SIZE;
      PlayerTrack *track = &player->tracks[is_sound];

      if (first_header + block->header != player->n_headers)
        {
          player->n_headers = first_header + block->header;
          wait_for_sync_points (player, FALSE);
        }
      g_assert_cmpint (block->time, >=, player->time);
      player->time = block->time;
      if (track->last >= 0 && track->duration > 0
          && block->time > track->last + 2 * track->duration)
        wait_for_sync_points (player, TRUE);
      if (track->needs_sync_point && !is_sound && !block->is_key)
        {
          player->n_dropped++;
          continue;
        }
      track->needs_sync_point = FALSE;
      track->last = block->time;
      track->duration = is_sound ? PACKET_MS : 0;
      player->n_taken++;
    }
}

static void
player_init (Player *player)
{
  *player = (Player){ .tracks = { { .last = -1 }, { .last = -1 } } };
}

static void
push (GstHarness *pad, guint64 time_ms, GBytes *frame)
{
  g_assert_cmpint (relais_test_mux_push (pad, time_ms * 1000, frame, FALSE), ==, GST_FLOW_OK);
}

/* N_FRAMES pictures from 0 on, and sound from @sound_begin to before @sound_end (ms), in units of
 * @unit_ms; behind @before. */
static RelaisTestMux *
record (RelaisTestMux *before, guint sound_begin, guint sound_end, guint unit_ms)
{
  guint64 offset = 0, sound_due = 0;
  g_autofree char *opus_caps = relais_test_mux_make_opus_caps (0);
  guint n_frames = 0, sound = sound_begin;
  RelaisTestMux *mux;

  if (before != NULL)
    g_object_get (before->mux, "end-time", &offset, "next-sound-due", &sound_due, NULL);
  mux = relais_test_mux_new (RELAIS_TEST_VP8_CAPS, opus_caps, "hold-units", TRUE,
                             "timestamp-offset", offset, "sound-due", sound_due, NULL);

  for (guint end = unit_ms; n_frames < N_FRAMES || sound < sound_end; end += unit_ms)
    {
      for (; n_frames < N_FRAMES && FRAME_MS * n_frames < end; n_frames++)
        push (mux->video, FRAME_MS * n_frames, g_ptr_array_index (vp8, n_frames));
      for (; sound < sound_end && sound < end; sound += PACKET_MS)
        push (mux->audio, sound, packet);
      g_assert_true (relais_test_mux_end_unit (mux->video));
    }
  gst_harness_push_event (mux->video, gst_event_new_eos ());
  gst_harness_push_event (mux->audio, gst_event_new_eos ());
  relais_test_mux_pull_all (mux);
  return mux;
}

static void
test_recording (gconstpointer data)
{
  guint unit_ms = GPOINTER_TO_UINT (data);

  for (guint sound_end = 200; sound_end < 600; sound_end += 7)
    {
      g_autoptr (RelaisTestMux) first = record (NULL, 0, sound_end, unit_ms);

      for (guint sound_begin = 0; sound_begin < 300; sound_begin += 11)
        {
          g_autoptr (RelaisTestMux) second = record (first, sound_begin, 400, unit_ms);
          Player player;

          player_init (&player);
          play (&player, first->media, 0);
          play (&player, second->media, 1);
          g_assert_cmpuint (player.n_dropped, ==, 0);
          g_assert_cmpuint (player.n_taken, >=, 2 * N_FRAMES);
          g_assert_cmpuint (relais_test_mux_get_stat (second, "video_0", "fillers"), ==, 0);
        }
    }
}

/* The sound of the second one never begins. */
static void
test_mute_recording (void)
{
  g_autoptr (RelaisTestMux) first = record (NULL, 0, 200, 100);
  g_autoptr (RelaisTestMux) second = record (first, 400, 400, 100);
  Player player;

  player_init (&player);
  play (&player, first->media, 0);
  play (&player, second->media, 1);
  g_assert_cmpuint (player.n_dropped, ==, 0);
  g_assert_cmpint (player.tracks[1].last + 3 * PACKET_MS, >=, player.time);
}

/* Nothing is laid where nothing is missing. */
static void
test_even_recording (void)
{
  g_autoptr (RelaisTestMux) first = record (NULL, 0, 400, 100);
  g_autoptr (RelaisTestMux) second = record (first, 0, 400, 100);

  g_assert_cmpuint (relais_test_mux_get_stat (first, "audio_0", "fillers"), ==, 0);
  g_assert_cmpuint (relais_test_mux_get_stat (second, "audio_0", "fillers"), ==, 0);
  g_assert_cmpuint (relais_test_mux_get_end_time (first), ==, 400 * GST_MSECOND);
}

/* Another header within a recording: the codec changes, @quiet_ms after the last sound. */
static void
test_header (void)
{
  for (guint quiet_ms = 0; quiet_ms < 140; quiet_ms += 3)
    {
      g_autofree char *opus_caps = relais_test_mux_make_opus_caps (0);
      g_autoptr (RelaisTestMux) mux
          = relais_test_mux_new (RELAIS_TEST_VP8_CAPS, opus_caps, "hold-units", TRUE, NULL);
      guint change = PACKET_MS * 10 + quiet_ms;
      Player player;

      for (guint i = 0; i < 10; i++)
        push (mux->audio, PACKET_MS * i, packet);
      for (guint i = 0; FRAME_MS * i < change; i++)
        push (mux->video, FRAME_MS * i, g_ptr_array_index (vp8, i));
      g_assert_true (relais_test_mux_end_unit (mux->video));
      gst_harness_set_src_caps_str (mux->video, VP9_CAPS);
      for (guint i = 0; i < N_FRAMES; i++)
        push (mux->video, change + FRAME_MS * i, g_ptr_array_index (vp9, i));
      push (mux->audio, change + 5, packet);
      g_assert_true (relais_test_mux_end_unit (mux->video));
      relais_test_mux_pull_all (mux);

      player_init (&player);
      play (&player, mux->media, 0);
      g_assert_cmpuint (mux->media->n_headers, ==, 2);
      g_assert_cmpuint (player.n_dropped, ==, 0);
    }
}

int
main (int argc, char **argv)
{
  int result;

  g_test_init (&argc, &argv, NULL);
  relais_test_gst_init ();
  vp8 = relais_test_capture_read ("chrome-vp8-opus.webm", "V_VP8");
  vp9 = relais_test_capture_read ("chrome-vp9-opus.webm", "V_VP9");
  packet = g_bytes_new_static ("\x48\x12\x34", PACKET_SIZE);

  g_test_add_data_func ("/live-matroska-mux-follow/recording/long-units", GUINT_TO_POINTER (250),
                        test_recording);
  g_test_add_data_func ("/live-matroska-mux-follow/recording/short-units", GUINT_TO_POINTER (40),
                        test_recording);
  g_test_add_func ("/live-matroska-mux-follow/mute-recording", test_mute_recording);
  g_test_add_func ("/live-matroska-mux-follow/even-recording", test_even_recording);
  g_test_add_func ("/live-matroska-mux-follow/header", test_header);
  result = g_test_run ();

  g_ptr_array_unref (vp8);
  g_ptr_array_unref (vp9);
  g_bytes_unref (packet);
  return result;
}
