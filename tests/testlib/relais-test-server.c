/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A RelaisServer in this process, on a free port of the loopback, in a thread of its own that runs
 * the default main context, as main() does in the real one. The test's thread talks to it through
 * sockets only, and blocks where it waits for something.
 *
 * There is no sleep and no time limit but one: a watchdog that ends the whole program, with the
 * test's name, when a server has lived for longer than any test needs.
 *
 * Freeing a server proves that nothing was left behind: as many descriptors and the same threads as
 * when it was made. So clients are freed before it. */

#include "relais-test-server.h"

#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/relais-log.h"
#include "http/relais-server.h"
#include "relais-test-gst.h"

#define WATCHDOG_SECONDS 60

/* A test that is about none of these must not meet them, however slow the machine is. */
static const char *const never[] = {
  "header-timeout-ms", "publisher-silent-ms", "viewer-lag-ms", "viewer-ping-ms", "viewer-stall-ms",
};

struct _RelaisTestServer
{
  RelaisConfig *config;
  GThread *thread;
  GMainLoop *loop;
  gboolean is_stopping;
  char *url;
  GSocketAddress *address;
  guint n_fds;   /* before it was made */
  char *threads; /* the same */

  GMutex lock; /* protects `url`, until it is set */
  GCond ready;
};

#if defined(__SANITIZE_ADDRESS__)
const char *__asan_default_options (void);

/* GnuTLS comes by dlopen(), and its threads live to the end of the process. The leak check of GCC
 * 12's run-time library crashes over what such threads allocated through __tls_get_addr(); it can
 * do without. */
const char *
__asan_default_options (void)
{
  return "intercept_tls_get_addr=0";
}
#endif

/* What belongs to the process */

static guint
count_fds (void)
{
  g_autoptr (GDir) folder = g_dir_open ("/proc/self/fd", 0, NULL);
  guint n = 0;

  while (g_dir_read_name (folder) != NULL)
    n++;
  return n;
}

static void
print_fds (void)
{
  g_autoptr (GDir) folder = g_dir_open ("/proc/self/fd", 0, NULL);
  const char *name;

  while ((name = g_dir_read_name (folder)) != NULL)
    {
      g_autofree char *path = g_build_filename ("/proc/self/fd", name, NULL);
      g_autofree char *target = g_file_read_link (path, NULL);

      g_printerr ("%s: %s\n", name, target != NULL ? target : "gone");
    }
}

static int
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(char *const *) a, *(char *const *) b);
}

/* Returns: (transfer full): the names of all threads but those that GLib keeps for later work. */
static char *
list_threads (void)
{
  g_autoptr (GDir) folder = g_dir_open ("/proc/self/task", 0, NULL);
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  const char *id;

  while ((id = g_dir_read_name (folder)) != NULL)
    {
      g_autofree char *path = g_build_filename ("/proc/self/task", id, "comm", NULL);
      g_autofree char *name = NULL;

      if (!g_file_get_contents (path, &name, NULL, NULL))
        continue;
      g_strchomp (name);
      if (!g_str_has_prefix (name, "pool-") && !g_str_equal (name, "gmain"))
        g_ptr_array_add (names, g_steal_pointer (&name));
    }
  g_ptr_array_sort (names, compare_names);
  g_ptr_array_add (names, NULL);
  return g_strjoinv (" ", (char **) names->pdata);
}

/* A thread that was joined, or has gone back to a pool, may be listed for an instant longer. */
static void
await_threads (const char *expected)
{
  for (;;)
    {
      g_autofree char *threads = list_threads ();

      if (g_str_equal (threads, expected))
        return;
      g_thread_yield ();
    }
}

static void
bark (int signal_number)
{
  static const char message[] = "the watchdog has seen no end of this test\n";

  if (write (STDERR_FILENO, message, sizeof message - 1) < 0)
    _exit (1);
  abort ();
}

static void
set_watchdog (void)
{
  const char *slower = g_getenv ("RELAIS_TEST_SLOWER");

  alarm (WATCHDOG_SECONDS * (slower != NULL ? (guint) atoi (slower) : 1));
}

