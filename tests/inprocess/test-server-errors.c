/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Publishers that send what cannot be carried: each gets its error message and close code, and
 * nobody else notices. Requests that are no WebSocket. */

#include <string.h>

#include "relais-test-capture.h"
#include "relais-test-chunks.h"
#include "relais-test-client.h"

#define EBML_HEADER "\x1a\x45\xdf\xa3\x87\x42\x82\x84webm"
#define SEGMENT     "\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xff"

/* A stream that has nothing to do with it. */
typedef struct
{
  GPtrArray *chunks;
  RelaisTestClient *publisher;
  RelaisTestClient *viewer;
  guint n_sent;
} Neighbour;

static void
neighbour_init (Neighbour *self, RelaisTestServer *server)
{
  self->chunks = relais_test_chunks_read ("chrome-opus.webm");
  self->viewer = relais_test_client_new_viewer (server, "neighbour", TRUE);
  self->publisher = relais_test_client_new_publisher (server, "neighbour");
  relais_test_client_send_chunks (self->publisher, self->chunks, 0, 4);
  self->n_sent = 4;
}

/* Another chunk goes through. */
static void
neighbour_check (Neighbour *self)
{
  g_assert_cmpuint (self->n_sent, <, self->chunks->len);
  relais_test_client_send_chunks (self->publisher, self->chunks, self->n_sent, self->n_sent + 1);
  self->n_sent++;
  relais_test_client_read_blocks (self->viewer, self->n_sent - 4);
}

static void
neighbour_clear (Neighbour *self)
{
  relais_test_client_free (self->publisher);
  relais_test_client_free (self->viewer);
  g_ptr_array_unref (self->chunks);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Neighbour, neighbour_clear)

static void
expect_refusal (RelaisTestServer *server,
                gconstpointer data,
                gsize size,
                const char *code,
                guint16 close_code)
{
  g_autoptr (RelaisTestClient) publisher = relais_test_client_new_publisher (server, "bad");

  relais_test_client_send (publisher, RELAIS_TEST_BINARY, data, size);
  relais_test_client_expect_error (publisher, code, close_code);
}

