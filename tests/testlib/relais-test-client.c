/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A WebSocket client (RFC 6455) on blocking streams, independent of the server's own code. As a
 * viewer it parses what it gets and checks what holds for every viewer at any time: an init segment
 * comes directly behind its `init` message, the video of each epoch begins with a keyframe, and the
 * first thing of all is video, if there is any. As a publisher it sends a recording's chunks. */

#include "relais-test-client.h"

#include <string.h>

#define FIN  0x80
#define MASK 0x80

/* The handshake of RFC 6455 section 1.3. */
#define KEY    "dGhlIHNhbXBsZSBub25jZQ=="
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

/**
 * relais_test_client_new_for_io:
 * @io: (transfer full): a blocking connection
 *
 * Returns: (transfer full): a client that has not sent its handshake yet
 */
RelaisTestClient *
relais_test_client_new_for_io (GIOStream *io)
{
  RelaisTestClient *self = g_new0 (RelaisTestClient, 1);

  self->io = io;
  self->input = g_io_stream_get_input_stream (io);
  self->output = g_io_stream_get_output_stream (io);
  self->media = relais_test_media_new ();
  return self;
}

/**
 * relais_test_client_new:
 * @server: a server
 * @path: `/live/ID` or `/publish/ID`
 *
 * Returns: (transfer full): a client that is connected
 */
RelaisTestClient *
relais_test_client_new (RelaisTestServer *server, const char *path)
{
  RelaisTestClient *self = relais_test_client_new_for_io (relais_test_server_connect (server));

  relais_test_client_send_handshake (self, path);
  relais_test_client_finish_handshake (self);
  return self;
}

/**
 * relais_test_client_new_publisher:
 * @server: a server
 * @id: a stream without a publisher
 *
 * Returns: (transfer full): the stream's publisher
 */
RelaisTestClient *
relais_test_client_new_publisher (RelaisTestServer *server, const char *id)
{
  g_autofree char *path = g_strconcat ("/publish/", id, NULL);
  RelaisTestClient *self = relais_test_client_new (server, path);

  relais_test_client_expect_type (self, "ready");
  return self;
}

/**
 * relais_test_client_new_viewer:
 * @server: a server
 * @id: a stream
 * @waits: whether it is not live yet, so that the viewer has to be told to wait
 *
 * Returns: (transfer full): a viewer
 */
RelaisTestClient *
relais_test_client_new_viewer (RelaisTestServer *server, const char *id, gboolean waits)
{
  g_autofree char *path = g_strconcat ("/live/", id, NULL);
  RelaisTestClient *self = relais_test_client_new (server, path);

  if (waits)
    relais_test_client_expect_type (self, "waiting");
  return self;
}

void
relais_test_client_free (RelaisTestClient *self)
{
  g_io_stream_close (self->io, NULL, NULL);
  g_object_unref (self->io);
  relais_test_media_free (self->media);
  g_free (self->mime);
  g_free (self);
}

/**
 * relais_test_client_get_socket:
 * @self: a client without TLS
 *
 * Returns: (transfer none): its socket
 */
GSocket *
relais_test_client_get_socket (RelaisTestClient *self)
{
  return g_socket_connection_get_socket (G_SOCKET_CONNECTION (self->io));
}

/* Handshake */

void
relais_test_client_send_handshake (RelaisTestClient *self, const char *path)
{
  g_autofree char *request = g_strdup_printf ("GET %s HTTP/1.1\r\n"
                                              "Host: localhost\r\n"
                                              "Upgrade: websocket\r\n"
                                              "Connection: Upgrade\r\n"
                                              "Sec-WebSocket-Version: 13\r\n"
                                              "Sec-WebSocket-Key: " KEY "\r\n"
                                              "\r\n",
                                              path);

  relais_test_client_send_bytes (self, request, strlen (request));
}

static void
read_exactly (RelaisTestClient *self, gpointer data, gsize size, gboolean *ended)
{
  g_autoptr (GError) error = NULL;
  gsize n = 0;

  /* A reset is an end as well: the server does not read what comes after a mistake. */
  if (!g_input_stream_read_all (self->input, data, size, &n, NULL, &error))
    g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED);
  if (ended != NULL)
    *ended = n == 0;
  if (ended == NULL || n > 0)
    g_assert_cmpuint (n, ==, size);
}

void
relais_test_client_finish_handshake (RelaisTestClient *self)
{
  g_autoptr (GString) answer = g_string_new (NULL);

  /* byte by byte: a frame may follow at once */
  while (!g_str_has_suffix (answer->str, "\r\n\r\n"))
    {
      char byte;

      read_exactly (self, &byte, 1, NULL);
      g_string_append_c (answer, byte);
    }
  if (!g_str_has_prefix (answer->str, "HTTP/1.1 101 "))
    g_error ("the handshake was answered with %s", answer->str);
  g_assert_nonnull (strstr (answer->str, ACCEPT));
  g_assert_null (strstr (answer->str, "Sec-WebSocket-Extensions"));
}

