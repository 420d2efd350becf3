/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The end of the server, and the limits of what it carries: everybody is told. */

#include "relais-test-chunks.h"
#include "relais-test-client.h"

/* As SIGTERM does: viewers that play, viewers that wait, and publishers get 1012. */
static void
test_stop (void)
{
  g_autoptr (RelaisTestServer) server = relais_test_server_new (NULL);
  g_autoptr (GPtrArray) chunks = relais_test_chunks_read ("chrome-vp8-opus.webm");
  g_autoptr (RelaisTestClient) waiting = relais_test_client_new_viewer (server, "other", TRUE);
  g_autoptr (RelaisTestClient) viewer = relais_test_client_new_viewer (server, "demo", TRUE);
  g_autoptr (RelaisTestClient) publisher = relais_test_client_new_publisher (server, "demo");
  g_autoptr (RelaisTestClient) idle = relais_test_client_new_publisher (server, "idle");
  g_autoptr (RelaisTestClient) late = NULL;

  relais_test_client_send_chunks (publisher, chunks, 0, 20);
  relais_test_client_read_blocks (viewer, 20);
  late = relais_test_client_new_viewer (server, "demo", FALSE);
  relais_test_server_begin_stop (server);
  /* publishers go first: what they sent is delivered before the viewers are told */
  relais_test_client_expect_close (publisher, 1012);
  relais_test_client_expect_close (idle, 1012);
  relais_test_client_expect_close (waiting, 1012);
  relais_test_client_expect_close (viewer, 1012);
  relais_test_client_expect_close (late, 1012);
}

/* A server without anybody ends as well, as does one whose listener was never used. */
static void
test_stop_unused (void)
{
  for (guint i = 0; i < 5; i++)
    {
      g_autoptr (RelaisTestServer) server = relais_test_server_new (NULL);
    }
}

/* Clients that do not answer, or do not even read, cannot hold the server up for ever. */
static void
test_stop_deaf (void)
{
  g_autoptr (RelaisTestServer) server
      = relais_test_server_new ("viewer-unsent-bytes", "4096", NULL);
  g_autoptr (GPtrArray) chunks = relais_test_chunks_read ("chrome-vp8-720p.webm");
  g_autoptr (RelaisTestClient) deaf = relais_test_client_new_viewer (server, "demo", TRUE);
  g_autoptr (RelaisTestClient) publisher = relais_test_client_new_publisher (server, "demo");

  for (guint i = 0; i < 10; i++)
    relais_test_client_send_chunks (publisher, chunks, 0, chunks->len);
  relais_test_server_stop (server);
}

static void
expect_limit (RelaisTestServer *server, const char *path)
{
  g_autoptr (RelaisTestClient) client = relais_test_client_new (server, path);

  relais_test_client_expect_error (client, "limit", 1013);
}

static void
test_viewers_per_address (void)
{
  g_autoptr (RelaisTestServer) server
      = relais_test_server_new ("viewers-per-address-max", "3", NULL);
  RelaisTestClient *viewers[3];

  for (guint i = 0; i < G_N_ELEMENTS (viewers); i++)
    viewers[i] = relais_test_client_new_viewer (server, i == 0 ? "a" : "b", TRUE);
  for (guint i = 0; i < 5; i++)
    expect_limit (server, "/live/c");
  /* a place that becomes free can be taken */
  relais_test_client_free (viewers[0]);
  relais_test_server_await_no_stream (server, "a");
  relais_test_server_await_no_stream (server, "c");
  viewers[0] = relais_test_client_new_viewer (server, "c", TRUE);
  expect_limit (server, "/live/c");
  for (guint i = 0; i < G_N_ELEMENTS (viewers); i++)
    relais_test_client_free (viewers[i]);
}

static void
test_viewers_per_stream (void)
{
  g_autoptr (RelaisTestServer) server
      = relais_test_server_new ("viewers-per-stream-max", "2", NULL);
  g_autoptr (RelaisTestClient) first = relais_test_client_new_viewer (server, "demo", TRUE);
  g_autoptr (RelaisTestClient) second = relais_test_client_new_viewer (server, "demo", TRUE);
  g_autoptr (RelaisTestClient) other = NULL;

  expect_limit (server, "/live/demo");
  other = relais_test_client_new_viewer (server, "other", TRUE);
  relais_test_client_free (g_steal_pointer (&first));
  relais_test_server_await_number (server, "demo", "viewers", 1);
  first = relais_test_client_new_viewer (server, "demo", TRUE);
}

static void
test_viewers (void)
{
  g_autoptr (RelaisTestServer) server = relais_test_server_new ("viewers-max", "2", NULL);
  g_autoptr (RelaisTestClient) first = relais_test_client_new_viewer (server, "a", TRUE);
  g_autoptr (RelaisTestClient) second = relais_test_client_new_viewer (server, "b", TRUE);

  expect_limit (server, "/live/a");
  expect_limit (server, "/live/c");
}

/* The same words for a viewer of a stream too many as for its publisher. */
static void
test_streams (void)
{
  g_autoptr (RelaisTestServer) server
      = relais_test_server_new ("streams-max", "2", "republish-grace-ms", "0", NULL);
  g_autoptr (RelaisTestClient) viewer = relais_test_client_new_viewer (server, "a", TRUE);
  g_autoptr (RelaisTestClient) publisher = relais_test_client_new_publisher (server, "b");
  g_autoptr (RelaisTestClient) third = NULL;

  expect_limit (server, "/publish/c");
  expect_limit (server, "/live/c");
  relais_test_client_end_publishing (publisher);
  relais_test_server_await_no_stream (server, "b");
  third = relais_test_client_new_publisher (server, "c");
}

int
main (int argc, char **argv)
{
  relais_test_server_init (&argc, &argv);
  g_test_add_func ("/server-limits/stop", test_stop);
  g_test_add_func ("/server-limits/stop-unused", test_stop_unused);
  g_test_add_func ("/server-limits/stop-deaf", test_stop_deaf);
  g_test_add_func ("/server-limits/viewers-per-address", test_viewers_per_address);
  g_test_add_func ("/server-limits/viewers-per-stream", test_viewers_per_stream);
  g_test_add_func ("/server-limits/viewers", test_viewers);
  g_test_add_func ("/server-limits/streams", test_streams);
  return relais_test_server_run ();
}
