/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* From an HTTP request to a WebSocket connection of our own.
 *
 * libsoup answers the handshake (RFC 6455 section 4.2), then the connection is taken away from it,
 * under TLS too: what flows afterwards is ours to frame. No extension is agreed on: compressed
 * media only costs time. */

#include "config.h"

#include "http/relais-upgrade.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

typedef struct
{
  char *stream_id;
  RelaisUpgradeFunc func;
  gpointer user_data;
} Upgrade;

static void
upgrade_free (gpointer data, GClosure *closure)
{
  Upgrade *upgrade = data;

  g_free (upgrade->stream_id);
  g_free (upgrade);
}

static void
take_connection (SoupServerMessage *message, gpointer data)
{
  Upgrade *upgrade = data;
  g_autoptr (GSocket) socket = soup_server_message_get_socket (message);
  g_autofree char *address = g_strdup (soup_server_message_get_remote_host (message));
  g_autofree char *stream_id = g_strdup (upgrade->stream_id);
  RelaisUpgradeFunc func = upgrade->func;
  gpointer user_data = upgrade->user_data;
  GIOStream *io;

  if (soup_server_message_get_status (message) != SOUP_STATUS_SWITCHING_PROTOCOLS)
    return;
  g_object_ref (socket);
  /* A unit is written in one piece: nothing is gained by waiting for more. */
  g_socket_set_option (socket, IPPROTO_TCP, TCP_NODELAY, TRUE, NULL);
  /* Frees the message and with it what @data points to. */
  io = soup_server_message_steal_connection (message);
  func (stream_id, io, socket, address, user_data);
}

/**
 * relais_upgrade_is_wanted:
 * @message: a request
 *
 * Returns: whether it asks for a WebSocket
 */
gboolean
relais_upgrade_is_wanted (SoupServerMessage *message)
{
  SoupMessageHeaders *headers = soup_server_message_get_request_headers (message);

  return soup_server_message_get_method (message) == SOUP_METHOD_GET
         && soup_message_headers_header_contains (headers, "Upgrade", "websocket");
}

/**
 * relais_upgrade_begin:
 * @message: a request that asks for a WebSocket
 * @stream_id: a valid stream id
 * @func: called when the handshake's answer is written
 * @user_data: passed to @func
 *
 * Answers the handshake; one that is not valid gets the status that libsoup chooses.
 */
void
relais_upgrade_begin (SoupServerMessage *message,
                      const char *stream_id,
                      RelaisUpgradeFunc func,
                      gpointer user_data)
{
  Upgrade *upgrade;

  if (!soup_websocket_server_process_handshake (message, NULL, NULL, NULL, NULL))
    return;
  upgrade = g_new0 (Upgrade, 1);
  upgrade->stream_id = g_strdup (stream_id);
  upgrade->func = func;
  upgrade->user_data = user_data;
  g_signal_connect_data (message, "wrote-informational", G_CALLBACK (take_connection), upgrade,
                         upgrade_free, 0);
}
