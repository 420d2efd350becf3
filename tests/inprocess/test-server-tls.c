/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The same through TLS: publishers, viewers, pages, slow readers, the end. */

#include "relais-test-capture.h"
#include "relais-test-chunks.h"
#include "relais-test-client.h"

#define TLS                                                                                        \
  "tls-certificate", RELAIS_TEST_DATA_DIR "/tls/certificate.pem", "tls-key",                       \
      RELAIS_TEST_DATA_DIR "/tls/key.pem", "quiet-track-ms", "0", "quiet-track-drop-ms",           \
      "86400000"

static gboolean
has_tls (void)
{
  if (g_tls_backend_supports_tls (g_tls_backend_get_default ()))
    return TRUE;
  g_test_skip ("glib-networking is missing");
  return FALSE;
}

static void
test_play (void)
{
  g_autoptr (RelaisTestServer) server = NULL;
  g_autoptr (GPtrArray) chunks = relais_test_chunks_read ("chrome-vp8-opus.webm");
  g_autoptr (GPtrArray) vp8 = relais_test_capture_read ("chrome-vp8-opus.webm", "V_VP8");
  g_autoptr (GPtrArray) opus = relais_test_capture_read ("chrome-vp8-opus.webm", "A_OPUS");
  g_autoptr (RelaisTestClient) viewer = NULL;
  g_autoptr (RelaisTestClient) publisher = NULL;
  g_autoptr (RelaisTestClient) late = NULL;

  if (!has_tls ())
    return;
  server = relais_test_server_new (TLS, NULL);
  viewer = relais_test_client_new_viewer (server, "demo", TRUE);
  publisher = relais_test_client_new_publisher (server, "demo");
  relais_test_client_send_chunks (publisher, chunks, 0, 60);
  relais_test_client_read_blocks (viewer, 60);
  late = relais_test_client_new_viewer (server, "demo", FALSE);
  relais_test_client_send_chunks (publisher, chunks, 60, chunks->len);
  relais_test_client_end_publishing (publisher);
  relais_test_client_read_until (viewer, "interrupted");
  relais_test_client_read_until (late, "interrupted");
  relais_test_media_assert_payloads (viewer->media, "V_VP8", vp8, 0);
  relais_test_media_assert_payloads (viewer->media, "A_OPUS", opus, 0);
  relais_test_media_assert_in_order (late->media);
}

/* What a client sends together with its last handshake bytes sits in the TLS layer, where no poll
 * sees it. */
static void
test_ping (void)
{
  g_autoptr (RelaisTestServer) server = NULL;
  g_autoptr (RelaisTestClient) viewer = NULL;

  if (!has_tls ())
    return;
  server = relais_test_server_new (TLS, NULL);
  viewer = relais_test_client_new_viewer (server, "demo", TRUE);
  for (guint i = 0; i < 100; i++)
    {
      g_auto (RelaisTestFrame) pong = { 0 };

      relais_test_client_send (viewer, RELAIS_TEST_PING, "still there", 11);
      pong = relais_test_client_read_frame (viewer);
      g_assert_cmpuint (pong.opcode, ==, RELAIS_TEST_PONG);
    }
  /* many frames in one record */
  {
    g_autoptr (GByteArray) pings = g_byte_array_new ();

    for (guint i = 0; i < 1000; i++)
      g_byte_array_append (pings, (const guint8 *) "\x89\x80\0\0\0\0", 6);
    relais_test_client_send_bytes (viewer, pings->data, pings->len);
    for (guint i = 0; i < 1000; i++)
      {
        g_auto (RelaisTestFrame) pong = relais_test_client_read_frame (viewer);

        g_assert_cmpuint (pong.opcode, ==, RELAIS_TEST_PONG);
      }
  }
  relais_test_client_send_close (viewer, 1000);
  relais_test_client_expect_close (viewer, 1000);
}

