/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Viewers that are slow, stuck, half gone or gone in the middle: the soft and the hard limit, and
 * the others who do not notice. */

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "relais-test-capture.h"
#include "relais-test-chunks.h"
#include "relais-test-client.h"

#define NO_FILLERS "quiet-track-ms", "0", "quiet-track-drop-ms", "86400000"
#define CAPTURE    "chrome-vp8-720p.webm"

/* A client whose kernel takes little, so that a stop shows at once. */
static RelaisTestClient *
new_narrow_viewer (RelaisTestServer *server, const char *id, gboolean waits)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GSocket) socket
      = g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_TCP, &error);
  g_autofree char *path = g_strconcat ("/live/", id, NULL);
  RelaisTestClient *viewer;

  g_assert_no_error (error);
  g_socket_set_option (socket, SOL_SOCKET, SO_RCVBUF, 4096, &error);
  g_assert_no_error (error);
  g_socket_connect (socket, relais_test_server_get_address (server), NULL, &error);
  g_assert_no_error (error);
  viewer = relais_test_client_new_for_io (
      G_IO_STREAM (g_socket_connection_factory_create_connection (socket)));
  relais_test_client_send_handshake (viewer, path);
  relais_test_client_finish_handshake (viewer);
  if (waits)
    relais_test_client_expect_type (viewer, "waiting");
  return viewer;
}

/* Sends the recording again and again, each time as a new epoch, until the kernel has no room left
 * for a viewer who does not read; @witness reads on. */
static void
publish_rounds (RelaisTestClient *publisher, RelaisTestClient *witness, guint n_rounds)
{
  g_autoptr (GPtrArray) chunks = relais_test_chunks_read (CAPTURE);

  for (guint round = 0; round < n_rounds; round++)
    for (guint i = 0; i < chunks->len; i += 4)
      {
        guint n_before = witness->media->blocks->len;

        relais_test_client_send_chunks (publisher, chunks, i, MIN (i + 4, chunks->len));
        relais_test_client_read_blocks (witness, n_before + 1);
      }
}

/* The soft limit: a viewer that reads too slowly is told what it has missed, and goes on at a
 * keyframe. What it gets is as whole as anybody's. */
static void
test_drop (void)
{
  g_autoptr (RelaisTestServer) server
      = relais_test_server_new (NO_FILLERS, "viewer-lag-bytes", "65536", "viewer-unsent-bytes",
                                "4096", NULL);
  g_autoptr (RelaisTestClient) witness = relais_test_client_new_viewer (server, "demo", TRUE);
  g_autoptr (RelaisTestClient) slow = new_narrow_viewer (server, "demo", TRUE);
  g_autoptr (RelaisTestClient) publisher = relais_test_client_new_publisher (server, "demo");

  publish_rounds (publisher, witness, 4);
  relais_test_client_end_publishing (publisher);
  relais_test_client_read_until (witness, "interrupted");

  relais_test_client_read_until (slow, "interrupted");
  g_assert_cmpuint (slow->n_drops, >, 0);
  /* on a busy machine the witness may have been late as well */
  g_assert_cmpint (relais_test_server_get_number (server, "demo", "viewer_drops"), ==,
                   slow->n_drops + witness->n_drops);
  g_assert_cmpuint (slow->media->blocks->len, <, witness->media->blocks->len);
  relais_test_media_assert_in_order (slow->media);
  relais_test_media_assert_in_order (witness->media);
  g_assert_cmpint (witness->epoch, ==, 4);
  g_assert_cmpint (slow->epoch, ==, 4);
}

/* The hard limit: a viewer that takes nothing is closed, and the others have lost nothing. */
static void
test_stall (void)
{
  g_autoptr (RelaisTestServer) server
      = relais_test_server_new (NO_FILLERS, "viewer-stall-ms", "1000", "viewer-unsent-bytes",
                                "4096", NULL);
  g_autoptr (RelaisTestClient) witness = relais_test_client_new_viewer (server, "demo", TRUE);
  g_autoptr (RelaisTestClient) stuck = new_narrow_viewer (server, "demo", TRUE);
  g_autoptr (RelaisTestClient) publisher = relais_test_client_new_publisher (server, "demo");

  publish_rounds (publisher, witness, 4);
  relais_test_client_end_publishing (publisher);
  relais_test_client_read_until (witness, "interrupted");
  relais_test_server_await_number (server, "demo", "viewers", 1);
  relais_test_media_assert_in_order (witness->media);
  g_assert_cmpint (witness->epoch, ==, 4);
}

