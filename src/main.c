/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* relais: options, signals, exit codes (sysexits.h). Everything else is behind RelaisServer. */

#include "config.h"

#include <glib-unix.h>
#include <gst/gst.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sysexits.h>

#include "base/relais-config.h"
#include "base/relais-log.h"
#include "http/relais-listener.h"
#include "http/relais-server.h"
#include "relais-plugin.h"

typedef struct
{
  char **listen;
  char *config;
  char **set;
  char *log_level;
  gboolean version;
  gboolean help_config;
} Options;

static void
options_clear (Options *options)
{
  g_strfreev (options->listen);
  g_free (options->config);
  g_strfreev (options->set);
  g_free (options->log_level);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Options, options_clear)

static int
fail (int code, const char *message)
{
  fprintf (stderr, "relais: %s\n", message);
  return code;
}

static gboolean
parse_options (int *argc, char ***argv, Options *options, GError **error)
{
  const GOptionEntry entries[]
      = { { "listen", 'l', 0, G_OPTION_ARG_STRING_ARRAY, &options->listen,
            "Listen on this address (default 127.0.0.1:8080; repeatable; port 0 takes a free one)",
            "ADDRESS:PORT" },
          { "config", 'c', 0, G_OPTION_ARG_FILENAME, &options->config,
            "Read the configuration from this file", "FILE" },
          { "set", 's', 0, G_OPTION_ARG_STRING_ARRAY, &options->set,
            "Set one configuration key (repeatable)", "KEY=VALUE" },
          { "log-level", 0, 0, G_OPTION_ARG_STRING, &options->log_level,
            "error, warning, info (default) or debug", "LEVEL" },
          { "version", 0, 0, G_OPTION_ARG_NONE, &options->version, "Print the version and exit",
            NULL },
          { "help-config", 0, 0, G_OPTION_ARG_NONE, &options->help_config,
            "Print every configuration key with its default and exit", NULL },
          G_OPTION_ENTRY_NULL };
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);

  g_option_context_set_summary (
      context,
      "Live media server: browsers broadcast, browsers watch, everyone joins on a keyframe.");
  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, argc, argv, error))
    return FALSE;
  if (*argc > 1)
    {
      g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "“%s” is one word too many",
                   (*argv)[1]);
      return FALSE;
    }
  return TRUE;
}

/* Returns: 0, or the exit code with @error set */
static int
load_config (RelaisConfig *config, const Options *options, GError **error)
{
  if (options->config != NULL && !relais_config_load_file (config, options->config, error))
    return EX_CONFIG;

  for (guint i = 0; options->set != NULL && options->set[i] != NULL; i++)
    {
      g_auto (GStrv) pair = g_strsplit (options->set[i], "=", 2);

      if (pair[0] == NULL || pair[1] == NULL)
        {
          g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                       "--set takes KEY=VALUE, not “%s”", options->set[i]);
          return EX_USAGE;
        }
      if (!relais_config_set (config, pair[0], pair[1], error))
        return EX_CONFIG;
    }

  if (options->listen != NULL)
    {
      g_strfreev (config->listen);
      config->listen = g_strdupv (options->listen);
    }
  if (config->listen[0] == NULL && !relais_config_set (config, "listen", "127.0.0.1:8080", error))
    return EX_SOFTWARE;
  for (guint i = 0; config->listen[i] != NULL; i++)
    {
      g_autoptr (GSocketAddress) address = NULL;

      if (!relais_listener_parse (config->listen[i], &address, error))
        return EX_USAGE;
    }
  return 0;
}

/* Every viewer is a descriptor. */
static void
raise_descriptor_limit (void)
{
  struct rlimit limit;

  if (getrlimit (RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max)
    return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit (RLIMIT_NOFILE, &limit);
}

typedef struct
{
  GMainLoop *loop;
  RelaisServer *server;
  gboolean is_stopping;
} Run;

static void
quit (gpointer data)
{
  g_main_loop_quit (data);
}

static gboolean
take_signal (gpointer data)
{
  Run *run = data;

  if (!run->is_stopping)
    {
      run->is_stopping = TRUE;
      relais_log_info (NULL, "stopping");
      relais_server_stop (run->server, quit, run->loop);
    }
  return G_SOURCE_CONTINUE;
}

static int
serve (const RelaisConfig *config)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  g_autoptr (RelaisServer) server = relais_server_new (config, &error);
  g_auto (GStrv) urls = NULL;
  g_autofree char *list = NULL;
  Run run = { .loop = loop, .server = server };
  guint sources[2];

  if (server == NULL)
    return fail (EX_CONFIG, error->message);
  if (!relais_server_listen (server, &error))
    return fail (EX_UNAVAILABLE, error->message);
  sources[0] = g_unix_signal_add (SIGINT, take_signal, &run);
  sources[1] = g_unix_signal_add (SIGTERM, take_signal, &run);

  urls = relais_server_get_urls (server);
  list = g_strjoinv (" ", urls);
  printf ("relais %s listening on %s\n", RELAIS_VERSION, list);
  fflush (stdout);

  g_main_loop_run (loop);
  for (guint i = 0; i < G_N_ELEMENTS (sources); i++)
    g_source_remove (sources[i]);
  return EX_OK;
}

int
main (int argc, char **argv)
{
  g_auto (Options) options = { 0 };
  g_autoptr (RelaisConfig) config = relais_config_new ();
  g_autoptr (GError) error = NULL;
  RelaisLogLevel level = RELAIS_LOG_INFO;
  int code;

  if (!parse_options (&argc, &argv, &options, &error))
    return fail (EX_USAGE, error->message);
  if (options.version)
    {
      printf ("relais %s\n", RELAIS_VERSION);
      return EX_OK;
    }
  if (options.help_config)
    {
      g_autofree char *text = relais_config_describe ();

      fputs (text, stdout);
      return EX_OK;
    }
  if (options.log_level != NULL && !relais_log_parse_level (options.log_level, &level))
    return fail (EX_USAGE, "--log-level is error, warning, info or debug");
  code = load_config (config, &options, &error);
  if (code != 0)
    return fail (code, error->message);

  relais_log_init (level);
  raise_descriptor_limit ();
  signal (SIGPIPE, SIG_IGN);
  gst_init (NULL, NULL);
  if (!relais_plugin_register_static ())
    return fail (EX_SOFTWARE, "the GStreamer plugin cannot be registered");
  code = serve (config);
  /* So that sanitizers see what is left. */
  gst_deinit ();
  return code;
}
