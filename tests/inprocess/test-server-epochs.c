/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Publishers that leave, come back, begin anew, take over: what the viewers who stay are told. */

#include <string.h>

#include "relais-test-capture.h"
#include "relais-test-chunks.h"
#include "relais-test-client.h"

#define NO_FILLERS "quiet-track-ms", "0", "quiet-track-drop-ms", "86400000"
#define AV_MIME    "video/webm; codecs=\"vp8,opus\""
#define VP9_MIME   "video/webm; codecs=\"vp9,opus\""
#define AUDIO_MIME "audio/webm; codecs=\"opus\""

static void
publish (RelaisTestClient *publisher, const char *capture)
{
  g_autoptr (GPtrArray) chunks = relais_test_chunks_read (capture);

  relais_test_client_send_chunks (publisher, chunks, 0, chunks->len);
}

static void
publish_and_leave (RelaisTestServer *server, const char *id, const char *capture)
{
  g_autoptr (RelaisTestClient) publisher = relais_test_client_new_publisher (server, id);

  publish (publisher, capture);
  relais_test_client_end_publishing (publisher);
}

/* Returns: the blocks of the epoch with this number */
static guint
count_blocks (RelaisTestClient *viewer, guint header)
{
  guint n = 0;

  for (guint i = 0; i < viewer->media->blocks->len; i++)
    n += relais_test_media_get_block (viewer->media, i)->header == header;
  return n;
}

static guint
count_frames (const char *capture, const char *codec_id)
{
  g_autoptr (GPtrArray) frames = relais_test_capture_read (capture, codec_id);

  return frames->len;
}

/* Within the grace period: the same connection, the next epoch, time that goes on. */
static void
test_republish (void)
{
  static const char *const captures[]
      = { "chrome-vp8-opus.webm", "chrome-vp8-opus.webm", "chrome-vp9-opus.webm",
          "chrome-opus.webm", "firefox-vp8-opus.webm" };
  static const char *const mimes[] = { AV_MIME, AV_MIME, VP9_MIME, AUDIO_MIME, AV_MIME };
  g_autoptr (RelaisTestServer) server = relais_test_server_new (NO_FILLERS, NULL);
  g_autoptr (RelaisTestClient) viewer = relais_test_client_new_viewer (server, "demo", TRUE);

  for (guint i = 0; i < G_N_ELEMENTS (captures); i++)
    {
      publish_and_leave (server, "demo", captures[i]);
      relais_test_client_read_until (viewer, "interrupted");
      g_assert_cmpuint (viewer->n_inits, ==, i + 1);
      g_assert_cmpint (viewer->epoch, ==, i + 1);
      g_assert_cmpstr (viewer->mime, ==, mimes[i]);
    }
  relais_test_media_assert_in_order (viewer->media);
  g_assert_cmpuint (count_blocks (viewer, 1), ==,
                    count_frames (captures[0], "V_VP8") + count_frames (captures[0], "A_OPUS"));
  g_assert_cmpuint (count_blocks (viewer, 2), ==, count_blocks (viewer, 1));
  g_assert_cmpuint (count_blocks (viewer, 4), ==, count_frames (captures[3], "A_OPUS"));

  /* each epoch begins where the one before it ended, to within a frame */
  for (guint i = 1; i < viewer->media->blocks->len; i++)
    {
      const RelaisTestBlock *before = relais_test_media_get_block (viewer->media, i - 1);
      const RelaisTestBlock *after = relais_test_media_get_block (viewer->media, i);

      if (before->header != after->header)
        g_assert_cmpint (after->time - before->time, <=, 200);
    }
}

/* A connection that breaks without a close is the same. */
static void
test_broken (void)
{
  g_autoptr (RelaisTestServer) server = relais_test_server_new (NO_FILLERS, NULL);
  g_autoptr (RelaisTestClient) viewer = relais_test_client_new_viewer (server, "demo", TRUE);
  RelaisTestClient *publisher = relais_test_client_new_publisher (server, "demo");

  publish (publisher, "chrome-vp8.webm");
  relais_test_client_free (publisher);
  relais_test_client_read_until (viewer, "interrupted");
  g_assert_cmpuint (viewer->media->blocks->len, ==, count_frames ("chrome-vp8.webm", "V_VP8"));
  publish_and_leave (server, "demo", "chrome-vp8.webm");
  relais_test_client_read_until (viewer, "interrupted");
  g_assert_cmpuint (viewer->n_inits, ==, 2);
}

/* After the grace period; whoever stays sees the next one, whoever comes then waits. */
static void
test_ended (void)
{
  g_autoptr (RelaisTestServer) server
      = relais_test_server_new ("republish-grace-ms", "30", NO_FILLERS, NULL);
  g_autoptr (RelaisTestClient) viewer = relais_test_client_new_viewer (server, "demo", TRUE);
  g_autoptr (RelaisTestClient) late = NULL;

  for (guint i = 0; i < 3; i++)
    {
      publish_and_leave (server, "demo", "chrome-vp8.webm");
      relais_test_client_read_until (viewer, "interrupted");
      relais_test_client_expect_type (viewer, "ended");
      g_assert_cmpint (viewer->epoch, ==, i + 1);
      if (i > 0)
        {
          relais_test_client_read_until (late, "ended");
          g_assert_cmpint (late->epoch, ==, i + 1);
          relais_test_client_free (g_steal_pointer (&late));
        }
      late = relais_test_client_new_viewer (server, "demo", TRUE);
    }
  relais_test_server_await_number (server, "demo", "viewers", 2);
}