/* Sending */

/**
 * relais_test_client_send_bytes:
 * @self: a client
 * @data: bytes, as they are to go out
 * @size: how many
 *
 * A server that has closed meanwhile is no error: what it sent before is still there to read.
 */
void
relais_test_client_send_bytes (RelaisTestClient *self, gconstpointer data, gsize size)
{
  g_autoptr (GError) error = NULL;

  if (!g_output_stream_write_all (self->output, data, size, NULL, NULL, &error)
      && !g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED)
      && !g_error_matches (error, G_IO_ERROR, G_IO_ERROR_BROKEN_PIPE))
    g_assert_no_error (error);
}

/**
 * relais_test_client_send:
 * @self: a client
 * @opcode: of the message
 * @data: (nullable): its payload
 * @size: its size
 *
 * Sends one whole, masked frame.
 */
void
relais_test_client_send (RelaisTestClient *self, guint8 opcode, gconstpointer data, gsize size)
{
  static const guint8 key[4] = { 0x37, 0xfa, 0x21, 0x3d };
  g_autoptr (GByteArray) frame = g_byte_array_sized_new ((guint) size + 14);
  guint8 head[10] = { FIN | opcode };
  guint head_size = 2;

  if (size < 126)
    head[1] = MASK | (guint8) size;
  else if (size <= G_MAXUINT16)
    {
      head[1] = MASK | 126;
      head[2] = (guint8) (size >> 8);
      head[3] = (guint8) size;
      head_size = 4;
    }
  else
    {
      head[1] = MASK | 127;
      for (guint i = 0; i < 8; i++)
        head[2 + i] = (guint8) (size >> (56 - 8 * i));
      head_size = 10;
    }
  g_byte_array_append (frame, head, head_size);
  g_byte_array_append (frame, key, sizeof key);
  g_byte_array_set_size (frame, (guint) (head_size + sizeof key + size));
  for (gsize i = 0; i < size; i++)
    frame->data[head_size + sizeof key + i] = ((const guint8 *) data)[i] ^ key[i % 4];
  relais_test_client_send_bytes (self, frame->data, frame->len);
}

void
relais_test_client_send_close (RelaisTestClient *self, guint16 code)
{
  guint8 payload[] = { code >> 8, code & 0xff };

  relais_test_client_send (self, RELAIS_TEST_CLOSE, payload, sizeof payload);
}

/**
 * relais_test_client_send_chunks:
 * @self: a publisher
 * @chunks: (element-type GBytes): of a recording
 * @from: the first one to send
 * @to: the one behind the last
 */
void
relais_test_client_send_chunks (RelaisTestClient *self, GPtrArray *chunks, guint from, guint to)
{
  for (guint i = from; i < to; i++)
    {
      gsize size;
      gconstpointer data = g_bytes_get_data (g_ptr_array_index (chunks, i), &size);

      relais_test_client_send (self, RELAIS_TEST_BINARY, data, size);
    }
}

/* Reading */

void
relais_test_frame_clear (RelaisTestFrame *frame)
{
  g_clear_pointer (&frame->payload, g_bytes_unref);
}

static gboolean
is_video (RelaisTestClient *self, const RelaisTestBlock *block)
{
  g_assert_cmpuint (block->track, <=, self->media->tracks->len);
  return g_array_index (self->media->tracks, RelaisTestTrack, block->track - 1).is_video;
}

/* What every viewer may rely on. */
static void
take_binary (RelaisTestClient *self, GBytes *payload)
{
  guint n_before = self->media->blocks->len;
  guint n_headers = self->media->n_headers;
  gsize size;
  gconstpointer data = g_bytes_get_data (payload, &size);

  relais_test_media_append (self->media, data, size);
  if (self->wants_init)
    {
      self->wants_init = FALSE;
      self->has_video = FALSE;
      g_assert_cmpuint (self->media->n_headers, ==, n_headers + 1);
      g_assert_cmpuint (self->media->blocks->len, ==, n_before);
      return;
    }

  self->n_units++;
  g_assert_cmpuint (self->media->n_headers, ==, n_headers);
  g_assert_cmpuint (self->media->blocks->len, >, n_before);
  for (guint i = n_before; i < self->media->blocks->len; i++)
    {
      const RelaisTestBlock *block = relais_test_media_get_block (self->media, i);

      if (i == 0)
        g_assert_cmpint (is_video (self, block), ==, g_str_has_prefix (self->mime, "video/"));
      if (!is_video (self, block) || self->has_video)
        continue;
      g_assert_true (block->opens_cluster);
      g_assert_true (block->is_key);
      self->has_video = TRUE;
    }
}