/* Slow is not stuck: one byte at a time, and everything arrives. */
static void
test_byte_at_a_time (void)
{
  g_autoptr (RelaisTestServer) server
      = relais_test_server_new (NO_FILLERS, "viewer-unsent-bytes", "4096", "viewer-lag-bytes",
                                "1073741824", "viewer-lag-ms", "86400000", NULL);
  g_autoptr (GPtrArray) frames = relais_test_capture_read ("chrome-opus.webm", "A_OPUS");
  g_autoptr (GPtrArray) chunks = relais_test_chunks_read ("chrome-opus.webm");
  g_autoptr (RelaisTestClient) viewer = new_narrow_viewer (server, "demo", TRUE);
  g_autoptr (RelaisTestClient) publisher = relais_test_client_new_publisher (server, "demo");
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  static const char end[] = "{\"type\":\"interrupted\"}";

  relais_test_client_send_chunks (publisher, chunks, 0, chunks->len);
  relais_test_client_end_publishing (publisher);
  while (bytes->len < sizeof end
         || memcmp (bytes->data + bytes->len - (sizeof end - 1), end, sizeof end - 1) != 0)
    {
      guint8 byte;
      g_autoptr (GError) error = NULL;

      g_assert_cmpint (g_input_stream_read (viewer->input, &byte, 1, NULL, &error), ==, 1);
      g_assert_no_error (error);
      g_byte_array_append (bytes, &byte, 1);
    }
  {
    g_autoptr (GInputStream) replay
        = g_memory_input_stream_new_from_data (bytes->data, bytes->len, NULL);

    viewer->input = replay;
    relais_test_client_read_until (viewer, "interrupted");
    viewer->input = g_io_stream_get_input_stream (viewer->io);
  }
  relais_test_media_assert_payloads (viewer->media, "A_OPUS", frames, 0);
}

/* A peer that is gone without a word: its machine was switched off, so nothing is answered, nothing
 * refused. A client that never reads and never answers looks the same from here. */
static void
test_half_open (void)
{
  g_autoptr (RelaisTestServer) server
      = relais_test_server_new ("viewer-ping-ms", "100", "viewer-stall-ms", "600", NULL);
  g_autoptr (RelaisTestClient) silent = relais_test_client_new_viewer (server, "demo", TRUE);
  g_autoptr (RelaisTestClient) alive = relais_test_client_new_viewer (server, "demo", TRUE);
  gboolean is_gone = FALSE;

  g_assert_cmpint (relais_test_server_get_number (server, "demo", "viewers"), ==, 2);
  while (!is_gone)
    {
      g_auto (RelaisTestFrame) frame = relais_test_client_read_frame (alive);

      g_assert_cmpuint (frame.opcode, ==, RELAIS_TEST_PING);
      relais_test_client_send (alive, RELAIS_TEST_PONG, NULL, 0);
      is_gone = relais_test_server_get_number (server, "demo", "viewers") == 1;
    }
  /* pings, then the end */
  for (;;)
    {
      g_auto (RelaisTestFrame) frame = relais_test_client_read_frame (silent);

      if (frame.opcode == 0)
        break;
      g_assert_cmpuint (frame.opcode, ==, RELAIS_TEST_PING);
    }
}

/* A viewer that shuts its own side down has left. */
static void
test_half_closed (void)
{
  g_autoptr (RelaisTestServer) server = relais_test_server_new (NULL);
  g_autoptr (RelaisTestClient) viewer = relais_test_client_new_viewer (server, "demo", TRUE);

  g_socket_shutdown (relais_test_client_get_socket (viewer), FALSE, TRUE, NULL);
  relais_test_client_expect_end (viewer);
  relais_test_server_await_no_stream (server, "demo");
}

