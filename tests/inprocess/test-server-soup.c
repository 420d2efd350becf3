/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Publisher and viewer are libsoup's own WebSocket client: one that was not written against this
 * server, strict about the protocol, and with its own idea of when it writes and closes. */

#include <libsoup/soup.h>
#include <string.h>

#include "relais-test-capture.h"
#include "relais-test-chunks.h"
#include "relais-test-media.h"
#include "relais-test-server.h"

#define TLS                                                                                        \
  "tls-certificate", RELAIS_TEST_DATA_DIR "/tls/certificate.pem", "tls-key",                       \
      RELAIS_TEST_DATA_DIR "/tls/key.pem"
#define NO_FILLERS "quiet-track-ms", "0", "quiet-track-drop-ms", "86400000"

/* One connection. Its sources are in the thread-default context of the test. */
typedef struct
{
  SoupSession *session;
  SoupWebsocketConnection *connection; /* NULL until it is there */
  GString *types;                      /* of the text messages, each with a space behind it */
  RelaisTestMedia *media;
  GError *error;
  gboolean is_closed;
} Peer;

static void
take_message (SoupWebsocketConnection *connection, int type, GBytes *message, gpointer user_data)
{
  Peer *peer = user_data;
  gsize size;
  const char *data = g_bytes_get_data (message, &size);

  if (type == SOUP_WEBSOCKET_DATA_BINARY)
    {
      relais_test_media_append (peer->media, data, size);
      return;
    }
  {
    g_autofree char *text = g_strndup (data, size);
    g_autoptr (JsonNode) node = json_from_string (text, NULL);

    g_assert_nonnull (node);
    g_string_append_printf (peer->types, "%s ",
                            json_object_get_string_member (json_node_get_object (node), "type"));
  }
}

static void
take_error (SoupWebsocketConnection *connection, GError *error, gpointer user_data)
{
  Peer *peer = user_data;

  if (peer->error == NULL)
    peer->error = g_error_copy (error);
}

static void
take_closed (SoupWebsocketConnection *connection, gpointer user_data)
{
  Peer *peer = user_data;

  peer->is_closed = TRUE;
}

static void
take_connection (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Peer *peer = user_data;

  peer->connection
      = soup_session_websocket_connect_finish (SOUP_SESSION (source), result, &peer->error);
  if (peer->connection == NULL)
    return;
  soup_websocket_connection_set_max_incoming_payload_size (peer->connection, 0);
  g_signal_connect (peer->connection, "message", G_CALLBACK (take_message), peer);
  g_signal_connect (peer->connection, "error", G_CALLBACK (take_error), peer);
  g_signal_connect (peer->connection, "closed", G_CALLBACK (take_closed), peer);
}

static gboolean
accept_any (SoupMessage *message,
            GTlsCertificate *certificate,
            GTlsCertificateFlags errors,
            gpointer user_data)
{
  return TRUE;
}

static Peer *
peer_new (RelaisTestServer *server, const char *scheme, const char *path)
{
  Peer *peer = g_new0 (Peer, 1);
  g_autofree char *url = relais_test_server_make_url (server, scheme, path);
  g_autoptr (SoupMessage) message = soup_message_new ("GET", url);

  peer->session = soup_session_new ();
  peer->types = g_string_new (NULL);
  peer->media = relais_test_media_new ();
  g_signal_connect (message, "accept-certificate", G_CALLBACK (accept_any), NULL);
  soup_session_websocket_connect_async (peer->session, message, NULL, NULL, G_PRIORITY_DEFAULT,
                                        NULL, take_connection, peer);
  while (peer->connection == NULL && peer->error == NULL)
    g_main_context_iteration (g_main_context_get_thread_default (), TRUE);
  g_assert_no_error (peer->error);
  return peer;
}

static void
peer_free (Peer *peer)
{
  g_clear_object (&peer->connection);
  g_object_unref (peer->session);
  g_string_free (peer->types, TRUE);
  relais_test_media_free (peer->media);
  g_clear_error (&peer->error);
  g_free (peer);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Peer, peer_free)

/* Waits until a text message of this type has come. */
static void
await_type (Peer *peer, const char *type)
{
  g_autofree char *word = g_strconcat (type, " ", NULL);

  while (strstr (peer->types->str, word) == NULL)
    {
      g_assert_no_error (peer->error);
      g_main_context_iteration (g_main_context_get_thread_default (), TRUE);
    }
}

static void
await_closed (Peer *peer)
{
  while (!peer->is_closed)
    g_main_context_iteration (g_main_context_get_thread_default (), TRUE);
}