/**
 * relais_test_server_init:
 * @argc: (inout): of main()
 * @argv: (inout): of main()
 *
 * GTest, GStreamer, the log, and one server that comes and goes: see relais_test_server_warm_up().
 * RELAIS_TEST_LOG is the level of the log.
 */
void
relais_test_server_init (int *argc, char ***argv)
{
  RelaisLogLevel level = RELAIS_LOG_ERROR;
  struct rlimit limit;

  g_test_init (argc, argv, NULL);
  signal (SIGPIPE, SIG_IGN);
  signal (SIGALRM, bark);
  g_assert_cmpint (getrlimit (RLIMIT_NOFILE, &limit), ==, 0);
  limit.rlim_cur = limit.rlim_max;
  setrlimit (RLIMIT_NOFILE, &limit);

  relais_log_parse_level (g_getenv ("RELAIS_TEST_LOG"), &level);
  relais_log_init (level);
  /* GLib would keep the threads of its pools for 15 s. */
  g_thread_pool_set_max_unused_threads (0);
  relais_test_gst_init ();
  relais_test_server_warm_up (NULL);
}

/**
 * relais_test_server_run:
 *
 * Runs the tests; then no thread may be left.
 *
 * Returns: the exit code of the program
 */
int
relais_test_server_run (void)
{
  g_autofree char *threads = list_threads ();
  int result = g_test_run ();

  set_watchdog ();
  await_threads (threads);
  alarm (0);
  return result;
}

/* The server's thread */

static void
quit (gpointer data)
{
  g_main_loop_quit (data);
}

static gpointer
run (gpointer data)
{
  RelaisTestServer *self = data;
  g_autoptr (GError) error = NULL;
  RelaisServer *server = relais_server_new (self->config, &error);
  g_auto (GStrv) urls = NULL;

  /* Nobody else may run what is sent to this thread, not even before the loop runs. */
  g_assert_true (g_main_context_acquire (NULL));
  g_assert_no_error (error);
  g_assert_true (relais_server_listen (server, &error));
  g_assert_no_error (error);
  urls = relais_server_get_urls (server);
  g_mutex_lock (&self->lock);
  self->url = g_strdup (urls[0]);
  g_cond_signal (&self->ready);
  g_mutex_unlock (&self->lock);

  g_main_loop_run (self->loop);
  relais_server_stop (server, quit, self->loop);
  g_main_loop_run (self->loop);
  g_main_context_release (NULL); /* as in main() */
  relais_server_free (server);
  return NULL;
}

static RelaisTestServer *
new_valist (const char *first_key, va_list pairs)
{
  RelaisTestServer *self = g_new0 (RelaisTestServer, 1);
  g_autoptr (GUri) uri = NULL;
  g_autoptr (GError) error = NULL;

  set_watchdog ();
  self->n_fds = count_fds ();
  self->threads = list_threads ();

  self->config = relais_config_new ();
  relais_config_set (self->config, "listen", "127.0.0.1:0", &error);
  for (guint i = 0; i < G_N_ELEMENTS (never); i++)
    relais_config_set (self->config, never[i], "86400000", &error);
  for (const char *key = first_key; key != NULL; key = va_arg (pairs, const char *))
    {
      relais_config_set (self->config, key, va_arg (pairs, const char *), &error);
      g_assert_no_error (error);
    }

  g_mutex_init (&self->lock);
  g_cond_init (&self->ready);
  self->loop = g_main_loop_new (NULL, FALSE);
  self->thread = g_thread_new ("test-server", run, self);
  g_mutex_lock (&self->lock);
  while (self->url == NULL)
    g_cond_wait (&self->ready, &self->lock);
  g_mutex_unlock (&self->lock);

  uri = g_uri_parse (self->url, G_URI_FLAGS_NONE, &error);
  g_assert_no_error (error);
  self->address
      = g_inet_socket_address_new_from_string (g_uri_get_host (uri), (guint) g_uri_get_port (uri));
  return self;
}

/**
 * relais_test_server_new:
 * @first_key: (nullable): a configuration key, then its value as text, and so on; %NULL ends the
 * list. Time limits of peers have no default here.
 *
 * Returns: (transfer full): a server that listens
 */
