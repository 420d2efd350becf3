/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "base/relais-config.h"
#include "base/relais-connection.h"
#include "stream/relais-stream.h"

G_BEGIN_DECLS

typedef struct _RelaisPublisherInput RelaisPublisherInput;

/* What a publisher's owner hears of its input, on the main context. */
typedef struct
{
  /* Text came, where only media belongs; several messages may be told of once. */
  void (*text) (gpointer user_data);
  /* A ping; of several the newest (RFC 6455 section 5.5.3). */
  void (*ping) (const guint8 *payload, gsize size, gpointer user_data);
  /* What came cannot be taken; no media is taken any more. @close_code: of RFC 6455, for the client
   */
  void (*failed) (const GError *error, guint16 close_code, gpointer user_data);
  /* Nothing comes any more. @close_code: the client's, with @reason, or 0 where the connection
   * broke and @reason tells how */
  void (*ended) (guint16 close_code, const char *reason, gpointer user_data);
} RelaisPublisherInputHandlers;

RelaisPublisherInput *relais_publisher_input_new (RelaisConnection *connection,
                                                  const char *stream_id,
                                                  RelaisStream *stream,
                                                  const RelaisConfig *config,
                                                  const RelaisPublisherInputHandlers *handlers,
                                                  gpointer user_data);
void relais_publisher_input_free (RelaisPublisherInput *self);
void relais_publisher_input_leave_stream (RelaisPublisherInput *self);
gint64 relais_publisher_input_get_last_heard (RelaisPublisherInput *self);
gint64 relais_publisher_input_get_header_since (RelaisPublisherInput *self);
guint64 relais_publisher_input_get_bytes (RelaisPublisherInput *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (RelaisPublisherInput, relais_publisher_input_free)

G_END_DECLS