static void
test_not_matroska (void)
{
  static const struct
  {
    const char *data;
    gsize size;
  } inputs[] = {
    { "hello", 5 },
    { "\0\0\0\x1c"
      "ftypisom\0\0\2\0isomiso2mp41\0\0\0\0",
      32 },
    { "OggS\0\2\0\0\0\0\0\0\0\0", 14 },
    { "\x89PNG\r\n\x1a\n", 8 },
    { "\x1a\x45\xdf\xa4", 4 },
    { "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 16 },
    { "\x1a\x45\xdf\xa3\x86\x42\x82\x83wav", 11 }, /* another DocType */
  };
  g_autoptr (RelaisTestServer) server = relais_test_server_new (NULL);
  g_auto (Neighbour) neighbour = { 0 };
  g_autoptr (RelaisTestClient) waiting = relais_test_client_new_viewer (server, "bad", TRUE);
  g_autoptr (GPtrArray) chunks = relais_test_chunks_read ("chrome-opus.webm");
  g_autoptr (RelaisTestClient) good = NULL;

  neighbour_init (&neighbour, server);
  for (guint i = 0; i < G_N_ELEMENTS (inputs); i++)
    {
      g_test_message ("input %u", i);
      expect_refusal (server, inputs[i].data, inputs[i].size, "not-matroska", 1003);
      neighbour_check (&neighbour);
    }

  /* whoever waited there has heard nothing of it, and sees the one who can do it */
  good = relais_test_client_new_publisher (server, "bad");
  relais_test_client_send_chunks (good, chunks, 0, chunks->len);
  relais_test_client_read_blocks (waiting, 1);
  g_assert_cmpuint (waiting->n_inits, ==, 1);
}

/* A stream that begins in its middle. */
static void
test_no_header (void)
{
  g_autoptr (RelaisTestServer) server = relais_test_server_new (NULL);
  g_auto (Neighbour) neighbour = { 0 };
  g_autoptr (GPtrArray) chunks = relais_test_chunks_read ("chrome-vp8.webm");
  g_autoptr (GBytes) whole = relais_test_chunks_join (chunks);
  gsize size;
  const char *data = g_bytes_get_data (whole, &size);
  const char *cluster = memmem (data, size, "\x1f\x43\xb6\x75", 4);

  neighbour_init (&neighbour, server);
  g_assert_nonnull (cluster);
  expect_refusal (server, cluster, 10000, "no-header", 1003);
  neighbour_check (&neighbour);
  expect_refusal (server, EBML_HEADER SEGMENT "\x1f\x43\xb6\x75\x81\0",
                  sizeof (EBML_HEADER SEGMENT) - 1 + 6, "no-header", 1003);
  neighbour_check (&neighbour);
}

static void
test_header_too_large (void)
{
  g_autoptr (RelaisTestServer) server = relais_test_server_new ("header-max-bytes", "1024", NULL);
  g_auto (Neighbour) neighbour = { 0 };
  g_autoptr (GByteArray) header = g_byte_array_new ();

  neighbour_init (&neighbour, server);
  /* a Void of 1,500 bytes */
  g_byte_array_append (header, (const guint8 *) EBML_HEADER SEGMENT "\xec\x45\xdc",
                       sizeof (EBML_HEADER SEGMENT) - 1 + 3);
  g_byte_array_set_size (header, header->len + 1500);
  expect_refusal (server, header->data, header->len, "header-too-large", 1003);
  neighbour_check (&neighbour);
}

/* The clock runs from the first byte of a recording; a publisher that has sent nothing yet may
 * take its time. */
static void
test_header_timeout (void)
{
  g_autoptr (RelaisTestServer) server = relais_test_server_new ("header-timeout-ms", "300", NULL);
  g_auto (Neighbour) neighbour = { 0 };
  g_autoptr (RelaisTestClient) patient = relais_test_client_new_publisher (server, "patient");
  gint64 begun = g_get_monotonic_time ();

  neighbour_init (&neighbour, server);
  expect_refusal (server, "\x1a", 1, "header-timeout", 1003);
  g_assert_cmpint (g_get_monotonic_time () - begun, >=, 300 * 1000);
  neighbour_check (&neighbour);
  expect_refusal (server, EBML_HEADER SEGMENT, sizeof (EBML_HEADER SEGMENT) - 1, "header-timeout",
                  1003);
  neighbour_check (&neighbour);

  relais_test_client_send (patient, RELAIS_TEST_PING, "p", 1);
  {
    g_auto (RelaisTestFrame) pong = relais_test_client_read_frame (patient);

    g_assert_cmpuint (pong.opcode, ==, RELAIS_TEST_PONG);
  }
}

static void
test_chunk_too_large (void)
{
  g_autoptr (RelaisTestServer) server = relais_test_server_new ("chunk-max-bytes", "4096", NULL);
  g_auto (Neighbour) neighbour = { 0 };
  g_autoptr (GPtrArray) chunks = relais_test_chunks_read ("chrome-vp8.webm");
  g_autoptr (GBytes) whole = relais_test_chunks_join (chunks);
  const char *data = g_bytes_get_data (whole, NULL);
  g_autoptr (RelaisTestClient) viewer = relais_test_client_new_viewer (server, "exact", TRUE);
  g_autoptr (RelaisTestClient) exact = relais_test_client_new_publisher (server, "exact");

  neighbour_init (&neighbour, server);
  relais_test_client_send (exact, RELAIS_TEST_BINARY, data, 4096);
  relais_test_client_read_blocks (viewer, 1);
  relais_test_client_send (exact, RELAIS_TEST_BINARY, data + 4096, 4097);
  relais_test_client_expect_refusal (exact, "too-large", 1009);
  relais_test_client_read_until (viewer, "interrupted");
  neighbour_check (&neighbour);
}

/* The same recording with another codec's name in it, and how the error message has to call it. */
static void
publish_renamed (RelaisTestServer *server, const char *from, const char *to, const char *named)
{
  g_autoptr (GPtrArray) chunks = relais_test_chunks_read ("chrome-vp8-opus.webm");
  g_autoptr (GBytes) whole = relais_test_chunks_join (chunks);
  gsize size;
  g_autofree char *data = g_bytes_unref_to_data (g_bytes_ref (whole), &size);
  char *name = memmem (data, size, from, strlen (from));
  g_autoptr (RelaisTestClient) publisher = relais_test_client_new_publisher (server, "bad");
  g_auto (RelaisTestFrame) frame = { 0 };
  g_autofree char *text = NULL;

  g_assert_nonnull (name);
  memcpy (name, to, strlen (from));
  relais_test_client_send (publisher, RELAIS_TEST_BINARY, data, 20000);
  text = relais_test_client_read_text (publisher);
  g_test_message ("%s", text);
  g_assert_nonnull (strstr (text, "\"unsupported-codec\""));
  g_assert_nonnull (strstr (text, named));
  relais_test_client_expect_close (publisher, 1003);
}

static void
test_unsupported_codec (void)
{
  g_autoptr (RelaisTestServer) server = relais_test_server_new (NULL);
  g_auto (Neighbour) neighbour = { 0 };

  neighbour_init (&neighbour, server);
  publish_renamed (server, "V_VP8", "V_XYZ", "V_XYZ");
  neighbour_check (&neighbour);
  publish_renamed (server, "A_OPUS", "A_AC3\0", "AC-3");
  neighbour_check (&neighbour);
  publish_renamed (server, "A_OPUS", "A_ABCD", "A_ABCD");
  neighbour_check (&neighbour);
}

static void
test_busy (void)
{
  g_autoptr (RelaisTestServer) server = relais_test_server_new (NULL);
  g_auto (Neighbour) neighbour = { 0 };

  neighbour_init (&neighbour, server);
  for (guint i = 0; i < 3; i++)
    {
      g_autoptr (RelaisTestClient) second = relais_test_client_new (server, "/publish/neighbour");

      /* what it sends meanwhile goes nowhere */
      relais_test_client_send_chunks (second, neighbour.chunks, 0, 10);
      relais_test_client_expect_error (second, "busy", 1008);
      neighbour_check (&neighbour);
    }
  g_assert_cmpuint (neighbour.viewer->n_inits, ==, 1);
}

/* Text is answered and does no harm, in front of, between and behind chunks. */
static void
test_text (void)
{
  g_autoptr (RelaisTestServer) server = relais_test_server_new (NULL);
  g_auto (Neighbour) neighbour = { 0 };

  neighbour_init (&neighbour, server);
  for (guint i = 0; i < 3; i++)
    {
      relais_test_client_send (neighbour.publisher, RELAIS_TEST_TEXT, "{\"type\":\"hello\"}", 16);
      relais_test_client_read_until (neighbour.publisher, "error");
      neighbour_check (&neighbour);
    }
}

/* A publisher that leaves before there was anything to see. */
static void
test_leaves_early (void)
{
  static const gsize sizes[] = { 0, 1, 20, 300 };
  g_autoptr (GPtrArray) chunks = relais_test_chunks_read ("chrome-vp8.webm");
  g_autoptr (GBytes) whole = relais_test_chunks_join (chunks);
  const char *data = g_bytes_get_data (whole, NULL);
  g_autoptr (RelaisTestServer) server = relais_test_server_new ("republish-grace-ms", "0", NULL);

  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      g_autoptr (RelaisTestClient) publisher = relais_test_client_new_publisher (server, "early");

      relais_test_client_send (publisher, RELAIS_TEST_BINARY, data, sizes[i]);
      relais_test_client_end_publishing (publisher);
      relais_test_server_await_no_stream (server, "early");
    }
}