RelaisTestServer *
relais_test_server_new (const char *first_key, ...)
{
  RelaisTestServer *self;
  va_list pairs;

  va_start (pairs, first_key);
  self = new_valist (first_key, pairs);
  va_end (pairs);
  return self;
}

/**
 * relais_test_server_leave_uncounted:
 * @self: a server
 *
 * Whatever its clients leave behind is what the libraries keep for the rest of the process.
 */
void
relais_test_server_leave_uncounted (RelaisTestServer *self)
{
  self->n_fds = 0;
}

/**
 * relais_test_server_warm_up:
 * @first_key: (nullable): as for relais_test_server_new()
 *
 * Lets a server come and go that is asked once, so that what the libraries keep for the rest of the
 * process is there before anything is counted.
 */
void
relais_test_server_warm_up (const char *first_key, ...)
{
  RelaisTestServer *server;
  g_autofree char *page = NULL;
  va_list pairs;

  va_start (pairs, first_key);
  server = new_valist (first_key, pairs);
  va_end (pairs);
  page = relais_test_server_get (server, "/healthz", NULL);
  relais_test_server_leave_uncounted (server);
  relais_test_server_free (server);
}

/**
 * relais_test_server_begin_stop:
 * @self: a server
 *
 * Tells it to end, as SIGTERM does. Connections of the test stay.
 */
void
relais_test_server_begin_stop (RelaisTestServer *self)
{
  if (!self->is_stopping)
    g_main_context_invoke (NULL, G_SOURCE_FUNC (quit), self->loop);
  self->is_stopping = TRUE;
}

/**
 * relais_test_server_stop:
 * @self: a server
 *
 * Tells it to end, and returns when it is gone.
 */
void
relais_test_server_stop (RelaisTestServer *self)
{
  relais_test_server_begin_stop (self);
  if (self->thread != NULL)
    g_thread_join (g_steal_pointer (&self->thread));
}

/**
 * relais_test_server_get_idle_fds:
 * @self: a server without connections
 *
 * Returns: how many descriptors this process has
 */
guint
relais_test_server_get_idle_fds (RelaisTestServer *self)
{
  g_autofree char *health = relais_test_server_get (self, "/healthz", NULL);

  return count_fds ();
}

/**
 * relais_test_server_await_fds:
 * @self: a server
 * @n_fds: what relais_test_server_get_idle_fds() returned
 *
 * Asks until every connection is gone, on both sides.
 */
void
relais_test_server_await_fds (RelaisTestServer *self, guint n_fds)
{
  while (relais_test_server_get_idle_fds (self) > n_fds)
    ;
}

/* Clients have to be freed before. */
void
relais_test_server_free (RelaisTestServer *self)
{
  relais_test_server_stop (self);
  g_main_loop_unref (self->loop);
  relais_config_free (self->config);
  g_object_unref (self->address);
  g_mutex_clear (&self->lock);
  g_cond_clear (&self->ready);
  g_free (self->url);

  if (self->n_fds > 0)
    {
      guint n_fds = count_fds ();

      if (n_fds != self->n_fds)
        print_fds ();
      g_assert_cmpuint (n_fds, ==, self->n_fds);
      await_threads (self->threads);
    }
  g_free (self->threads);
  g_free (self);
  alarm (0);
}

GSocketAddress *
relais_test_server_get_address (RelaisTestServer *self)
{
  return self->address;
}

/**
 * relais_test_server_make_url:
 * @self: a server
 * @scheme: of the address wanted
 * @path: its path
 *
 * Returns: (transfer full): the address
 */
char *
relais_test_server_make_url (RelaisTestServer *self, const char *scheme, const char *path)
{
  return g_strdup_printf ("%s://127.0.0.1:%u%s", scheme,
                          g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (self->address)),
                          path);
}

static gboolean
accept_any (GTlsConnection *connection,
            GTlsCertificate *certificate,
            GTlsCertificateFlags errors,
            gpointer user_data)
{
  return TRUE;
}

/**
 * relais_test_server_connect:
 * @self: a server
 *
 * Returns: (transfer full): a blocking connection, through TLS if the server has a certificate
 */
