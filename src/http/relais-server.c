/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The server: listening sockets, routes, and who owns what behind them.
 *
 * It owns the stream table, the publishers and the sender pool. A WebSocket that was upgraded
 * leaves libsoup: a publisher's connection stays on the main context, a viewer's goes to a sender
 * thread and is not touched here any more; when it is gone the thread tells the main context, which
 * takes it off the counts.
 *
 * Main context only, but for viewer_left(). */

#include "config.h"

#include "http/relais-server.h"

#include <libsoup/soup.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#include "base/relais-error.h"
#include "base/relais-log.h"
#include "base/relais-message.h"
#include "base/relais-source.h"
#include "base/relais-stream-id.h"
#include "base/relais-websocket-frame.h"
#include "egress/relais-sender-pool.h"
#include "http/relais-api.h"
#include "http/relais-listener.h"
#include "http/relais-pages.h"
#include "http/relais-upgrade.h"
#include "ingest/relais-publisher.h"
#include "stream/relais-stream-table.h"

/* Publishers have this long to answer the close frame when the server stops. */
#define STOP_TIMEOUT_MS 1000

/* RFC 9110 section 15.5.22; libsoup does not name it. */
#define UPGRADE_REQUIRED 426

struct _RelaisServer
{
  const RelaisConfig *config; /* outlives the server */
  SoupServer *soup;
  GPtrArray *sockets; /* GSocket that listen */
  const char *scheme;
  RelaisStreamTable *streams;
  GHashTable *publishers; /* a set of owned RelaisPublisher */
  RelaisSenderPool *senders;

  guint n_viewers;
  GHashTable *viewers_by_address; /* address → number; only addresses that have any */

  gboolean is_stopping;
  RelaisServerStoppedFunc stopped_func;
  gpointer stopped_data;
  GSource *stop_source; /* owned: the end of STOP_TIMEOUT_MS */
};

/* Publishers */

static void
finish_stop (RelaisServer *self)
{
  RelaisServerStoppedFunc func = g_steal_pointer (&self->stopped_func);

  if (func != NULL)
    func (self->stopped_data);
}

static void
publisher_gone (RelaisPublisher *publisher, gpointer user_data)
{
  RelaisServer *self = user_data;

  g_hash_table_remove (self->publishers, publisher);
  if (self->is_stopping && g_hash_table_size (self->publishers) == 0)
    finish_stop (self);
}

static void
take_publisher (const char *stream_id,
                GIOStream *io,
                GSocket *socket,
                const char *address,
                gpointer user_data)
{
  RelaisServer *self = user_data;
  RelaisPublisher *publisher
      = relais_publisher_new (self->streams, stream_id, io, g_socket_get_fd (socket), address,
                              self->config, publisher_gone, self);

  g_object_unref (socket);
  g_hash_table_add (self->publishers, publisher);
  if (self->is_stopping)
    relais_publisher_close (publisher, 1012, "the server restarts");
}

/* Viewers */

typedef struct
{
  RelaisServer *server;
  RelaisStream *stream;
  char *address;
} LeftViewer;

static void
left_viewer_free (gpointer data)
{
  LeftViewer *left = data;

  g_free (left->address);
  g_free (left);
}

static guint
count_address (RelaisServer *self, const char *address, int change)
{
  guint n
      = GPOINTER_TO_UINT (g_hash_table_lookup (self->viewers_by_address, address)) + (guint) change;

  if (n == 0)
    g_hash_table_remove (self->viewers_by_address, address);
  else
    g_hash_table_insert (self->viewers_by_address, g_strdup (address), GUINT_TO_POINTER (n));
  return n;
}

static gboolean
forget_viewer (gpointer data)
{
  LeftViewer *left = data;

  left->server->n_viewers--;
  count_address (left->server, left->address, -1);
  relais_stream_remove_viewer (left->stream);
  return G_SOURCE_REMOVE;
}

/* On a sender thread. Not g_main_context_invoke(): that would call on this thread when the main one
 * is not in its loop, as at the end. */
static void
viewer_left (RelaisStream *stream, const char *address, gpointer user_data)
{
  LeftViewer *left = g_new0 (LeftViewer, 1);
  g_autoptr (GSource) source = g_idle_source_new ();

  left->server = user_data;
  left->stream = stream;
  left->address = g_strdup (address);
  g_source_set_priority (source, G_PRIORITY_DEFAULT);
  g_source_set_callback (source, forget_viewer, left, left_viewer_free);
  g_source_attach (source, NULL);
}