/* Viewers leave in the middle of a frame, politely or by a reset, with the socket full or not. */
static void
test_leave_mid_frame (void)
{
  g_autoptr (RelaisTestServer) server
      = relais_test_server_new (NO_FILLERS, "viewer-unsent-bytes", "4096", NULL);
  g_autoptr (RelaisTestClient) witness = relais_test_client_new_viewer (server, "demo", TRUE);
  g_autoptr (RelaisTestClient) publisher = relais_test_client_new_publisher (server, "demo");
  g_autoptr (GPtrArray) chunks = relais_test_chunks_read (CAPTURE);
  guint n_fds;

  relais_test_client_send_chunks (publisher, chunks, 0, 4);
  relais_test_client_read_blocks (witness, 1);
  n_fds = relais_test_server_get_idle_fds (server); /* those of the pipeline are among them */
  for (guint i = 4; i < chunks->len; i++)
    {
      g_autoptr (RelaisTestClient) viewer = new_narrow_viewer (server, "demo", FALSE);
      struct linger reset = { .l_onoff = 1 };
      guint n_before = witness->media->blocks->len;
      char bytes[3000];

      g_input_stream_read_all (viewer->input, bytes, 1 + (i * 37) % sizeof bytes, NULL, NULL, NULL);
      relais_test_client_send_chunks (publisher, chunks, i, i + 1);
      relais_test_client_read_blocks (witness, n_before + 1);
      if (i % 2 == 0)
        setsockopt (g_socket_get_fd (relais_test_client_get_socket (viewer)), SOL_SOCKET, SO_LINGER,
                    &reset, sizeof reset);
    }
  relais_test_server_await_number (server, "demo", "viewers", 1);
  relais_test_server_await_fds (server, n_fds);
  relais_test_client_end_publishing (publisher);
  relais_test_client_read_until (witness, "interrupted");
  relais_test_media_assert_in_order (witness->media);
}

/* A group of pictures larger than the ring: the API says so; whoever plays plays on; whoever joins
 * waits for the next keyframe, and then plays. */
static void
test_large_gop (void)
{
  g_autoptr (RelaisTestServer) server
      = relais_test_server_new (NO_FILLERS, "ring-max-bytes", "65536", NULL);
  g_autoptr (GPtrArray) chunks = relais_test_chunks_read (CAPTURE);
  g_autoptr (RelaisTestClient) witness = relais_test_client_new_viewer (server, "demo", TRUE);
  g_autoptr (RelaisTestClient) publisher = relais_test_client_new_publisher (server, "demo");
  g_autoptr (RelaisTestClient) joining = NULL;
  g_autoptr (JsonNode) node = NULL;
  guint i;

  /* The keyframes are 5 s apart, which is 50 chunks. A chunk is a unit, but for the first ones. The
   * witness is never further behind than the ring is long. */
  for (i = 0; i < 30; i++)
    {
      relais_test_client_send_chunks (publisher, chunks, i, i + 1);
      relais_test_client_read_units (witness, i > 2 ? i - 2 : 0);
    }
  node = relais_test_server_get_stream (server, "demo");
  g_assert_cmpint (json_object_get_int_member (
                       json_object_get_object_member (json_node_get_object (node), "ring"),
                       "sync_points_lost"),
                   >, 0);
  joining = relais_test_client_new_viewer (server, "demo", FALSE);
  for (; i < chunks->len; i++)
    {
      relais_test_client_send_chunks (publisher, chunks, i, i + 1);
      relais_test_client_read_units (witness, i - 2);
    }
  relais_test_client_end_publishing (publisher);
  relais_test_client_read_until (witness, "interrupted");
  relais_test_client_read_until (joining, "interrupted");
  g_assert_cmpuint (witness->n_inits, ==, 1);
  g_assert_cmpuint (joining->n_inits, ==, 1);
  g_assert_cmpuint (joining->media->blocks->len, <, witness->media->blocks->len);
}

int
main (int argc, char **argv)
{
  relais_test_server_init (&argc, &argv);
  g_test_add_func ("/server-slow/drop", test_drop);
  g_test_add_func ("/server-slow/stall", test_stall);
  g_test_add_func ("/server-slow/byte-at-a-time", test_byte_at_a_time);
  g_test_add_func ("/server-slow/half-open", test_half_open);
  g_test_add_func ("/server-slow/half-closed", test_half_closed);
  g_test_add_func ("/server-slow/leave-mid-frame", test_leave_mid_frame);
  g_test_add_func ("/server-slow/large-gop", test_large_gop);
  return relais_test_server_run ();
}