static void
play (RelaisTestServer *server, const char *scheme)
{
  g_autoptr (GPtrArray) chunks = relais_test_chunks_read ("chrome-vp8-opus.webm");
  g_autoptr (GPtrArray) vp8 = relais_test_capture_read ("chrome-vp8-opus.webm", "V_VP8");
  g_autoptr (GPtrArray) opus = relais_test_capture_read ("chrome-vp8-opus.webm", "A_OPUS");
  g_autoptr (Peer) viewer = peer_new (server, scheme, "/live/demo");
  g_autoptr (Peer) publisher = peer_new (server, scheme, "/publish/demo");

  await_type (viewer, "waiting");
  await_type (publisher, "ready");
  for (guint i = 0; i < chunks->len; i++)
    soup_websocket_connection_send_message (publisher->connection, SOUP_WEBSOCKET_DATA_BINARY,
                                            g_ptr_array_index (chunks, i));
  soup_websocket_connection_close (publisher->connection, 1000, "done");
  await_closed (publisher);
  g_assert_no_error (publisher->error);
  g_assert_cmpuint (soup_websocket_connection_get_close_code (publisher->connection), ==, 1000);

  await_type (viewer, "interrupted");
  g_assert_cmpstr (viewer->types->str, ==, "waiting init interrupted ");
  relais_test_media_assert_payloads (viewer->media, "V_VP8", vp8, 0);
  relais_test_media_assert_payloads (viewer->media, "A_OPUS", opus, 0);
  soup_websocket_connection_close (viewer->connection, 1001, "");
  await_closed (viewer);
  g_assert_no_error (viewer->error);
  g_assert_cmpuint (soup_websocket_connection_get_close_code (viewer->connection), ==, 1001);
}

/* libsoup's client keeps a network monitor and a few more things. */
static void
warm_up (void)
{
  gboolean has_tls = g_tls_backend_supports_tls (g_tls_backend_get_default ());
  g_autoptr (RelaisTestServer) server = has_tls ? relais_test_server_new (NO_FILLERS, TLS, NULL)
                                                : relais_test_server_new (NO_FILLERS, NULL);

  relais_test_server_leave_uncounted (server);
  play (server, has_tls ? "wss" : "ws");
}

static void
test_play (void)
{
  g_autoptr (RelaisTestServer) server = relais_test_server_new (NO_FILLERS, NULL);

  play (server, "ws");
}

static void
test_play_tls (void)
{
  g_autoptr (RelaisTestServer) server = NULL;

  if (!g_tls_backend_supports_tls (g_tls_backend_get_default ()))
    {
      g_test_skip ("glib-networking is missing");
      return;
    }
  server = relais_test_server_new (NO_FILLERS, TLS, NULL);
  play (server, "wss");
}

/* libsoup sends pings of its own, and answers ours. */
static void
test_pings (void)
{
  g_autoptr (RelaisTestServer) server
      = relais_test_server_new (NO_FILLERS, "viewer-ping-ms", "20", "viewer-stall-ms", "1000",
                                "publisher-silent-ms", "600", NULL);
  g_autoptr (Peer) viewer = peer_new (server, "ws", "/live/demo");
  g_autoptr (Peer) publisher = peer_new (server, "ws", "/publish/demo");

  soup_websocket_connection_set_keepalive_interval (viewer->connection, 1);
  /* the publisher's statistics come once a second: many pings later */
  await_type (publisher, "stats");
  g_assert_no_error (viewer->error);
  g_assert_no_error (publisher->error);
  g_assert_false (viewer->is_closed);
  g_assert_false (publisher->is_closed);
}

static void
test_error (void)
{
  g_autoptr (RelaisTestServer) server = relais_test_server_new (NULL);
  g_autoptr (Peer) publisher = peer_new (server, "ws", "/publish/demo");
  g_autoptr (GBytes) garbage = g_bytes_new_static ("garbage, garbage", 16);

  soup_websocket_connection_send_message (publisher->connection, SOUP_WEBSOCKET_DATA_BINARY,
                                          garbage);
  await_closed (publisher);
  g_assert_cmpstr (publisher->types->str, ==, "ready error ");
  g_assert_cmpuint (soup_websocket_connection_get_close_code (publisher->connection), ==, 1003);
}

static void
test_stop (void)
{
  g_autoptr (RelaisTestServer) server = relais_test_server_new (NULL);
  g_autoptr (Peer) viewer = peer_new (server, "ws", "/live/demo");
  g_autoptr (Peer) publisher = peer_new (server, "ws", "/publish/demo");

  await_type (publisher, "ready");
  relais_test_server_begin_stop (server);
  await_closed (publisher);
  await_closed (viewer);
  g_assert_cmpuint (soup_websocket_connection_get_close_code (publisher->connection), ==, 1012);
  g_assert_cmpuint (soup_websocket_connection_get_close_code (viewer->connection), ==, 1012);
}

static void
ignore_debug (const char *domain, GLogLevelFlags level, const char *message, gpointer user_data)
{
}

int
main (int argc, char **argv)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  int result;

  g_log_set_handler ("libsoup", G_LOG_LEVEL_DEBUG, ignore_debug, NULL);
  g_log_set_handler ("GLib-GIO", G_LOG_LEVEL_DEBUG, ignore_debug, NULL);
  /* nothing of the user's desktop */
  g_setenv ("GSETTINGS_BACKEND", "memory", TRUE);
  g_setenv ("GIO_USE_PROXY_RESOLVER", "dummy", TRUE);
  /* the default context is the server's */
  g_main_context_push_thread_default (context);
  relais_test_server_init (&argc, &argv);
  warm_up ();

  g_test_add_func ("/server-soup/play", test_play);
  g_test_add_func ("/server-soup/play-tls", test_play_tls);
  g_test_add_func ("/server-soup/pings", test_pings);
  g_test_add_func ("/server-soup/error", test_error);
  g_test_add_func ("/server-soup/stop", test_stop);
  result = relais_test_server_run ();
  g_main_context_pop_thread_default (context);
  return result;
}
