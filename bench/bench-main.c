/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The load generator: `bench-load SCENARIO --port N --pid N …` runs one scenario against a server
 * and prints one JSON object. `bench-load media --megabytes N` writes the synthetic recording to
 * standard output; `bench-load time COMMAND…` runs a command and prints the CPU time that it took;
 * `bench-load feed MEGABYTES COMMAND…` does so with the recording on the command's standard input,
 * which is a TCP connection, a chunk a send, as a publisher sends it.
 */

#include "config.h"

#include <glib.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench-media.h"
#include "bench-scenarios.h"
#include "bench-socket.h"

static BenchOptions options = {
  .viewers = 400,
  .joiners = 100,
  .streams = 1,
  .unit_bytes = 31250,
  .unit_ms = 100,
  .keyframe_ms = 2000,
  .warmup = 2,
  .seconds = 5,
};

static const GOptionEntry entries[] = {
  { "port", 0, 0, G_OPTION_ARG_INT, &options.port, "The server's port", "N" },
  { "pid", 0, 0, G_OPTION_ARG_INT, &options.pid, "The server's process", "N" },
  { "viewers", 0, 0, G_OPTION_ARG_INT, &options.viewers, "Viewers", "N" },
  { "joiners", 0, 0, G_OPTION_ARG_INT, &options.joiners, "Viewers that join later, or stall", "N" },
  { "streams", 0, 0, G_OPTION_ARG_INT, &options.streams, "Publishers", "N" },
  { "unit-bytes", 0, 0, G_OPTION_ARG_INT, &options.unit_bytes, "Bytes a chunk", "N" },
  { "unit-ms", 0, 0, G_OPTION_ARG_INT, &options.unit_ms, "Time of a chunk", "MS" },
  { "keyframe-ms", 0, 0, G_OPTION_ARG_INT, &options.keyframe_ms, "Time between keyframes", "MS" },
  { "warmup", 0, 0, G_OPTION_ARG_DOUBLE, &options.warmup, "Seconds before it is measured", "S" },
  { "seconds", 0, 0, G_OPTION_ARG_DOUBLE, &options.seconds, "Seconds of each phase", "S" },
  { "megabytes", 0, 0, G_OPTION_ARG_DOUBLE, &options.megabytes, "As fast as it goes, so many",
    "MB" },
  { "stamps", 0, 0, G_OPTION_ARG_NONE, &options.stamps, "Arrival as the kernel stamps it", NULL },
  { "protocol", 0, 0, G_OPTION_ARG_STRING, &options.protocol, "websocket, frames or http", "WORD" },
  { "source", 0, 0, G_OPTION_ARG_STRING, &options.source, "websocket, put or none", "WORD" },
  { "watch", 0, 0, G_OPTION_ARG_STRING, &options.watch_path, "Where to watch", "PATH" },
  { "publish", 0, 0, G_OPTION_ARG_STRING, &options.publish_path, "Where to publish", "PATH" },
  { "credentials", 0, 0, G_OPTION_ARG_STRING, &options.credentials, "For put", "USER:PASSWORD" },
  G_OPTION_ENTRY_NULL,
};

static const struct
{
  const char *name;
  void (*run) (const BenchOptions *options);
} scenarios[] = {
  { "fanout", bench_scenario_fanout }, { "joins", bench_scenario_joins },
  { "herd", bench_scenario_herd },     { "stall", bench_scenario_stall },
  { "memory", bench_scenario_memory }, { "ingest", bench_scenario_ingest },
};

static int
write_media (void)
{
  g_autoptr (BenchMedia) media
      = bench_media_new ((guint) options.unit_bytes, (guint) options.unit_ms,
                         (guint) options.keyframe_ms);
  g_autoptr (GBytes) header = bench_media_make_header (media);
  gsize size;

  fwrite (g_bytes_get_data (header, NULL), 1, g_bytes_get_size (header), stdout);
  for (guint64 i = 0; (double) i * options.unit_bytes < options.megabytes * 1e6; i++)
    {
      const guint8 *chunk = bench_media_make_chunk (media, i, &size);

      fwrite (chunk, 1, size, stdout);
    }
  return fflush (stdout) == 0 ? 0 : 74;
}

static double
seconds_of (struct timeval time)
{
  return (double) time.tv_sec + (double) time.tv_usec / 1e6;
}

/* Starts a command; with @input as its standard input where that is not negative. */
static pid_t
start_command (char **command, int input)
{
  pid_t pid = fork ();

  if (pid == 0)
    {
      if (input >= 0)
        dup2 (input, STDIN_FILENO);
      execvp (command[0], command);
      g_printerr ("%s: %s\n", command[0], g_strerror (errno));
      _exit (127);
    }
  return pid;
}

static int
print_time (pid_t pid, char **command)
{
  struct rusage used;
  int status;

  if (pid < 0 || wait4 (pid, &status, 0, &used) != pid || status != 0)
    g_error ("%s failed", command[0]);
  printf ("{\"cpu\":%.6f}\n", seconds_of (used.ru_utime) + seconds_of (used.ru_stime));
  return 0;
}

static int
feed_command (double megabytes, char **command)
{
  g_autoptr (BenchMedia) media
      = bench_media_new ((guint) options.unit_bytes, (guint) options.unit_ms,
                         (guint) options.keyframe_ms);
  g_autoptr (GBytes) header = bench_media_make_header (media);
  guint port;
  int listener = bench_listen (&port);
  int ours = bench_connect (port, TRUE);
  int theirs = accept4 (listener, NULL, NULL, SOCK_CLOEXEC);
  pid_t pid = start_command (command, theirs);
  gsize size;

  close (theirs);
  close (listener);
  bench_send_all (ours, g_bytes_get_data (header, NULL), g_bytes_get_size (header));
  for (guint64 i = 0; (double) i * options.unit_bytes < megabytes * 1e6; i++)
    {
      const guint8 *chunk = bench_media_make_chunk (media, i, &size);

      bench_send_all (ours, chunk, size);
    }
  close (ours);
  return print_time (pid, command);
}

static void
set_default (char **option, const char *value)
{
  if (*option == NULL)
    *option = g_strdup (value);
}

static void
raise_descriptor_limit (void)
{
  struct rlimit limit;

  getrlimit (RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit (RLIMIT_NOFILE, &limit);
}

int
main (int argc, char **argv)
{
  g_autoptr (GOptionContext) context = g_option_context_new ("SCENARIO");
  g_autoptr (GError) error = NULL;

  if (argc > 2 && strcmp (argv[1], "time") == 0)
    return print_time (start_command (argv + 2, -1), argv + 2);
  if (argc > 3 && strcmp (argv[1], "feed") == 0)
    return feed_command (g_ascii_strtod (argv[2], NULL), argv + 3);
  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error) || argc != 2)
    {
      g_printerr ("%s\n", error != NULL ? error->message : "one scenario, please");
      return 64;
    }
  set_default (&options.protocol, "websocket");
  set_default (&options.source, "websocket");
  set_default (&options.watch_path, "/live/bench0");
  set_default (&options.publish_path, "/publish/bench%u");
  set_default (&options.credentials, "source:bench");
  raise_descriptor_limit ();
  if (strcmp (argv[1], "media") == 0)
    return write_media ();
  for (guint i = 0; i < G_N_ELEMENTS (scenarios); i++)
    if (strcmp (argv[1], scenarios[i].name) == 0)
      {
        scenarios[i].run (&options);
        return 0;
      }
  g_printerr ("there is no scenario “%s”\n", argv[1]);
  return 64;
}
