/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Reads what a WebSocket client sends (RFC 6455), in pieces of any size, without extensions:
 * reserved bits are an error. The caller has the socket and answers what arrives; the reader only
 * takes bytes and calls handlers, and tells the close code with which a client that breaks the
 * protocol is to be turned away.
 *
 * Memory: the struct itself is all that an idle client costs. While a message is assembled it takes
 * what its frames have announced, never more than the limit; a control frame in between takes up to
 * 126 bytes. Both are freed when the handler returns.
 *
 * Belongs to its owner's thread. */

#include "config.h"

#include "base/relais-websocket-reader.h"

#include <string.h>

#include "base/relais-error.h"
#include "base/relais-websocket-frame.h"

#define FIN    0x80
#define RSV    0x70
#define OPCODE 0x0F
#define MASK   0x80
#define LENGTH 0x7F

#define CLOSE_PROTOCOL     1002
#define CLOSE_NO_CODE      1005
#define CLOSE_INVALID_DATA 1007
#define CLOSE_TOO_LARGE    1009

enum
{
  STATE_HEADER,
  STATE_PAYLOAD,
  STATE_CLOSED, /* a close frame came: RFC 6455 section 5.5.1, nothing follows */
  STATE_FAILED,
};

/* There may be thousands of them. */
G_STATIC_ASSERT (sizeof (RelaisWebsocketReader) < 64);

static gboolean
fail (RelaisWebsocketReader *reader, guint16 close_code, GError **error, const char *message)
{
  reader->state = STATE_FAILED;
  reader->close_code = close_code;
  g_clear_pointer (&reader->message, g_free);
  g_clear_pointer (&reader->control, g_free);
  g_set_error_literal (error, RELAIS_ERROR,
                       close_code == CLOSE_TOO_LARGE ? RELAIS_ERROR_TOO_LARGE
                                                     : RELAIS_ERROR_PROTOCOL,
                       message);
  return FALSE;
}

/* Unlike for g_utf8_validate_len(), U+0000 is a character. */
static gboolean
is_utf8 (const guint8 *data, gsize size)
{
  const char *at = (const char *) data, *end = at + size;

  while (!g_utf8_validate_len (at, end - at, &at))
    {
      if (*at != '\0')
        return FALSE;
      at++;
    }
  return TRUE;
}

static gboolean
is_control (const RelaisWebsocketReader *reader)
{
  return (reader->header[0] & OPCODE) >= RELAIS_WEBSOCKET_OPCODE_CLOSE;
}

static gsize
length_bytes (const RelaisWebsocketReader *reader)
{
  switch (reader->header[1] & LENGTH)
    {
    case 126:
      return 2;
    case 127:
      return 8;
    default:
      return 0;
    }
}

static gboolean
check_first_byte (RelaisWebsocketReader *reader, GError **error)
{
  guint8 first = reader->header[0];

  if ((first & RSV) != 0)
    return fail (reader, CLOSE_PROTOCOL, error,
                 "a reserved bit is set, and no extension was agreed on");

  switch (first & OPCODE)
    {
    case RELAIS_WEBSOCKET_OPCODE_CONTINUATION:
      if (reader->message_opcode == 0)
        return fail (reader, CLOSE_PROTOCOL, error, "a continuation of no message");
      return TRUE;
    case RELAIS_WEBSOCKET_OPCODE_TEXT:
    case RELAIS_WEBSOCKET_OPCODE_BINARY:
      if (reader->message_opcode != 0)
        return fail (reader, CLOSE_PROTOCOL, error, "a new message within a fragmented one");
      return TRUE;
    case RELAIS_WEBSOCKET_OPCODE_CLOSE:
    case RELAIS_WEBSOCKET_OPCODE_PING:
    case RELAIS_WEBSOCKET_OPCODE_PONG:
      if ((first & FIN) == 0)
        return fail (reader, CLOSE_PROTOCOL, error, "a fragmented control frame");
      return TRUE;
    default:
      return fail (reader, CLOSE_PROTOCOL, error, "an unknown opcode");
    }
}

