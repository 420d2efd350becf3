/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* RFC 6455 at both doors: what clients may send is answered, what they may not is refused with the
 * right close code, and nobody else is disturbed. */

#include <string.h>

#include "relais-test-chunks.h"
#include "relais-test-client.h"

#define MASK_KEY "\0\0\0\0"

typedef struct
{
  const char *name;
  const char *bytes;
  gsize size;
  guint16 close_code;
} Violation;

#define VIOLATION(name, bytes, code)                                                               \
  {                                                                                                \
    name, bytes, sizeof bytes - 1, code                                                            \
  }

static const Violation violations[] = {
  VIOLATION ("unmasked text", "\x81\x05hello", 1002),
  VIOLATION ("unmasked ping", "\x89\0", 1002),
  VIOLATION ("RSV1", "\xc1\x80" MASK_KEY, 1002),
  VIOLATION ("RSV2", "\xa1\x80" MASK_KEY, 1002),
  VIOLATION ("RSV3", "\x91\x80" MASK_KEY, 1002),
  VIOLATION ("opcode 3", "\x83\x80" MASK_KEY, 1002),
  VIOLATION ("opcode 11", "\x8b\x80" MASK_KEY, 1002),
  VIOLATION ("fragmented ping", "\x09\x80" MASK_KEY, 1002),
  VIOLATION ("fragmented close", "\x08\x80" MASK_KEY, 1002),
  VIOLATION ("ping of 126 bytes", "\x89\xfe\0\x7e" MASK_KEY, 1002),
  VIOLATION ("close of 126 bytes", "\x88\xfe\0\x7e" MASK_KEY, 1002),
  VIOLATION ("continuation of nothing", "\x80\x80" MASK_KEY, 1002),
  VIOLATION ("message within a message", "\x01\x80" MASK_KEY "\x81\x80" MASK_KEY, 1002),
  VIOLATION ("long form of a short length", "\x81\xfe\0\x05" MASK_KEY "hello", 1002),
  VIOLATION ("length of 64 bits", "\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff" MASK_KEY, 1002),
  VIOLATION ("text that is not UTF-8", "\x81\x82" MASK_KEY "\xc3\x28", 1007),
  VIOLATION ("half a character", "\x81\x81" MASK_KEY "\xc3", 1007),
  VIOLATION ("close with half a code", "\x88\x81" MASK_KEY "\x03", 1002),
  VIOLATION ("close with 1005", "\x88\x82" MASK_KEY "\x03\xed", 1002),
  VIOLATION ("close with 999", "\x88\x82" MASK_KEY "\x03\xe7", 1002),
  VIOLATION ("close reason that is not UTF-8", "\x88\x83" MASK_KEY "\x03\xe8\xff", 1007),
  VIOLATION ("garbage", "\xde\xad\xbe\xef garbage and more garbage", 1002),
  VIOLATION ("HTTP", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 1002),
};

/* A stream that plays while others misbehave on it. */
typedef struct
{
  GPtrArray *chunks;
  RelaisTestClient *publisher;
  RelaisTestClient *viewer;
  guint n_sent;
} Stream;

static void
stream_init (Stream *self, RelaisTestServer *server)
{
  self->chunks = relais_test_chunks_read ("chrome-vp8-720p.webm");
  self->viewer = relais_test_client_new_viewer (server, "demo", TRUE);
  self->publisher = relais_test_client_new_publisher (server, "demo");
  relais_test_client_send_chunks (self->publisher, self->chunks, 0, 4);
  self->n_sent = 4;
  relais_test_client_read_blocks (self->viewer, 1);
}

/* A chunk goes in, and blocks of it come out to the one who has done nothing. */
static void
stream_check (Stream *self)
{
  guint n_before = self->viewer->media->blocks->len;

  g_assert_cmpuint (self->n_sent, <, self->chunks->len);
  relais_test_client_send_chunks (self->publisher, self->chunks, self->n_sent, self->n_sent + 1);
  self->n_sent++;
  relais_test_client_read_blocks (self->viewer, n_before + 1);
}

