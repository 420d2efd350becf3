/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The same job with what libsoup offers: a SoupServer, its WebSocket connections, and
 * soup_websocket_connection_send_binary() to each of them. It listens on a
 * socket with a long backlog, because libsoup's own has 10 places. It serves until its standard
 * input ends. */

#include "config.h"

#include <libsoup/soup.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>

#include "bench-media.h"
#include "bench-socket.h"

static int unit_bytes = 31250;
static int unit_ms = 100;

static const GOptionEntry entries[] = {
  { "unit-bytes", 0, 0, G_OPTION_ARG_INT, &unit_bytes, "Bytes a unit", "N" },
  { "unit-ms", 0, 0, G_OPTION_ARG_INT, &unit_ms, "Time between units", "MS" },
  G_OPTION_ENTRY_NULL,
};

typedef struct
{
  GPtrArray *connections; /* owned SoupWebsocketConnection */
  GBytes *unit;
} Audience;

static void
take_closed (SoupWebsocketConnection *connection, gpointer user_data)
{
  Audience *audience = user_data;

  g_ptr_array_remove_fast (audience->connections, connection);
}

static void
take_connection (SoupServer *server,
                 SoupServerMessage *message,
                 const char *path,
                 SoupWebsocketConnection *connection,
                 gpointer user_data)
{
  Audience *audience = user_data;

  g_socket_set_option (soup_server_message_get_socket (message), IPPROTO_TCP, TCP_NODELAY, 1, NULL);
  g_signal_connect (connection, "closed", G_CALLBACK (take_closed), audience);
  g_ptr_array_add (audience->connections, g_object_ref (connection));
}

static gboolean
send_unit (gpointer user_data)
{
  Audience *audience = user_data;
  gsize size;
  gconstpointer data = g_bytes_get_data (audience->unit, &size);

  for (guint i = 0; i < audience->connections->len; i++)
    soup_websocket_connection_send_binary (g_ptr_array_index (audience->connections, i), data,
                                           size);
  return G_SOURCE_CONTINUE;
}

static gboolean
take_end (GIOChannel *channel, GIOCondition condition, gpointer user_data)
{
  g_main_loop_quit (user_data);
  return G_SOURCE_REMOVE;
}

int
main (int argc, char **argv)
{
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_autoptr (BenchMedia) media = NULL;
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  g_autoptr (SoupServer) server = soup_server_new (NULL, NULL);
  g_autoptr (GIOChannel) input = g_io_channel_unix_new (0);
  g_autoptr (GError) error = NULL;
  g_autoptr (GSocket) socket = NULL;
  Audience audience = { 0 };
  const guint8 *chunk;
  gsize size;
  guint port;

  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, NULL))
    return 64;
  media = bench_media_new ((guint) unit_bytes, (guint) unit_ms, 2000);
  chunk = bench_media_make_chunk (media, 1, &size);
  audience.unit = g_bytes_new (chunk, size);
  audience.connections = g_ptr_array_new_with_free_func (g_object_unref);

  socket = g_socket_new_from_fd (bench_listen (&port), &error);
  soup_server_add_websocket_handler (server, NULL, NULL, NULL, take_connection, &audience, NULL);
  if (socket == NULL || !soup_server_listen_socket (server, socket, 0, &error))
    g_error ("%s", error->message);
  g_timeout_add ((guint) unit_ms, send_unit, &audience);
  g_io_add_watch (input, G_IO_IN | G_IO_HUP, take_end, loop);
  printf ("listening on http://127.0.0.1:%u/\n", port);
  fflush (stdout);
  g_main_loop_run (loop);
  g_ptr_array_unref (audience.connections);
  g_bytes_unref (audience.unit);
  return 0;
}
