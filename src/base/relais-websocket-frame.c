/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Builds the frames that a WebSocket server sends: whole (FIN), unmasked, without extensions (RFC
 * 6455 section 5). As nothing in them belongs to one client, a frame is built once and sent to all.
 * Pure functions, for any thread. */

#include "config.h"

#include "base/relais-websocket-frame.h"

#include <string.h>

#define FIN 0x80

/**
 * relais_websocket_frame_header:
 * @out: takes the header
 * @opcode: a #RelaisWebsocketOpcode
 * @payload_size: the bytes that will follow the header
 *
 * The header of a whole, unmasked frame, with the length in as few bytes as possible (RFC 6455
 * section 5.2).
 *
 * Returns: the bytes of @out that were set: 2, 4 or 10
 */
gsize
relais_websocket_frame_header (guint8 out[RELAIS_WEBSOCKET_MAX_HEADER],
                               guint8 opcode,
                               guint64 payload_size)
{
  guint64 wide = GUINT64_TO_BE (payload_size);
  guint16 narrow = GUINT16_TO_BE (payload_size & 0xFFFF);

  out[0] = FIN | opcode;
  if (payload_size < 126)
    {
      out[1] = payload_size;
      return 2;
    }
  if (payload_size <= G_MAXUINT16)
    {
      out[1] = 126;
      memcpy (out + 2, &narrow, sizeof narrow);
      return 4;
    }
  out[1] = 127;
  memcpy (out + 2, &wide, sizeof wide);
  return 10;
}

/**
 * relais_websocket_frame_new:
 * @opcode: a #RelaisWebsocketOpcode
 * @payload: (nullable): the payload
 * @payload_size: its size in bytes; at most 125 for a control frame
 *
 * Returns: (transfer full): a whole frame with a copy of the payload
 */
GBytes *
relais_websocket_frame_new (guint8 opcode, gconstpointer payload, gsize payload_size)
{
  guint8 header[RELAIS_WEBSOCKET_MAX_HEADER];
  gsize header_size = relais_websocket_frame_header (header, opcode, payload_size);
  guint8 *frame;

  g_return_val_if_fail (opcode < RELAIS_WEBSOCKET_OPCODE_CLOSE
                            || payload_size <= RELAIS_WEBSOCKET_MAX_CONTROL,
                        NULL);

  frame = g_malloc (header_size + payload_size);
  memcpy (frame, header, header_size);
  if (payload_size > 0)
    memcpy (frame + header_size, payload, payload_size);
  return g_bytes_new_take (frame, header_size + payload_size);
}

/**
 * relais_websocket_frame_new_text:
 * @text: UTF-8
 *
 * Returns: (transfer full): a whole text frame
 */
GBytes *
relais_websocket_frame_new_text (const char *text)
{
  return relais_websocket_frame_new (RELAIS_WEBSOCKET_OPCODE_TEXT, text, strlen (text));
}

/**
 * relais_websocket_frame_new_binary:
 * @payload: the payload
 *
 * Returns: (transfer full): a whole binary frame with a copy of the payload; what is sent often and
 * is large better goes behind a header of relais_websocket_frame_header()
 */
GBytes *
relais_websocket_frame_new_binary (GBytes *payload)
{
  gsize size;
  gconstpointer data = g_bytes_get_data (payload, &size);

  return relais_websocket_frame_new (RELAIS_WEBSOCKET_OPCODE_BINARY, data, size);
}

/**
 * relais_websocket_frame_new_ping:
 * @payload: (nullable): what the pong is to carry back
 * @payload_size: its size, at most 125 bytes
 *
 * Returns: (transfer full): a ping frame (RFC 6455 section 5.5.2)
 */
GBytes *
relais_websocket_frame_new_ping (gconstpointer payload, gsize payload_size)
{
  return relais_websocket_frame_new (RELAIS_WEBSOCKET_OPCODE_PING, payload, payload_size);
}

/**
 * relais_websocket_frame_new_pong:
 * @payload: (nullable): the payload of the ping that it answers
 * @payload_size: its size, at most 125 bytes
 *
 * Returns: (transfer full): a pong frame (RFC 6455 section 5.5.3)
 */
GBytes *
relais_websocket_frame_new_pong (gconstpointer payload, gsize payload_size)
{
  return relais_websocket_frame_new (RELAIS_WEBSOCKET_OPCODE_PONG, payload, payload_size);
}

/**
 * relais_websocket_frame_new_close:
 * @code: a close code that may be sent (RFC 6455 section 7.4), or 0 for a frame without one, to
 * answer such a frame
 * @reason: (nullable): why, for people; invalid UTF-8 is replaced, and what goes over 123 bytes is
 * cut off between two characters
 *
 * Returns: (transfer full): a close frame (RFC 6455 section 5.5.1)
 */
GBytes *
relais_websocket_frame_new_close (guint16 code, const char *reason)
{
  guint8 payload[RELAIS_WEBSOCKET_MAX_CONTROL] = { code >> 8, code & 0xFF };
  g_autofree char *valid = g_utf8_make_valid (reason != NULL ? reason : "", -1);
  const gsize room = sizeof payload - 2;
  gsize size = strlen (valid);

  if (code == 0)
    return relais_websocket_frame_new (RELAIS_WEBSOCKET_OPCODE_CLOSE, NULL, 0);

  if (size > room)
    size = g_utf8_find_prev_char (valid, valid + room + 1) - valid;
  memcpy (payload + 2, valid, size);
  return relais_websocket_frame_new (RELAIS_WEBSOCKET_OPCODE_CLOSE, payload, 2 + size);
}