static void
stream_clear (Stream *self)
{
  relais_test_client_free (self->publisher);
  relais_test_client_free (self->viewer);
  g_ptr_array_unref (self->chunks);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Stream, stream_clear)

/* By viewers that get media, and by such that wait. */
static void
test_viewer_violations (gconstpointer data)
{
  gboolean waits = GPOINTER_TO_INT (data);
  g_autoptr (RelaisTestServer) server = relais_test_server_new (NULL);
  g_auto (Stream) stream = { 0 };

  stream_init (&stream, server);
  for (guint i = 0; i < G_N_ELEMENTS (violations); i++)
    {
      g_autoptr (RelaisTestClient) bad
          = relais_test_client_new_viewer (server, waits ? "other" : "demo", waits);

      g_test_message ("%s", violations[i].name);
      if (!waits)
        relais_test_client_expect_type (bad, "init");
      relais_test_client_send_bytes (bad, violations[i].bytes, violations[i].size);
      relais_test_client_expect_close (bad, violations[i].close_code);
      stream_check (&stream);
    }
  relais_test_server_await_number (server, "demo", "viewers", 1);
}

static void
test_publisher_violations (void)
{
  g_autoptr (RelaisTestServer) server = relais_test_server_new ("republish-grace-ms", "0", NULL);
  g_auto (Stream) stream = { 0 };

  stream_init (&stream, server);
  for (guint i = 0; i < G_N_ELEMENTS (violations); i++)
    {
      g_autoptr (RelaisTestClient) bad = relais_test_client_new_publisher (server, "other");

      g_test_message ("%s", violations[i].name);
      relais_test_client_send_bytes (bad, violations[i].bytes, violations[i].size);
      /* nothing is read after a mistake, so the answer to the close is not awaited here */
      relais_test_client_expect_refusal (bad, "protocol", violations[i].close_code);
      stream_check (&stream);
      relais_test_server_await_no_stream (server, "other");
    }
}

/* A viewer has nothing to say that is longer than a `hello`. */
static void
test_viewer_too_large (void)
{
  g_autoptr (RelaisTestServer) server = relais_test_server_new (NULL);
  g_auto (Stream) stream = { 0 };
  char words[4097];

  memset (words, 'x', sizeof words);
  stream_init (&stream, server);
  for (guint i = 0; i < 2; i++)
    {
      guint8 opcode = i == 0 ? RELAIS_TEST_TEXT : RELAIS_TEST_BINARY;
      g_autoptr (RelaisTestClient) bad = relais_test_client_new_viewer (server, "other", TRUE);

      relais_test_client_send (bad, opcode, words, sizeof words - 1);
      relais_test_client_send (bad, RELAIS_TEST_PING, "still there", 11);
      {
        g_auto (RelaisTestFrame) pong = relais_test_client_read_frame (bad);

        g_assert_cmpuint (pong.opcode, ==, RELAIS_TEST_PONG);
      }
      relais_test_client_send (bad, opcode, words, sizeof words);
      relais_test_client_expect_close (bad, 1009);
      stream_check (&stream);
    }
  {
    /* the limit is that of the message, however it is cut */
    g_autoptr (RelaisTestClient) bad = relais_test_client_new_viewer (server, "other", TRUE);

    relais_test_client_send_bytes (bad, "\x01\x81" MASK_KEY "x", 7);
    for (guint i = 0; i < 5000; i++)
      relais_test_client_send_bytes (bad, "\0\x81" MASK_KEY "x", 7);
    relais_test_client_expect_close (bad, 1009);
    stream_check (&stream);
  }
}