static gboolean
check_second_byte (RelaisWebsocketReader *reader, GError **error)
{
  if ((reader->header[1] & MASK) == 0)
    return fail (reader, CLOSE_PROTOCOL, error, "an unmasked frame from a client");
  if (is_control (reader) && length_bytes (reader) > 0)
    return fail (reader, CLOSE_PROTOCOL, error, "a control frame of more than 125 bytes");
  return TRUE;
}

/* RFC 6455 section 5.2: "the minimal number of bytes MUST be used", and "the most significant bit
 * MUST be 0". */
static gboolean
check_length (RelaisWebsocketReader *reader, GError **error)
{
  gsize bytes = length_bytes (reader);
  guint64 length = bytes == 0 ? reader->header[1] & LENGTH : 0;

  for (gsize i = 0; i < bytes; i++)
    length = length << 8 | reader->header[2 + i];

  if ((bytes == 2 && length < 126) || (bytes == 8 && length <= G_MAXUINT16))
    return fail (reader, CLOSE_PROTOCOL, error, "a length in more bytes than it needs");
  if (length > G_MAXINT64)
    return fail (reader, CLOSE_PROTOCOL, error, "a length of more than 63 bits");
  if (!is_control (reader) && length > reader->message_limit - reader->message_size)
    return fail (reader, CLOSE_TOO_LARGE, error, "a message over the limit");
  reader->frame_size = length;
  return TRUE;
}

static void
begin_payload (RelaisWebsocketReader *reader)
{
  reader->state = STATE_PAYLOAD;
  reader->frame_done = 0;
  if (is_control (reader))
    {
      reader->control = g_malloc (reader->frame_size + 1);
      return;
    }

  if (reader->message_opcode == 0)
    reader->message_opcode = reader->header[0] & OPCODE;
  reader->message
      = g_realloc (reader->message, (gsize) reader->message_size + reader->frame_size + 1);
}

/* Takes one byte of a header, and refuses a frame at the first byte that is wrong. */
static gboolean
take_header_byte (RelaisWebsocketReader *reader, guint8 byte, GError **error)
{
  gsize mask_at;

  reader->header[reader->header_size++] = byte;
  if (reader->header_size == 1)
    return check_first_byte (reader, error);
  if (reader->header_size == 2 && !check_second_byte (reader, error))
    return FALSE;

  mask_at = 2 + length_bytes (reader);
  if (reader->header_size == mask_at)
    return check_length (reader, error);
  if (reader->header_size == mask_at + 4)
    begin_payload (reader);
  return TRUE;
}

/* One operation of SSE2 or NEON. Wider ones would go through the stack on machines without them. */
typedef guint64 Block __attribute__ ((vector_size (16)));

/* RFC 6455 section 5.3: octet i of the payload is masked with octet i modulo 4 of the key. A block
 * at a time, because a publisher's whole stream goes through here. @out may be @data. */
static void
unmask (guint8 *out, const guint8 *data, gsize size, const guint8 *key, gsize position)
{
  guint8 turned[sizeof (Block)];
  Block wide_key;
  gsize i = 0;

  for (gsize k = 0; k < sizeof turned; k++)
    turned[k] = key[(position + k) % 4];
  memcpy (&wide_key, turned, sizeof wide_key);

  for (; i + sizeof wide_key <= size; i += sizeof wide_key)
    {
      Block block;

      memcpy (&block, data + i, sizeof block);
      block ^= wide_key;
      memcpy (out + i, &block, sizeof block);
    }
  for (gsize k = 0; i < size; i++, k++)
    out[i] = data[i] ^ turned[k];
}

static gsize
take_payload (RelaisWebsocketReader *reader, const guint8 *data, gsize size)
{
  const guint8 *key = reader->header + reader->header_size - 4;
  guint8 *out = is_control (reader) ? reader->control : reader->message + reader->message_size;

  size = MIN (size, reader->frame_size - reader->frame_done);
  unmask (out + reader->frame_done, data, size, key, reader->frame_done);
  reader->frame_done += size;
  return size;
}