static GError *
check_viewer_limits (RelaisServer *self, RelaisStream *stream, guint n_of_address)
{
  const RelaisConfig *config = self->config;

  if (self->n_viewers > config->viewers_max)
    return g_error_new (RELAIS_ERROR, RELAIS_ERROR_LIMIT,
                        "the server has its limit of %" G_GINT64_FORMAT " viewers",
                        config->viewers_max);
  if (relais_stream_get_n_viewers (stream) > config->viewers_per_stream_max)
    return g_error_new (RELAIS_ERROR, RELAIS_ERROR_LIMIT,
                        "the stream has its limit of %" G_GINT64_FORMAT " viewers",
                        config->viewers_per_stream_max);
  if (config->viewers_per_address_max > 0 && n_of_address > config->viewers_per_address_max)
    return g_error_new (RELAIS_ERROR, RELAIS_ERROR_LIMIT,
                        "your address has its limit of %" G_GINT64_FORMAT " viewers",
                        config->viewers_per_address_max);
  return NULL;
}

/* What the kernel may hold for one viewer. Not SO_SNDBUF: that would also bound what is in flight,
 * and with it the speed over a long line. TCP_NOTSENT_LOWAT (tcp(7)) bounds only what is written
 * and not yet sent, so a viewer's lag shows here, where it can be dealt with, instead of ageing in
 * the kernel. */
static void
limit_unsent (RelaisServer *self, GSocket *socket)
{
  g_autoptr (GError) error = NULL;

  if (!g_socket_set_option (socket, IPPROTO_TCP, TCP_NOTSENT_LOWAT,
                            (int) self->config->viewer_unsent_bytes, &error))
    relais_log_warning (NULL, "TCP_NOTSENT_LOWAT cannot be set: %s", error->message);
}

/* For a viewer that has no stream. The socket is new and empty: what is written fits. Takes @io. */
static void
refuse_connection (GIOStream *io, const GError *error)
{
  GPollableOutputStream *output = G_POLLABLE_OUTPUT_STREAM (g_io_stream_get_output_stream (io));
  g_autofree char *message = relais_message_new_error (error);
  g_autoptr (GBytes) text = relais_websocket_frame_new_text (message);
  g_autoptr (GBytes) close
      = relais_websocket_frame_new_close (relais_error_get_close_code (error), error->message);

  g_pollable_output_stream_write_nonblocking (output, g_bytes_get_data (text, NULL),
                                              g_bytes_get_size (text), NULL, NULL);
  g_pollable_output_stream_write_nonblocking (output, g_bytes_get_data (close, NULL),
                                              g_bytes_get_size (close), NULL, NULL);
  g_io_stream_close (io, NULL, NULL);
  g_object_unref (io);
}

static void
take_viewer (const char *stream_id,
             GIOStream *io,
             GSocket *socket,
             const char *address,
             gpointer user_data)
{
  RelaisServer *self = user_data;
  g_autoptr (GSocket) owned_socket = socket;
  g_autoptr (GError) error = NULL;
  RelaisStream *stream = relais_stream_table_ensure (self->streams, stream_id, &error);
  RelaisViewer *viewer;
  guint n_of_address;

  if (stream == NULL)
    {
      relais_log_warning (stream_id, "viewer from %s refused: %s", address, error->message);
      refuse_connection (io, error);
      return;
    }
  limit_unsent (self, socket);
  self->n_viewers++;
  n_of_address = count_address (self, address, 1);
  relais_stream_add_viewer (stream);
  viewer = relais_viewer_new (stream, io, g_socket_get_fd (socket), address, self->config);
  error = check_viewer_limits (self, stream, n_of_address);
  if (error != NULL)
    relais_viewer_refuse (viewer, error);
  relais_sender_pool_adopt (self->senders, viewer);
}

/* Routes */

static void
respond_json (SoupServerMessage *message, char *json)
{
  SoupMessageHeaders *headers = soup_server_message_get_response_headers (message);

  soup_message_headers_replace (headers, "Cache-Control", "no-store");
  soup_message_headers_replace (headers, "Access-Control-Allow-Origin", "*");
  soup_server_message_set_status (message, SOUP_STATUS_OK, NULL);
  soup_server_message_set_response (message, "application/json", SOUP_MEMORY_TAKE, json,
                                    strlen (json));
}