/* A socket that is full in the middle of a record: everything arrives once it is read. */
static void
test_slow_reader (void)
{
  g_autoptr (RelaisTestServer) server = NULL;
  g_autoptr (GPtrArray) chunks = relais_test_chunks_read ("chrome-vp8-720p.webm");
  g_autoptr (GPtrArray) vp8 = relais_test_capture_read ("chrome-vp8-720p.webm", "V_VP8");
  g_autoptr (RelaisTestClient) slow = NULL;
  g_autoptr (RelaisTestClient) witness = NULL;
  g_autoptr (RelaisTestClient) publisher = NULL;

  if (!has_tls ())
    return;
  server = relais_test_server_new (TLS, "viewer-unsent-bytes", "4096", "viewer-lag-bytes",
                                   "1073741824", "viewer-lag-ms", "86400000", NULL);
  slow = relais_test_client_new_viewer (server, "demo", TRUE);
  witness = relais_test_client_new_viewer (server, "demo", TRUE);
  publisher = relais_test_client_new_publisher (server, "demo");
  relais_test_client_send_chunks (publisher, chunks, 0, chunks->len);
  relais_test_client_end_publishing (publisher);
  relais_test_client_read_until (witness, "interrupted");
  relais_test_client_read_until (slow, "interrupted");
  relais_test_media_assert_payloads (slow->media, "V_VP8", vp8, 0);
  relais_test_media_assert_payloads (witness->media, "V_VP8", vp8, 0);
}

static void
test_pages (void)
{
  g_autoptr (RelaisTestServer) server = NULL;
  g_autofree char *page = NULL;
  guint status;

  if (!has_tls ())
    return;
  server = relais_test_server_new (TLS, NULL);
  page = relais_test_server_get (server, "/watch/demo", &status);
  g_assert_cmpuint (status, ==, 200);
}

static void
test_joins_and_leaves (void)
{
  g_autoptr (RelaisTestServer) server = NULL;
  guint n_fds;

  if (!has_tls ())
    return;
  server = relais_test_server_new (TLS, NULL);
  n_fds = relais_test_server_get_idle_fds (server);
  for (guint i = 0; i < 50; i++)
    {
      g_autoptr (RelaisTestClient) viewer = relais_test_client_new_viewer (server, "demo", TRUE);

      /* some go without a word of TLS */
      if (i % 2 == 0)
        {
          g_autoptr (GIOStream) base = NULL;

          g_object_get (viewer->io, "base-io-stream", &base, NULL);
          g_io_stream_close (base, NULL, NULL);
        }
    }
  relais_test_server_await_no_stream (server, "demo");
  relais_test_server_await_fds (server, n_fds);
}

static void
test_stop (void)
{
  g_autoptr (RelaisTestServer) server = NULL;
  g_autoptr (RelaisTestClient) viewer = NULL;
  g_autoptr (RelaisTestClient) publisher = NULL;

  if (!has_tls ())
    return;
  server = relais_test_server_new (TLS, NULL);
  viewer = relais_test_client_new_viewer (server, "demo", TRUE);
  publisher = relais_test_client_new_publisher (server, "demo");
  relais_test_server_begin_stop (server);
  relais_test_client_expect_close (publisher, 1012);
  relais_test_client_expect_close (viewer, 1012);
}

int
main (int argc, char **argv)
{
  relais_test_server_init (&argc, &argv);
  if (g_tls_backend_supports_tls (g_tls_backend_get_default ()))
    relais_test_server_warm_up (TLS, NULL);
  g_test_add_func ("/server-tls/play", test_play);
  g_test_add_func ("/server-tls/ping", test_ping);
  g_test_add_func ("/server-tls/slow-reader", test_slow_reader);
  g_test_add_func ("/server-tls/pages", test_pages);
  g_test_add_func ("/server-tls/joins-and-leaves", test_joins_and_leaves);
  g_test_add_func ("/server-tls/stop", test_stop);
  return relais_test_server_run ();
}