/* RFC 6455 sections 5.5.1 and 7.4; 1012 to 1014 from the IANA registry. */
static gboolean
finish_close (RelaisWebsocketReader *reader,
              guint8 *data,
              gsize size,
              const RelaisWebsocketReaderHandlers *handlers,
              gpointer user_data,
              GError **error)
{
  guint16 code = CLOSE_NO_CODE;

  if (size == 1)
    return fail (reader, CLOSE_PROTOCOL, error, "a close frame with half a code");
  if (size >= 2)
    {
      code = data[0] << 8 | data[1];
      if (code < 1000 || code >= 5000 || (code >= 1004 && code <= 1006)
          || (code >= 1015 && code < 3000))
        return fail (reader, CLOSE_PROTOCOL, error, "a close code that may not be sent");
      if (!is_utf8 (data + 2, size - 2))
        return fail (reader, CLOSE_INVALID_DATA, error, "a close reason that is not UTF-8");
    }

  reader->state = STATE_CLOSED;
  g_clear_pointer (&reader->message, g_free);
  if (handlers->close != NULL)
    handlers->close (code, size > 2 ? (const char *) data + 2 : "", user_data);
  return TRUE;
}

static gboolean
finish_control (RelaisWebsocketReader *reader,
                const RelaisWebsocketReaderHandlers *handlers,
                gpointer user_data,
                GError **error)
{
  g_autofree guint8 *data = g_steal_pointer (&reader->control);
  gsize size = reader->frame_size;

  data[size] = '\0';
  switch (reader->header[0] & OPCODE)
    {
    case RELAIS_WEBSOCKET_OPCODE_PING:
      if (handlers->ping != NULL)
        handlers->ping (data, size, user_data);
      return TRUE;
    case RELAIS_WEBSOCKET_OPCODE_PONG:
      if (handlers->pong != NULL)
        handlers->pong (data, size, user_data);
      return TRUE;
    default:
      return finish_close (reader, data, size, handlers, user_data, error);
    }
}

static gboolean
finish_message (RelaisWebsocketReader *reader,
                const RelaisWebsocketReaderHandlers *handlers,
                gpointer user_data,
                GError **error)
{
  g_autofree guint8 *data = g_steal_pointer (&reader->message);
  gsize size = reader->message_size;
  gboolean is_text = reader->message_opcode == RELAIS_WEBSOCKET_OPCODE_TEXT;

  data[size] = '\0';
  reader->message_size = 0;
  reader->message_opcode = 0;
  if (is_text && !is_utf8 (data, size))
    return fail (reader, CLOSE_INVALID_DATA, error, "a text message that is not UTF-8");
  if (is_text && handlers->text != NULL)
    handlers->text ((const char *) data, size, user_data);
  if (!is_text && handlers->binary != NULL)
    {
      g_autoptr (GBytes) message = g_bytes_new_take (g_steal_pointer (&data), size);

      handlers->binary (message, user_data);
    }
  return TRUE;
}

static gboolean
finish_frame (RelaisWebsocketReader *reader,
              const RelaisWebsocketReaderHandlers *handlers,
              gpointer user_data,
              GError **error)
{
  reader->state = STATE_HEADER;
  reader->header_size = 0;
  if (is_control (reader))
    return finish_control (reader, handlers, user_data, error);

  reader->message_size += reader->frame_size;
  if ((reader->header[0] & FIN) != 0)
    return finish_message (reader, handlers, user_data, error);
  return TRUE;
}

/**
 * relais_websocket_reader_init:
 * @reader: (out caller-allocates): an uninitialised reader
 * @message_limit: the largest message that is accepted, in bytes, over all its fragments
 */
void
relais_websocket_reader_init (RelaisWebsocketReader *reader, guint32 message_limit)
{
  memset (reader, 0, sizeof *reader);
  reader->message_limit = message_limit;
}