static void
handle_socket (RelaisServer *self,
               SoupServerMessage *message,
               const char *stream_id,
               RelaisUpgradeFunc func)
{
  SoupMessageHeaders *headers = soup_server_message_get_response_headers (message);

  if (!relais_stream_id_is_valid (stream_id))
    relais_pages_respond_text (
        message, SOUP_STATUS_NOT_FOUND,
        "A stream id is 1 to 64 letters, digits, dots, underscores and hyphens.");
  else if (self->is_stopping)
    relais_pages_respond_text (message, SOUP_STATUS_SERVICE_UNAVAILABLE, "The server restarts.");
  else if (!relais_upgrade_is_wanted (message))
    {
      soup_message_headers_replace (headers, "Upgrade", "websocket");
      relais_pages_respond_text (message, UPGRADE_REQUIRED, "This address speaks WebSocket.");
    }
  else
    relais_upgrade_begin (message, stream_id, func, self);
}

static void
handle_api (RelaisServer *self, SoupServerMessage *message, const char *rest)
{
  RelaisStream *stream;

  if (*rest == '\0' || g_str_equal (rest, "/"))
    {
      respond_json (message, relais_api_describe_streams (self->streams));
      return;
    }
  stream = relais_stream_table_lookup (self->streams, rest + 1);
  if (stream != NULL)
    respond_json (message, relais_api_describe_stream (stream));
  else
    relais_pages_respond_text (message, SOUP_STATUS_NOT_FOUND, "There is no such stream.");
}

static const char *
skip_prefix (const char *path, const char *prefix)
{
  return g_str_has_prefix (path, prefix) ? path + strlen (prefix) : NULL;
}

static void
handle_request (SoupServer *soup,
                SoupServerMessage *message,
                const char *path,
                GHashTable *query,
                gpointer user_data)
{
  RelaisServer *self = user_data;
  const char *method = soup_server_message_get_method (message);
  const char *rest;

  relais_log_debug (NULL, "%s %s from %s", method, path,
                    soup_server_message_get_remote_host (message));
  if (method != SOUP_METHOD_GET && method != SOUP_METHOD_HEAD)
    {
      soup_message_headers_replace (soup_server_message_get_response_headers (message), "Allow",
                                    "GET, HEAD");
      relais_pages_respond_text (message, SOUP_STATUS_METHOD_NOT_ALLOWED,
                                 "Only GET and HEAD are served here.");
    }
  else if ((rest = skip_prefix (path, "/live/")) != NULL)
    handle_socket (self, message, rest, take_viewer);
  else if ((rest = skip_prefix (path, "/publish/")) != NULL)
    handle_socket (self, message, rest, take_publisher);
  else if ((rest = skip_prefix (path, "/api/v1/streams")) != NULL
           && (*rest == '\0' || *rest == '/'))
    handle_api (self, message, rest);
  else if (g_str_equal (path, "/healthz"))
    relais_pages_respond_text (message, SOUP_STATUS_OK, "ok");
  else if (!relais_pages_handle (message, path))
    relais_pages_respond_text (message, SOUP_STATUS_NOT_FOUND, "There is nothing here.");

  /* libsoup before 3.3 does not notice that a client has closed a connection which it kept for
   * another request, and the descriptor stays open for good. */
  if (soup_server_message_get_status (message) != SOUP_STATUS_SWITCHING_PROTOCOLS)
    soup_message_headers_replace (soup_server_message_get_response_headers (message), "Connection",
                                  "close");
}

/* Life */

static gboolean
load_tls (RelaisServer *self, GError **error)
{
  const RelaisConfig *config = self->config;
  g_autoptr (GTlsCertificate) certificate = NULL;

  self->scheme = "http";
  if (config->tls_certificate == NULL)
    return TRUE;
  certificate = g_tls_certificate_new_from_files (config->tls_certificate,
                                                  config->tls_key != NULL ? config->tls_key
                                                                          : config->tls_certificate,
                                                  error);
  if (certificate == NULL)
    {
      g_prefix_error (error, "the TLS certificate cannot be used: ");
      return FALSE;
    }
  soup_server_set_tls_certificate (self->soup, certificate);
  self->scheme = "https";
  return TRUE;
}

/**
 * relais_server_new:
 * @config: the configuration, which must outlive the server
 * @error: a #GTlsError, #GFileError or RELAIS_ERROR_INTERNAL
 *
 * Returns: (transfer full): a server that does not listen yet, with its sender threads running
 */
