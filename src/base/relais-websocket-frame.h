/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* RFC 6455 section 11.8. */
typedef enum
{
  RELAIS_WEBSOCKET_OPCODE_CONTINUATION = 0x0,
  RELAIS_WEBSOCKET_OPCODE_TEXT = 0x1,
  RELAIS_WEBSOCKET_OPCODE_BINARY = 0x2,
  RELAIS_WEBSOCKET_OPCODE_CLOSE = 0x8,
  RELAIS_WEBSOCKET_OPCODE_PING = 0x9,
  RELAIS_WEBSOCKET_OPCODE_PONG = 0xA,
} RelaisWebsocketOpcode;

/* The longest header of a server's frame, and the longest payload of a control frame (RFC 6455
 * section 5.5), in bytes. */
#define RELAIS_WEBSOCKET_MAX_HEADER  10
#define RELAIS_WEBSOCKET_MAX_CONTROL 125

gsize relais_websocket_frame_header (guint8 out[RELAIS_WEBSOCKET_MAX_HEADER],
                                     guint8 opcode,
                                     guint64 payload_size);
GBytes *relais_websocket_frame_new (guint8 opcode, gconstpointer payload, gsize payload_size);
GBytes *relais_websocket_frame_new_text (const char *text);
GBytes *relais_websocket_frame_new_binary (GBytes *payload);
GBytes *relais_websocket_frame_new_ping (gconstpointer payload, gsize payload_size);
GBytes *relais_websocket_frame_new_pong (gconstpointer payload, gsize payload_size);
GBytes *relais_websocket_frame_new_close (guint16 code, const char *reason);

G_END_DECLS
