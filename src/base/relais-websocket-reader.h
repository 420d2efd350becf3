/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * RelaisWebsocketReader:
 *
 * Embedded in its owner: set up with relais_websocket_reader_init(), emptied with
 * relais_websocket_reader_clear(). All fields are private.
 */
typedef struct
{
  guint8 *message;      /* what was received of the message; NULL: nothing yet */
  guint8 *control;      /* what was received of the control frame; NULL: nothing yet */
  guint32 message_size; /* of all its fragments so far, in bytes */
  guint32 message_limit;
  guint32 frame_size; /* payload of the current frame, in bytes */
  guint32 frame_done;
  guint16 close_code;
  guint8 header[14]; /* RFC 6455 section 5.2 */
  guint8 header_size;
  guint8 message_opcode; /* 0: no message has begun */
  guint8 state;
} RelaisWebsocketReader;

/**
 * RelaisWebsocketReaderHandlers:
 * @text: a whole text message; @text is valid UTF-8, @size bytes long and followed by a zero byte
 * @binary: a whole binary message; a reference may be kept, nothing is copied
 * @ping: a ping: answer with a pong of the same payload
 * @pong: a pong
 * @close: a close frame, with 1005 where it has no code; answer with a close frame; nothing comes
 * after it
 *
 * Each may be NULL. What they are given is valid until they return. They may not feed or clear the
 * reader.
 */
typedef struct
{
  void (*text) (const char *text, gsize size, gpointer user_data);
  void (*binary) (GBytes *message, gpointer user_data);
  void (*ping) (const guint8 *data, gsize size, gpointer user_data);
  void (*pong) (const guint8 *data, gsize size, gpointer user_data);
  void (*close) (guint16 code, const char *reason, gpointer user_data);
} RelaisWebsocketReaderHandlers;

void relais_websocket_reader_init (RelaisWebsocketReader *reader, guint32 message_limit);
void relais_websocket_reader_clear (RelaisWebsocketReader *reader);
gboolean relais_websocket_reader_feed (RelaisWebsocketReader *reader,
                                       gconstpointer data,
                                       gsize size,
                                       const RelaisWebsocketReaderHandlers *handlers,
                                       gpointer user_data,
                                       GError **error);
gsize relais_websocket_reader_get_room (const RelaisWebsocketReader *reader, guint8 **room);
gboolean relais_websocket_reader_feed_room (RelaisWebsocketReader *reader,
                                            gsize size,
                                            const RelaisWebsocketReaderHandlers *handlers,
                                            gpointer user_data,
                                            GError **error);
guint16 relais_websocket_reader_get_close_code (const RelaisWebsocketReader *reader);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (RelaisWebsocketReader, relais_websocket_reader_clear)

G_END_DECLS