RelaisServer *
relais_server_new (const RelaisConfig *config, GError **error)
{
  g_autoptr (RelaisServer) self = g_new0 (RelaisServer, 1);

  self->config = config;
  self->soup = soup_server_new ("server-header", "relais/" RELAIS_VERSION, NULL);
  self->sockets = g_ptr_array_new_with_free_func (g_object_unref);
  self->streams = relais_stream_table_new (config);
  self->publishers
      = g_hash_table_new_full (NULL, NULL, (GDestroyNotify) relais_publisher_free, NULL);
  self->viewers_by_address = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  soup_server_add_handler (self->soup, NULL, handle_request, self, NULL);
  if (!load_tls (self, error))
    return NULL;
  self->senders = relais_sender_pool_new (config, viewer_left, self, error);
  if (self->senders == NULL)
    return NULL;
  return g_steal_pointer (&self);
}

/**
 * relais_server_free:
 * @self: a server
 *
 * Ends what is left: viewers get a close frame and at most three seconds.
 */
void
relais_server_free (RelaisServer *self)
{
  relais_source_clear (&self->stop_source);
  soup_server_disconnect (self->soup);
  g_clear_pointer (&self->senders, relais_sender_pool_free);
  /* The sender threads are gone; what they said last is still on its way to here. */
  while (self->n_viewers > 0 && g_main_context_iteration (NULL, FALSE))
    ;
  g_hash_table_unref (self->publishers);
  relais_stream_table_free (self->streams);
  g_hash_table_unref (self->viewers_by_address);
  g_ptr_array_unref (self->sockets);
  g_object_unref (self->soup);
  g_free (self);
}

/**
 * relais_server_listen:
 * @self: a server
 * @error: RELAIS_ERROR_INVALID or a #GIOErrorEnum, with the address in its message
 *
 * Binds all addresses of the configuration and serves them.
 *
 * Returns: whether all of them could be bound
 */
gboolean
relais_server_listen (RelaisServer *self, GError **error)
{
  SoupServerListenOptions options
      = self->config->tls_certificate != NULL ? SOUP_SERVER_LISTEN_HTTPS : 0;

  for (guint i = 0; self->config->listen[i] != NULL; i++)
    {
      GSocket *socket = relais_listener_bind (self->config->listen[i], error);

      if (socket == NULL)
        return FALSE;
      g_ptr_array_add (self->sockets, socket);
      if (!soup_server_listen_socket (self->soup, socket, options, error))
        return FALSE;
    }
  return TRUE;
}

/**
 * relais_server_get_urls:
 * @self: a server that listens
 *
 * Returns: (transfer full): the address of each listening socket, as `http://127.0.0.1:8080/`
 */
char **
relais_server_get_urls (RelaisServer *self)
{
  g_autoptr (GStrvBuilder) urls = g_strv_builder_new ();

  for (guint i = 0; i < self->sockets->len; i++)
    {
      g_autofree char *url
          = relais_listener_get_url (g_ptr_array_index (self->sockets, i), self->scheme);

      g_strv_builder_add (urls, url);
    }
  return g_strv_builder_end (urls);
}

static gboolean
stop_waiting (gpointer data)
{
  finish_stop (data);
  return G_SOURCE_REMOVE;
}

/**
 * relais_server_stop:
 * @self: a server
 * @func: called on the main context when publishers are gone, at the latest after STOP_TIMEOUT_MS;
 * free the server then
 * @user_data: passed to @func
 *
 * Accepts nothing any more and sends every publisher a close frame with 1012. Viewers get theirs in
 * relais_server_free().
 */
void
relais_server_stop (RelaisServer *self, RelaisServerStoppedFunc func, gpointer user_data)
{
  GHashTableIter iter;
  gpointer publisher;

  self->is_stopping = TRUE;
  self->stopped_func = func;
  self->stopped_data = user_data;
  soup_server_disconnect (self->soup);

  g_hash_table_iter_init (&iter, self->publishers);
  while (g_hash_table_iter_next (&iter, &publisher, NULL))
    relais_publisher_close (publisher, 1012, "the server restarts");

  self->stop_source
      = relais_source_attach (g_timeout_source_new (
                                  g_hash_table_size (self->publishers) > 0 ? STOP_TIMEOUT_MS : 0),
                              NULL, "relais-server-stop", G_PRIORITY_DEFAULT, stop_waiting, self);
}