static void
take_text (RelaisTestClient *self, GBytes *payload)
{
  g_autofree char *text = g_strndup (g_bytes_get_data (payload, NULL), g_bytes_get_size (payload));
  g_autoptr (GError) error = NULL;
  g_autoptr (JsonNode) node = json_from_string (text, &error);
  JsonObject *object;
  const char *type;

  g_assert_no_error (error);
  object = json_node_get_object (node);
  type = json_object_get_string_member (object, "type");
  self->n_drops += g_str_equal (type, "drop");
  if (!g_str_equal (type, "init"))
    return;
  self->wants_init = TRUE;
  self->n_inits++;
  self->epoch = json_object_get_int_member (object, "epoch");
  g_free (self->mime);
  self->mime = g_strdup (json_object_get_string_member (object, "mime"));
}

/**
 * relais_test_client_read_frame:
 * @self: a client
 *
 * Waits for the next frame.
 *
 * Returns: the frame, to be cleared
 */
RelaisTestFrame
relais_test_client_read_frame (RelaisTestClient *self)
{
  RelaisTestFrame frame = { 0 };
  guint8 head[2], extended[8];
  guint64 size;
  gboolean ended;
  g_autofree guint8 *payload = NULL;

  read_exactly (self, head, 1, &ended);
  if (ended)
    return frame;
  read_exactly (self, head + 1, 1, NULL);
  g_assert_cmpuint (head[0] & 0xf0, ==, FIN); /* whole, without extensions */
  g_assert_cmpuint (head[1] & MASK, ==, 0);
  size = head[1];
  if (size >= 126)
    {
      guint n = size == 126 ? 2 : 8;

      read_exactly (self, extended, n, NULL);
      size = 0;
      for (guint i = 0; i < n; i++)
        size = size << 8 | extended[i];
    }
  payload = g_malloc (size + 1);
  read_exactly (self, payload, size, NULL);
  frame.opcode = head[0] & 0x0f;
  frame.payload = g_bytes_new_take (g_steal_pointer (&payload), size);

  if (self->wants_init)
    g_assert_cmpuint (frame.opcode, ==, RELAIS_TEST_BINARY);
  if (frame.opcode == RELAIS_TEST_BINARY)
    take_binary (self, frame.payload);
  else if (frame.opcode == RELAIS_TEST_TEXT)
    take_text (self, frame.payload);
  return frame;
}

static char *
get_type (const RelaisTestFrame *frame)
{
  g_autofree char *text
      = g_strndup (g_bytes_get_data (frame->payload, NULL), g_bytes_get_size (frame->payload));
  g_autoptr (JsonNode) node = json_from_string (text, NULL);

  g_assert_nonnull (node);
  return g_strdup (json_object_get_string_member (json_node_get_object (node), "type"));
}

/**
 * relais_test_client_read_text:
 * @self: a client
 *
 * Returns: (transfer full): the next frame, which has to be a text message
 */
char *
relais_test_client_read_text (RelaisTestClient *self)
{
  g_auto (RelaisTestFrame) frame = relais_test_client_read_frame (self);

  g_assert_cmpuint (frame.opcode, ==, RELAIS_TEST_TEXT);
  return g_strndup (g_bytes_get_data (frame.payload, NULL), g_bytes_get_size (frame.payload));
}

/**
 * relais_test_client_expect_type:
 * @self: a client
 * @type: of the text message that has to be the next frame
 */
void
relais_test_client_expect_type (RelaisTestClient *self, const char *type)
{
  g_auto (RelaisTestFrame) frame = relais_test_client_read_frame (self);
  g_autofree char *found = NULL;

  g_assert_cmpuint (frame.opcode, ==, RELAIS_TEST_TEXT);
  found = get_type (&frame);
  g_assert_cmpstr (found, ==, type);
}

/* The next frame has to be a unit, or an init segment. */
void
relais_test_client_expect_unit (RelaisTestClient *self)
{
  g_auto (RelaisTestFrame) frame = relais_test_client_read_frame (self);

  g_assert_cmpuint (frame.opcode, ==, RELAIS_TEST_BINARY);
}

/**
 * relais_test_client_read_until:
 * @self: a client
 * @type: of the text message to stop behind
 *
 * Units, pings, and for a publisher its statistics, may come before it; a close may not.
 */