/**
 * relais_websocket_reader_clear:
 * @reader: a reader that was initialised; may be cleared again
 *
 * Frees what @reader has allocated.
 */
void
relais_websocket_reader_clear (RelaisWebsocketReader *reader)
{
  g_free (reader->message);
  g_free (reader->control);
  relais_websocket_reader_init (reader, 0);
}

/**
 * relais_websocket_reader_feed:
 * @reader: the reader
 * @data: the next bytes from the client
 * @size: how many
 * @handlers: take what is complete, in order, before this returns
 * @user_data: for @handlers
 * @error: a place for an error
 *
 * After a close frame further bytes are taken and ignored.
 *
 * Errors: RELAIS_ERROR_PROTOCOL, or RELAIS_ERROR_TOO_LARGE for a message over the limit; both leave
 * the reader failed for good, and relais_websocket_reader_get_close_code() tells what to close the
 * connection with.
 *
 * Returns: FALSE with @error set if the client broke the protocol
 */
gboolean
relais_websocket_reader_feed (RelaisWebsocketReader *reader,
                              gconstpointer data,
                              gsize size,
                              const RelaisWebsocketReaderHandlers *handlers,
                              gpointer user_data,
                              GError **error)
{
  const guint8 *at = data, *end = at + size;

  if (reader->state == STATE_FAILED)
    return fail (reader, reader->close_code, error, "the client broke the protocol before");

  while (at < end && reader->state != STATE_CLOSED)
    {
      if (reader->state == STATE_HEADER)
        {
          if (!take_header_byte (reader, *at++, error))
            return FALSE;
        }
      else
        at += take_payload (reader, at, end - at);

      /* A frame without payload ends with its header. */
      if (reader->state == STATE_PAYLOAD && reader->frame_done == reader->frame_size
          && !finish_frame (reader, handlers, user_data, error))
        return FALSE;
    }
  return TRUE;
}

/**
 * relais_websocket_reader_get_room:
 * @reader: the reader
 * @room: (out): where the next bytes from the client may be put
 *
 * The payload of a message can be read from the socket to where it will stay, without a copy:
 * announce with relais_websocket_reader_feed_room() what was put there. Valid until @reader is fed
 * or cleared.
 *
 * Returns: how many bytes there is room for; 0 where the next bytes are not a message's payload
 */
gsize
relais_websocket_reader_get_room (const RelaisWebsocketReader *reader, guint8 **room)
{
  *room = NULL;
  if (reader->state != STATE_PAYLOAD || is_control (reader))
    return 0;
  *room = reader->message + reader->message_size + reader->frame_done;
  return reader->frame_size - reader->frame_done;
}

/**
 * relais_websocket_reader_feed_room:
 * @reader: the reader
 * @size: how many bytes of the room were filled
 * @handlers: as for relais_websocket_reader_feed()
 * @user_data: for @handlers
 * @error: a place for an error
 *
 * Like relais_websocket_reader_feed() for bytes that are already where
 * relais_websocket_reader_get_room() wanted them.
 *
 * Returns: FALSE with @error set if the client broke the protocol
 */
gboolean
relais_websocket_reader_feed_room (RelaisWebsocketReader *reader,
                                   gsize size,
                                   const RelaisWebsocketReaderHandlers *handlers,
                                   gpointer user_data,
                                   GError **error)
{
  guint8 *room;

  g_return_val_if_fail (size <= relais_websocket_reader_get_room (reader, &room), FALSE);
  return size == 0 || relais_websocket_reader_feed (reader, room, size, handlers, user_data, error);
}

/**
 * relais_websocket_reader_get_close_code:
 * @reader: the reader
 *
 * Returns: the code to close the connection with after relais_websocket_reader_feed() has failed
 * (RFC 6455 section 7.4.1): 1002, 1007 or 1009; 0 before
 */
guint16
relais_websocket_reader_get_close_code (const RelaisWebsocketReader *reader)
{
  return reader->close_code;
}