/* Bytes are lost in the middle: what is whole behind the hole is a new epoch for the same viewer.
 */
static void
test_lost_chunk (void)
{
  g_autoptr (RelaisTestServer) server = relais_test_server_new (NULL);
  g_autoptr (GPtrArray) chunks = relais_test_chunks_read ("chrome-vp8-opus.webm");
  g_autoptr (RelaisTestClient) viewer = relais_test_client_new_viewer (server, "holes", TRUE);
  g_autoptr (RelaisTestClient) publisher = relais_test_client_new_publisher (server, "holes");

  relais_test_client_send_chunks (publisher, chunks, 0, 20);
  relais_test_client_send_chunks (publisher, chunks, 22, 70);
  relais_test_client_send (publisher, RELAIS_TEST_BINARY, "garbage, garbage", 16);
  relais_test_client_send_chunks (publisher, chunks, 70, chunks->len);
  relais_test_client_end_publishing (publisher);
  relais_test_client_read_until (viewer, "interrupted");
  g_assert_cmpuint (viewer->n_inits, >=, 2);
  g_assert_cmpint (relais_test_server_get_number (server, "holes", "resyncs"), >=, 1);
  relais_test_media_assert_in_order (viewer->media);
}

/* Silence is an end, unless the publisher answers pings. */
static void
test_silent_publisher (void)
{
  g_autoptr (RelaisTestServer) server
      = relais_test_server_new ("publisher-silent-ms", "600", "republish-grace-ms", "0", NULL);
  g_autoptr (RelaisTestClient) silent = relais_test_client_new_publisher (server, "silent");
  g_autoptr (RelaisTestClient) paused = relais_test_client_new_publisher (server, "paused");
  guint n_pings = 0;

  while (n_pings < 4)
    {
      g_auto (RelaisTestFrame) frame = relais_test_client_read_frame (paused);

      g_assert_cmpuint (frame.opcode, !=, 0);
      g_assert_cmpuint (frame.opcode, !=, RELAIS_TEST_CLOSE);
      if (frame.opcode == RELAIS_TEST_PING)
        {
          relais_test_client_send (paused, RELAIS_TEST_PONG, NULL, 0);
          n_pings++;
        }
    }
  relais_test_client_expect_error (silent, "timeout", 1008);
  relais_test_server_await_no_stream (server, "silent");
}

/* HTTP */