void
relais_test_client_read_until (RelaisTestClient *self, const char *type)
{
  for (;;)
    {
      g_auto (RelaisTestFrame) frame = relais_test_client_read_frame (self);
      g_autofree char *found = NULL;

      if (frame.opcode == 0 || frame.opcode == RELAIS_TEST_CLOSE)
        g_error ("the connection is over before “%s”", type);
      if (frame.opcode != RELAIS_TEST_TEXT)
        continue;
      found = get_type (&frame);
      if (g_str_equal (found, type))
        return;
    }
}

/**
 * relais_test_client_read_blocks:
 * @self: a viewer
 * @n_blocks: how many it has to have at least
 */
void
relais_test_client_read_blocks (RelaisTestClient *self, guint n_blocks)
{
  while (self->media->blocks->len < n_blocks)
    {
      g_auto (RelaisTestFrame) frame = relais_test_client_read_frame (self);

      g_assert_cmpuint (frame.opcode, !=, 0);
      g_assert_cmpuint (frame.opcode, !=, RELAIS_TEST_CLOSE);
    }
}

/**
 * relais_test_client_read_units:
 * @self: a viewer
 * @n_units: how many it has to have at least
 */
void
relais_test_client_read_units (RelaisTestClient *self, guint n_units)
{
  while (self->n_units < n_units)
    {
      g_auto (RelaisTestFrame) frame = relais_test_client_read_frame (self);

      g_assert_cmpuint (frame.opcode, !=, 0);
      g_assert_cmpuint (frame.opcode, !=, RELAIS_TEST_CLOSE);
    }
}

/* Returns: the code of the close frame that has to come; what comes before it is read over */
static guint16
read_close (RelaisTestClient *self, char **error_code)
{
  for (;;)
    {
      g_auto (RelaisTestFrame) frame = relais_test_client_read_frame (self);
      const guint8 *data;
      gsize size;

      if (frame.opcode == 0)
        g_error ("the connection is over without a close frame");
      data = g_bytes_get_data (frame.payload, &size);
      if (frame.opcode == RELAIS_TEST_CLOSE)
        {
          g_assert_cmpuint (size, >=, 2);
          g_assert_true (g_utf8_validate ((const char *) data + 2, (gssize) size - 2, NULL));
          return data[0] << 8 | data[1];
        }
      if (frame.opcode == RELAIS_TEST_TEXT)
        {
          g_autofree char *text = g_strndup ((const char *) data, size);
          g_autoptr (JsonNode) node = json_from_string (text, NULL);
          JsonObject *object = json_node_get_object (node);

          if (g_str_equal (json_object_get_string_member (object, "type"), "error"))
            {
              g_assert_cmpstr (json_object_get_string_member (object, "message"), !=, "");
              g_free (*error_code);
              *error_code = g_strdup (json_object_get_string_member (object, "code"));
            }
        }
    }
}

/**
 * relais_test_client_expect_refusal:
 * @self: a client
 * @code: (nullable): of the error message that has to come before the close; %NULL: there may be
 * none
 * @close_code: of the close frame that has to come
 */
void
relais_test_client_expect_refusal (RelaisTestClient *self, const char *code, guint16 close_code)
{
  g_autofree char *found = NULL;

  g_assert_cmpuint (read_close (self, &found), ==, close_code);
  g_assert_cmpstr (found, ==, code);
}

/**
 * relais_test_client_expect_error:
 * @self: a client
 * @code: of the error message that has to come before the close
 * @close_code: of the close frame that has to come
 *
 * Answers the close, and sees the connection end.
 */
void
relais_test_client_expect_error (RelaisTestClient *self, const char *code, guint16 close_code)
{
  relais_test_client_expect_refusal (self, code, close_code);
  relais_test_client_send_close (self, close_code);
  relais_test_client_expect_end (self);
}

/**
 * relais_test_client_expect_close:
 * @self: a client
 * @close_code: of the close frame that has to come, without an error message before it
 *
 * Answers it, and sees the connection end.
 */
void
relais_test_client_expect_close (RelaisTestClient *self, guint16 close_code)
{
  relais_test_client_expect_error (self, NULL, close_code);
}

/* Nothing follows: no frame after a close. */
void
relais_test_client_expect_end (RelaisTestClient *self)
{
  g_auto (RelaisTestFrame) frame = relais_test_client_read_frame (self);

  g_assert_cmpuint (frame.opcode, ==, 0);
}

/**
 * relais_test_client_end_publishing:
 * @self: a publisher
 *
 * Closes as a browser does: what was sent before counts.
 */
void
relais_test_client_end_publishing (RelaisTestClient *self)
{
  relais_test_client_send_close (self, 1000);
  relais_test_client_expect_close (self, 1000);
}