GIOStream *
relais_test_server_connect (RelaisTestServer *self)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GSocket) socket
      = g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_TCP, &error);
  GIOStream *io, *tls;

  g_assert_no_error (error);
  g_socket_connect (socket, self->address, NULL, &error);
  g_assert_no_error (error);
  io = G_IO_STREAM (g_socket_connection_factory_create_connection (socket));
  if (self->config->tls_certificate == NULL)
    return io;

  tls = g_tls_client_connection_new (io, NULL, &error);
  g_assert_no_error (error);
  g_object_unref (io);
  g_signal_connect (tls, "accept-certificate", G_CALLBACK (accept_any), NULL);
  g_tls_connection_handshake (G_TLS_CONNECTION (tls), NULL, &error);
  g_assert_no_error (error);
  return tls;
}

/* HTTP */

/**
 * relais_test_server_get:
 * @self: a server
 * @path: a path
 * @status: (out) (optional): the HTTP status
 *
 * Returns: (transfer full): the body of the answer
 */
char *
relais_test_server_get (RelaisTestServer *self, const char *path, guint *status)
{
  g_autoptr (GIOStream) io = relais_test_server_connect (self);
  g_autoptr (GError) error = NULL;
  g_autoptr (GString) answer = g_string_new (NULL);
  g_autofree char *request
      = g_strdup_printf ("GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", path);
  const char *body;
  char buffer[4096];
  gssize n;

  g_output_stream_write_all (g_io_stream_get_output_stream (io), request, strlen (request), NULL,
                             NULL, &error);
  g_assert_no_error (error);
  while ((n = g_input_stream_read (g_io_stream_get_input_stream (io), buffer, sizeof buffer, NULL,
                                   &error))
         > 0)
    g_string_append_len (answer, buffer, n);
  g_assert_no_error (error);
  g_assert_true (g_str_has_prefix (answer->str, "HTTP/1.1 "));
  if (status != NULL)
    *status = (guint) atoi (answer->str + strlen ("HTTP/1.1 "));
  body = strstr (answer->str, "\r\n\r\n");
  g_assert_nonnull (body);
  g_io_stream_close (io, NULL, NULL);
  return g_strdup (body + 4);
}

/**
 * relais_test_server_get_stream:
 * @self: a server
 * @id: a stream
 *
 * Returns: (transfer full) (nullable): what the API says of it; %NULL where there is no such stream
 */
JsonNode *
relais_test_server_get_stream (RelaisTestServer *self, const char *id)
{
  g_autofree char *path = g_strconcat ("/api/v1/streams/", id, NULL);
  g_autoptr (GError) error = NULL;
  guint status;
  g_autofree char *body = relais_test_server_get (self, path, &status);
  JsonNode *node;

  if (status == 404)
    return NULL;
  g_assert_cmpuint (status, ==, 200);
  node = json_from_string (body, &error);
  g_assert_no_error (error);
  return node;
}

/**
 * relais_test_server_get_number:
 * @self: a server
 * @id: a stream
 * @member: a number that the API says of it
 *
 * Returns: the number; -1 where there is no such stream
 */
gint64
relais_test_server_get_number (RelaisTestServer *self, const char *id, const char *member)
{
  g_autoptr (JsonNode) node = relais_test_server_get_stream (self, id);

  return node != NULL ? json_object_get_int_member (json_node_get_object (node), member) : -1;
}

/**
 * relais_test_server_await_number:
 * @self: a server
 * @id: a stream
 * @member: a number that the API says of it
 * @expected: what it has to become
 *
 * Asks until it is so.
 */
void
relais_test_server_await_number (RelaisTestServer *self,
                                 const char *id,
                                 const char *member,
                                 gint64 expected)
{
  while (relais_test_server_get_number (self, id, member) != expected)
    ;
}

/**
 * relais_test_server_await_no_stream:
 * @self: a server
 * @id: a stream
 *
 * Asks until the server has forgotten it.
 */
void
relais_test_server_await_no_stream (RelaisTestServer *self, const char *id)
{
  for (;;)
    {
      g_autoptr (JsonNode) node = relais_test_server_get_stream (self, id);

      if (node == NULL)
        return;
    }
}