static void
expect_pong (RelaisTestClient *client, const char *payload, gsize size)
{
  for (;;)
    {
      g_auto (RelaisTestFrame) frame = relais_test_client_read_frame (client);

      g_assert_cmpuint (frame.opcode, !=, 0);
      g_assert_cmpuint (frame.opcode, !=, RELAIS_TEST_CLOSE);
      if (frame.opcode != RELAIS_TEST_PONG)
        continue;
      g_assert_cmpmem (g_bytes_get_data (frame.payload, NULL), g_bytes_get_size (frame.payload),
                       payload, size);
      return;
    }
}

/* A pong of the same bytes, also in the middle of a message that is cut into pieces. */
static void
test_ping (void)
{
  g_autoptr (RelaisTestServer) server = relais_test_server_new (NULL);
  g_auto (Stream) stream = { 0 };
  char longest[125];

  for (guint i = 0; i < sizeof longest; i++)
    longest[i] = (char) i;
  stream_init (&stream, server);
  for (guint i = 0; i < 2; i++)
    {
      RelaisTestClient *client = i == 0 ? stream.viewer : stream.publisher;

      relais_test_client_send (client, RELAIS_TEST_PING, NULL, 0);
      expect_pong (client, NULL, 0);
      relais_test_client_send (client, RELAIS_TEST_PING, longest, sizeof longest);
      expect_pong (client, longest, sizeof longest);
      relais_test_client_send_bytes (client, "\x01\x83" MASK_KEY "{\"t", 9);
      relais_test_client_send (client, RELAIS_TEST_PING, "between", 7);
      relais_test_client_send_bytes (client, "\x80\x87" MASK_KEY "ype\":1}", 13);
      expect_pong (client, "between", 7);
      /* one that nobody asked for means nothing */
      relais_test_client_send (client, RELAIS_TEST_PONG, "?", 1);
    }
  stream_check (&stream);
}

/* Whatever a viewer says, known or not, has no consequence. */
static void
test_viewer_messages (void)
{
  static const char *const messages[] = {
    "{\"type\":\"hello\",\"accept\":[\"video/webm; codecs=\\\"vp8,opus\\\"\"]}",
    "{\"type\":\"unknown\"}",
    "{}",
    "[1, 2]",
    "no JSON",
    "",
  };
  g_autoptr (RelaisTestServer) server = relais_test_server_new (NULL);
  g_auto (Stream) stream = { 0 };

  stream_init (&stream, server);
  for (guint i = 0; i < G_N_ELEMENTS (messages); i++)
    {
      relais_test_client_send (stream.viewer, RELAIS_TEST_TEXT, messages[i], strlen (messages[i]));
      relais_test_client_send (stream.viewer, RELAIS_TEST_BINARY, messages[i],
                               strlen (messages[i]));
      stream_check (&stream);
    }
}

/* RFC 6455 section 5.5.1: the answer to a close carries its code, or 1000 where there is none. */
static void
test_close (void)
{
  static const guint16 codes[] = { 0, 1000, 1001, 1003, 1011, 3000, 4999 };
  g_autoptr (RelaisTestServer) server = relais_test_server_new ("republish-grace-ms", "0", NULL);
  g_auto (Stream) stream = { 0 };

  stream_init (&stream, server);
  for (guint i = 0; i < 2 * G_N_ELEMENTS (codes); i++)
    {
      guint16 code = codes[i / 2];
      g_autoptr (RelaisTestClient) client
          = i % 2 == 0 ? relais_test_client_new_viewer (server, "demo", FALSE)
                       : relais_test_client_new_publisher (server, "other");

      if (code == 0)
        relais_test_client_send (client, RELAIS_TEST_CLOSE, NULL, 0);
      else
        relais_test_client_send_close (client, code);
      relais_test_client_expect_close (client, code == 0 ? 1000 : code);
      relais_test_server_await_no_stream (server, "other");
    }
  relais_test_server_await_number (server, "demo", "viewers", 1);
  stream_check (&stream);
}