static void
test_requests (void)
{
  static const struct
  {
    const char *path;
    guint status;
  } requests[] = {
    { "/live/demo", 426 },
    { "/publish/demo", 426 },
    { "/live/", 404 },
    { "/live/a%2fb", 404 },
    { "/live/%2e", 404 },
    { "/publish/a+b", 404 },
    { "/nothing", 404 },
    { "/api/v1/streams", 200 },
    { "/api/v1/streams/", 200 },
    { "/api/v1/streams/none", 404 },
    { "/api/v1/streamsx", 404 },
    { "/healthz", 200 },
    { "/", 200 },
    { "/watch/demo", 200 },
    { "/broadcast/demo", 200 },
    { "/relais-player.js", 200 },
    { "/assets/../../etc", 404 },
  };
  g_autoptr (RelaisTestServer) server = relais_test_server_new (NULL);

  for (guint i = 0; i < G_N_ELEMENTS (requests); i++)
    {
      guint status;
      g_autofree char *body = relais_test_server_get (server, requests[i].path, &status);

      g_test_message ("%s", requests[i].path);
      g_assert_cmpuint (status, ==, requests[i].status);
    }
}

/* Handshakes that are none, and connections that say nothing. */
static void
test_bad_handshakes (void)
{
  static const char *const requests[] = {
    "GET /live/demo HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\n\r\n",
    "GET /live/demo HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 8\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    "POST /live/demo HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade, close\r\n"
    "Content-Length: 0\r\n\r\n",
    "GET /live/demo HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nConnection: Upgrade, close\r\n\r\n",
    "\r\n\r\n\r\n",
    "\x16\x03\x01\x02\0\x01",
    "GET /live/demo HTTP/1.1\r\n",
    "",
  };
  g_autoptr (RelaisTestServer) server = relais_test_server_new (NULL);
  g_auto (Neighbour) neighbour = { 0 };

  neighbour_init (&neighbour, server);
  for (guint i = 0; i < G_N_ELEMENTS (requests); i++)
    {
      g_autoptr (RelaisTestClient) client
          = relais_test_client_new_for_io (relais_test_server_connect (server));
      char answer[1024] = { 0 };

      relais_test_client_send_bytes (client, requests[i], strlen (requests[i]));
      g_socket_shutdown (relais_test_client_get_socket (client), FALSE, TRUE, NULL);
      g_test_message ("request %u", i);
      g_input_stream_read_all (client->input, answer, sizeof answer - 1, NULL, NULL, NULL);
      g_assert_null (strstr (answer, "HTTP/1.1 101"));
      if (i < 4)
        g_assert_true (g_str_has_prefix (answer, "HTTP/1.1 4"));
    }
  neighbour_check (&neighbour);
  relais_test_server_await_no_stream (server, "demo");
}

/* A browser keeps its connection for the next request, and closes it one day; then the server must
 * do the same. (libsoup before 3.3 does not by itself.) */
static void
test_idle_connections (void)
{
  static const char request[] = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
  g_autoptr (RelaisTestServer) server = relais_test_server_new (NULL);
  guint n_fds = relais_test_server_get_idle_fds (server);

  for (guint i = 0; i < 20; i++)
    {
      g_autoptr (RelaisTestClient) client
          = relais_test_client_new_for_io (relais_test_server_connect (server));
      g_autoptr (GString) answer = g_string_new (NULL);
      char byte;

      relais_test_client_send_bytes (client, request, strlen (request));
      while (!g_str_has_suffix (answer->str, "\r\n\r\nok\n")
             && g_input_stream_read (client->input, &byte, 1, NULL, NULL) == 1)
        g_string_append_c (answer, byte);
    }
  relais_test_server_await_fds (server, n_fds);
}

int
main (int argc, char **argv)
{
  relais_test_server_init (&argc, &argv);
  g_test_add_func ("/server-errors/not-matroska", test_not_matroska);
  g_test_add_func ("/server-errors/no-header", test_no_header);
  g_test_add_func ("/server-errors/header-too-large", test_header_too_large);
  g_test_add_func ("/server-errors/header-timeout", test_header_timeout);
  g_test_add_func ("/server-errors/chunk-too-large", test_chunk_too_large);
  g_test_add_func ("/server-errors/unsupported-codec", test_unsupported_codec);
  g_test_add_func ("/server-errors/busy", test_busy);
  g_test_add_func ("/server-errors/text", test_text);
  g_test_add_func ("/server-errors/leaves-early", test_leaves_early);
  g_test_add_func ("/server-errors/lost-chunk", test_lost_chunk);
  g_test_add_func ("/server-errors/silent-publisher", test_silent_publisher);
  g_test_add_func ("/server-errors/requests", test_requests);
  g_test_add_func ("/server-errors/bad-handshakes", test_bad_handshakes);
  g_test_add_func ("/server-errors/idle-connections", test_idle_connections);
  return relais_test_server_run ();
}