/* Between `interrupted` and the next epoch there is nothing to begin with. */
static void
test_join_while_interrupted (void)
{
  g_autoptr (RelaisTestServer) server = relais_test_server_new (NO_FILLERS, NULL);
  g_autoptr (RelaisTestClient) witness = relais_test_client_new_viewer (server, "demo", TRUE);
  g_autoptr (RelaisTestClient) viewer = NULL;

  publish_and_leave (server, "demo", "chrome-vp8.webm");
  relais_test_client_read_until (witness, "interrupted");
  viewer = relais_test_client_new_viewer (server, "demo", TRUE);
  publish_and_leave (server, "demo", "chrome-vp8.webm");
  relais_test_client_read_until (viewer, "interrupted");
  g_assert_cmpint (viewer->epoch, ==, 2);
  g_assert_cmpuint (viewer->n_inits, ==, 1);
  g_assert_cmpuint (viewer->media->blocks->len, ==, count_frames ("chrome-vp8.webm", "V_VP8"));
}

/* A page that restarts its recorder on the same connection: nothing is lost before or after. */
static void
test_second_recording (void)
{
  g_autoptr (RelaisTestServer) server = relais_test_server_new (NO_FILLERS, NULL);
  g_autoptr (RelaisTestClient) viewer = relais_test_client_new_viewer (server, "demo", TRUE);
  g_autoptr (RelaisTestClient) publisher = relais_test_client_new_publisher (server, "demo");

  publish (publisher, "chrome-vp8-opus.webm");
  publish (publisher, "chrome-vp9-opus.webm");
  publish (publisher, "chrome-opus.webm");
  publish (publisher, "chrome-vp8-opus.webm");
  relais_test_client_end_publishing (publisher);
  relais_test_client_read_until (viewer, "interrupted");
  g_assert_cmpuint (viewer->n_inits, ==, 4);
  g_assert_cmpuint (count_blocks (viewer, 1), ==,
                    count_frames ("chrome-vp8-opus.webm", "V_VP8")
                        + count_frames ("chrome-vp8-opus.webm", "A_OPUS"));
  g_assert_cmpuint (count_blocks (viewer, 2), ==,
                    count_frames ("chrome-vp9-opus.webm", "V_VP9")
                        + count_frames ("chrome-vp9-opus.webm", "A_OPUS"));
  g_assert_cmpuint (count_blocks (viewer, 3), ==, count_frames ("chrome-opus.webm", "A_OPUS"));
  g_assert_cmpuint (count_blocks (viewer, 4), ==, count_blocks (viewer, 1));
  relais_test_media_assert_in_order (viewer->media);
}

static void
test_takeover (void)
{
  g_autoptr (RelaisTestServer) server
      = relais_test_server_new ("publisher-conflict", "takeover", NO_FILLERS, NULL);
  g_autoptr (RelaisTestClient) viewer = relais_test_client_new_viewer (server, "demo", TRUE);
  RelaisTestClient *publishers[4];
  guint n_blocks = 0;

  for (guint i = 0; i < G_N_ELEMENTS (publishers); i++)
    {
      publishers[i] = relais_test_client_new_publisher (server, "demo");
      if (i > 0)
        {
          relais_test_client_expect_error (publishers[i - 1], "busy", 1008);
          relais_test_client_free (publishers[i - 1]);
        }
      publish (publishers[i], "chrome-vp8.webm");
      n_blocks += count_frames ("chrome-vp8.webm", "V_VP8") - 1;
      relais_test_client_read_blocks (viewer, n_blocks);
    }
  relais_test_client_end_publishing (publishers[3]);
  relais_test_client_free (publishers[3]);
  relais_test_client_read_until (viewer, "interrupted");
  g_assert_cmpint (viewer->epoch, ==, 4);
  relais_test_media_assert_in_order (viewer->media);
}

/* A publisher that comes and goes many times leaves nothing behind (which freeing the server
 * checks). */
static void
test_many (void)
{
  g_autoptr (RelaisTestServer) server = relais_test_server_new (NO_FILLERS, NULL);
  g_autoptr (RelaisTestClient) viewer = relais_test_client_new_viewer (server, "demo", TRUE);
  g_autoptr (GPtrArray) chunks = relais_test_chunks_read ("chrome-vp8.webm");
  guint n_fds = relais_test_server_get_idle_fds (server);

  for (guint i = 0; i < 50; i++)
    {
      g_autoptr (RelaisTestClient) publisher = relais_test_client_new_publisher (server, "demo");

      relais_test_client_send_chunks (publisher, chunks, 0, 5 + i % 20);
      if (i % 2 == 0)
        relais_test_client_end_publishing (publisher);
      g_clear_pointer (&publisher, relais_test_client_free);
      relais_test_client_read_until (viewer, "interrupted");
      g_assert_cmpint (viewer->epoch, ==, i + 1);
    }
  relais_test_media_assert_in_order (viewer->media);
  relais_test_server_await_fds (server, n_fds);
}

int
main (int argc, char **argv)
{
  relais_test_server_init (&argc, &argv);
  g_test_add_func ("/server-epochs/republish", test_republish);
  g_test_add_func ("/server-epochs/broken", test_broken);
  g_test_add_func ("/server-epochs/ended", test_ended);
  g_test_add_func ("/server-epochs/join-while-interrupted", test_join_while_interrupted);
  g_test_add_func ("/server-epochs/second-recording", test_second_recording);
  g_test_add_func ("/server-epochs/takeover", test_takeover);
  g_test_add_func ("/server-epochs/many", test_many);
  return relais_test_server_run ();
}