/* What follows the handshake in the same packet is not lost. */
static void
test_pipelined (void)
{
  static const char request[] = "GET /live/demo HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
                                "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
                                "\x89\x84" MASK_KEY "ping";
  g_autoptr (RelaisTestServer) server = relais_test_server_new (NULL);
  g_auto (Stream) stream = { 0 };
  g_autoptr (RelaisTestClient) client = NULL;

  stream_init (&stream, server);
  client = relais_test_client_new_for_io (relais_test_server_connect (server));
  relais_test_client_send_bytes (client, request, sizeof request - 1);
  relais_test_client_finish_handshake (client);
  expect_pong (client, "ping", 4);
}

/* The bytes of a frame may come one by one. */
static void
test_dribble (void)
{
  g_autoptr (RelaisTestServer) server = relais_test_server_new (NULL);
  g_autoptr (RelaisTestClient) client = relais_test_client_new_viewer (server, "demo", TRUE);
  static const char frame[] = "\x89\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"; /* RFC 6455, 5.7 */

  for (guint i = 0; i < sizeof frame - 1; i++)
    relais_test_client_send_bytes (client, frame + i, 1);
  expect_pong (client, "Hello", 5);
}

/* A client that only asks and never listens costs a bounded amount, and then its place. */
static void
test_ping_flood (void)
{
  g_autoptr (RelaisTestServer) server = relais_test_server_new (NULL);
  g_auto (Stream) stream = { 0 };
  g_autoptr (RelaisTestClient) viewer = NULL;
  GSocket *socket;
  char pings[131 * 100];
  gboolean refused = FALSE;

  /* all zeros under a key of zeros */
  memset (pings, 0, sizeof pings);
  for (guint i = 0; i < 100; i++)
    memcpy (pings + 131 * i, "\x89\xfd", 2);

  stream_init (&stream, server);
  viewer = relais_test_client_new_viewer (server, "other", TRUE);
  socket = relais_test_client_get_socket (viewer);
  while (!refused)
    {
      g_autoptr (GError) error = NULL;

      refused = g_socket_send (socket, pings, sizeof pings, NULL, &error) < 0;
      if (refused)
        g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED);
    }
  relais_test_server_await_no_stream (server, "other");
  stream_check (&stream);
}

/* The server asks an idle viewer whether it is there. */
static void
test_server_pings (void)
{
  g_autoptr (RelaisTestServer) server = relais_test_server_new ("viewer-ping-ms", "40", NULL);
  g_autoptr (RelaisTestClient) viewer = relais_test_client_new_viewer (server, "demo", TRUE);

  for (guint i = 0; i < 5; i++)
    {
      g_auto (RelaisTestFrame) frame = relais_test_client_read_frame (viewer);

      g_assert_cmpuint (frame.opcode, ==, RELAIS_TEST_PING);
      relais_test_client_send (viewer, RELAIS_TEST_PONG, g_bytes_get_data (frame.payload, NULL),
                               g_bytes_get_size (frame.payload));
    }
  g_assert_cmpint (relais_test_server_get_number (server, "demo", "viewers"), ==, 1);
}

int
main (int argc, char **argv)
{
  relais_test_server_init (&argc, &argv);
  g_test_add_data_func ("/server-protocol/viewer-violations", GINT_TO_POINTER (FALSE),
                        test_viewer_violations);
  g_test_add_data_func ("/server-protocol/waiting-viewer-violations", GINT_TO_POINTER (TRUE),
                        test_viewer_violations);
  g_test_add_func ("/server-protocol/publisher-violations", test_publisher_violations);
  g_test_add_func ("/server-protocol/viewer-too-large", test_viewer_too_large);
  g_test_add_func ("/server-protocol/ping", test_ping);
  g_test_add_func ("/server-protocol/viewer-messages", test_viewer_messages);
  g_test_add_func ("/server-protocol/close", test_close);
  g_test_add_func ("/server-protocol/pipelined", test_pipelined);
  g_test_add_func ("/server-protocol/dribble", test_dribble);
  g_test_add_func ("/server-protocol/ping-flood", test_ping_flood);
  g_test_add_func ("/server-protocol/server-pings", test_server_pings);
  return relais_test_server_run ();
}
