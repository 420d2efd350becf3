/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "bench-scenarios.h"

#include <stdio.h>

#define PATIENCE 30 /* seconds for what has to come */

/* An audience comes in small groups: Icecast's backlog is short, and what is measured is not how
 * it takes a herd. */
#define GROUP         10
#define GROUP_TIMEOUT 3

#define SENDER_THREADS "sender-"

/* Time for a server to let go of connections that were closed. */
#define SETTLE 2

static gboolean
all_open (BenchLoad *load)
{
  for (guint i = 0; i < load->n_viewers; i++)
    if (load->viewers[i].fd >= 0 && load->viewers[i].open_ns == 0)
      return FALSE;
  return TRUE;
}

static gboolean
all_have_media (BenchLoad *load)
{
  for (guint i = 0; i < load->n_viewers; i++)
    if (load->viewers[i].fd >= 0 && load->viewers[i].keyframe_ns == 0)
      return FALSE;
  return TRUE;
}

static void
gather_audience (BenchLoad *load, guint n)
{
  for (guint i = 0; i < n; i += GROUP)
    {
      bench_load_connect (load, i, MIN (GROUP, n - i));
      bench_load_run (load, GROUP_TIMEOUT, all_open);
    }
}

static guint
count_failed (BenchLoad *load)
{
  guint n = 0;

  for (guint i = 0; i < load->n_viewers; i++)
    {
      if (load->viewers[i].failed && n++ == 0)
        g_printerr ("a viewer failed: %s\n", load->viewers[i].failure);
    }
  return n;
}

static void
print_distributions (BenchLoad *load, const char *all, const char *first)
{
  g_autoptr (GArray) firsts = bench_load_take_first_delays (load);

  bench_print_distribution (first, firsts);
  bench_print_distribution (all, load->delays_ns);
}

static void
print_delivery (BenchLoad *load)
{
  guint64 n_gaps = 0, n_drops = 0;

  for (guint i = 0; i < load->n_viewers; i++)
    {
      n_gaps += load->viewers[i].n_gaps;
      n_drops += load->viewers[i].n_drops;
    }
  printf ("\"gaps\":%" G_GUINT64_FORMAT ",\"drops\":%" G_GUINT64_FORMAT
          ",\"oddUnits\":%" G_GUINT64_FORMAT ",\"failed\":%u,",
          n_gaps, n_drops, load->n_odd_units, count_failed (load));
}

/**
 * bench_scenario_fanout:
 *
 * One stream to all viewers: CPU time for the bytes that arrived, and delays.
 */
void
bench_scenario_fanout (const BenchOptions *options)
{
  g_autoptr (BenchLoad) load = bench_load_new (options, (guint) options->viewers);
  g_autofree guint64 *bytes_before = g_new0 (guint64, load->n_viewers);
  BenchProcess before, after;
  guint64 bytes = 0;
  gint64 own_cpu, senders_cpu;
  guint n_served = 0;

  bench_load_start_sources (load);
  gather_audience (load, load->n_viewers);
  bench_load_run (load, options->warmup, NULL);

  for (guint i = 0; i < load->n_viewers; i++)
    bytes_before[i] = load->viewers[i].bytes;
  bench_load_collect (load);
  own_cpu = bench_cpu_ns (0);
  senders_cpu = bench_threads_cpu_ns (options->pid, SENDER_THREADS);
  before = bench_process_look (options->pid);
  bench_load_run (load, options->seconds, NULL);
  after = bench_process_look (options->pid);
  senders_cpu = bench_threads_cpu_ns (options->pid, SENDER_THREADS) - senders_cpu;
  own_cpu = bench_cpu_ns (0) - own_cpu;

  for (guint i = 0; i < load->n_viewers; i++)
    {
      bytes += load->viewers[i].bytes - bytes_before[i];
      n_served += load->viewers[i].bytes > bytes_before[i];
    }
  printf ("{");
  print_distributions (load, "all", "first");
  print_delivery (load);
  printf ("\"served\":%u,\"bytes\":%" G_GUINT64_FORMAT
          ",\"cpu\":%.6f,\"sendersCpu\":%.6f,\"loadCpu\":%.6f,\"seconds\":%.6f}\n",
          n_served, bytes, (double) (after.cpu_ns - before.cpu_ns) / 1e9,
          (double) senders_cpu / 1e9, (double) own_cpu / 1e9,
          (double) (after.wall_ns - before.wall_ns) / 1e9);
}

/**
 * bench_scenario_joins:
 *
 * Late joiners, one after the other, among an audience that watches: from the handshake's answer,
 * and from the connect, to the first byte of the init segment and of the keyframe.
 */
void
bench_scenario_joins (const BenchOptions *options)
{
  guint audience = (guint) options->viewers;
  g_autoptr (BenchLoad) load = bench_load_new (options, audience + 1);
  BenchViewer *joiner = &load->viewers[audience];
  g_autoptr (GArray) init = g_array_new (FALSE, FALSE, sizeof (gint64));
  g_autoptr (GArray) keyframe = g_array_new (FALSE, FALSE, sizeof (gint64));
  g_autoptr (GArray) whole = g_array_new (FALSE, FALSE, sizeof (gint64));
  g_autoptr (GRand) phase = g_rand_new_with_seed (1);
  guint n_missing = 0;

  bench_load_start_sources (load);
  gather_audience (load, audience);
  bench_load_run (load, options->warmup, NULL);
  for (int i = 0; i < options->joiners; i++)
    {
      bench_load_run (load, g_rand_double_range (phase, 0, 0.05), NULL);
      bench_load_connect (load, audience, 1);
      if (bench_load_run (load, PATIENCE, all_have_media))
        {
          gint64 to_init = joiner->init_ns - joiner->open_ns;
          gint64 to_keyframe = joiner->keyframe_ns - joiner->open_ns;
          gint64 all = joiner->keyframe_ns - joiner->connect_ns;

          g_array_append_val (init, to_init);
          g_array_append_val (keyframe, to_keyframe);
          g_array_append_val (whole, all);
        }
      else
        n_missing++;
      bench_load_close (load, audience, 1);
    }
  printf ("{");
  bench_print_distribution ("init", init);
  bench_print_distribution ("keyframe", keyframe);
  bench_print_distribution ("connectToKeyframe", whole);
  printf ("\"missing\":%u,\"failed\":%u}\n", n_missing, count_failed (load));
}

/**
 * bench_scenario_herd:
 *
 * All joiners connect in the same instant to a stream that has an audience.
 */
void
bench_scenario_herd (const BenchOptions *options)
{
  guint audience = (guint) options->viewers, herd = (guint) options->joiners;
  g_autoptr (BenchLoad) load = bench_load_new (options, audience + herd);
  g_autoptr (GArray) open = g_array_new (FALSE, FALSE, sizeof (gint64));
  g_autoptr (GArray) keyframe = g_array_new (FALSE, FALSE, sizeof (gint64));
  guint n_missing = 0;

  bench_load_start_sources (load);
  gather_audience (load, audience);
  bench_load_run (load, options->warmup, NULL);
  bench_load_connect (load, audience, herd);
  bench_load_run (load, PATIENCE, all_have_media);
  bench_load_run (load, options->seconds, NULL);
  for (guint i = audience; i < load->n_viewers; i++)
    {
      const BenchViewer *viewer = &load->viewers[i];
      gint64 to_open = viewer->open_ns - viewer->connect_ns;
      gint64 to_keyframe = viewer->keyframe_ns - viewer->connect_ns;

      if (viewer->open_ns != 0)
        g_array_append_val (open, to_open);
      if (viewer->keyframe_ns != 0)
        g_array_append_val (keyframe, to_keyframe);
      else
        n_missing++;
    }
  printf ("{");
  bench_print_distribution ("open", open);
  bench_print_distribution ("keyframe", keyframe);
  print_delivery (load);
  printf ("\"missing\":%u}\n", n_missing);
}

static void
print_memory (const char *name, const BenchProcess *process)
{
  printf ("\"%s\":%" G_GINT64_FORMAT ",", name, process->memory_kib);
}

/**
 * bench_scenario_stall:
 *
 * The first `joiners` of the viewers stop reading, then read again. Delays and deliveries are those
 * of the others, whose every unit must have come.
 */
void
bench_scenario_stall (const BenchOptions *options)
{
  g_autoptr (BenchLoad) load = bench_load_new (options, (guint) options->viewers);
  guint stalled = (guint) options->joiners;
  BenchProcess before, during, after;
  guint64 n_units = 0, n_gaps = 0;
  gint64 highest_kib = 0;

  bench_load_start_sources (load);
  gather_audience (load, load->n_viewers);
  bench_load_run (load, options->warmup, NULL);
  load->collects_from = stalled;

  printf ("{");
  bench_load_collect (load);
  bench_load_run (load, options->seconds, NULL);
  before = bench_process_look (options->pid);
  bench_print_distribution ("allBefore", load->delays_ns);

  for (guint i = 0; i < stalled; i++)
    bench_load_pause (load, i);
  bench_load_collect (load);
  for (double done = 0; done < options->seconds; done += 0.25)
    {
      bench_load_run (load, 0.25, NULL);
      during = bench_process_look (options->pid);
      highest_kib = MAX (highest_kib, during.memory_kib);
    }
  bench_print_distribution ("allDuring", load->delays_ns);

  for (guint i = 0; i < stalled; i++)
    bench_load_resume (load, i);
  bench_load_run (load, options->seconds, NULL);
  after = bench_process_look (options->pid);
  for (guint i = stalled; i < load->n_viewers; i++)
    {
      n_units += load->viewers[i].last - load->viewers[i].first + 1 - load->viewers[i].n_units;
      n_gaps += load->viewers[i].n_gaps;
    }
  during.memory_kib = highest_kib;
  print_memory ("memoryBefore", &before);
  print_memory ("memoryDuring", &during);
  print_memory ("memoryAfter", &after);
  print_delivery (load);
  printf ("\"unitsLost\":%" G_GUINT64_FORMAT ",\"gapsOfOthers\":%" G_GUINT64_FORMAT "}\n", n_units,
          n_gaps);
}

/**
 * bench_scenario_memory:
 *
 * The server's memory without viewers, with all of them, and after they left.
 */
void
bench_scenario_memory (const BenchOptions *options)
{
  g_autoptr (BenchLoad) load = bench_load_new (options, (guint) options->viewers);
  BenchProcess before, with, after;

  bench_load_start_sources (load);
  bench_load_run (load, options->warmup, NULL);
  before = bench_process_look (options->pid);
  bench_load_connect (load, 0, load->n_viewers);
  bench_load_run (load, PATIENCE, all_have_media);
  bench_load_run (load, options->seconds, NULL);
  with = bench_process_look (options->pid);
  printf ("{");
  print_delivery (load);
  bench_load_close (load, 0, load->n_viewers);
  bench_load_run (load, SETTLE, NULL);
  after = bench_process_look (options->pid);
  print_memory ("before", &before);
  print_memory ("with", &with);
  print_memory ("after", &after);
  printf ("\"viewers\":%u}\n", load->n_viewers);
}

/* Returns whether the server does next to nothing. */
static gboolean
is_idle (const BenchOptions *options)
{
  gint64 cpu = bench_cpu_ns (options->pid);

  g_usleep (200000);
  return bench_cpu_ns (options->pid) - cpu < 4000000;
}

/**
 * bench_scenario_ingest:
 *
 * Streams without viewers: paced for `seconds`, or as fast as the server takes `megabytes` of each.
 */
void
bench_scenario_ingest (const BenchOptions *options)
{
  g_autoptr (BenchLoad) load = bench_load_new (options, 0);
  BenchProcess before, with, after;
  guint64 bytes = 0;

  before = bench_process_look (options->pid);
  bench_load_start_sources (load);
  if (options->megabytes > 0)
    {
      guint64 wanted = (guint64) (options->megabytes * 1e6) * (guint64) options->streams;

      while (bytes < wanted)
        for (guint i = 0; i < load->sources->len; i++)
          bytes += bench_source_send_chunk (g_ptr_array_index (load->sources, i));
      while (!is_idle (options))
        ;
    }
  else
    {
      guint64 chunks = 0;

      bench_load_run (load, options->warmup, NULL);
      before = bench_process_look (options->pid);
      for (guint i = 0; i < load->sources->len; i++)
        chunks -= bench_source_get_next (g_ptr_array_index (load->sources, i));
      bench_load_run (load, options->seconds, NULL);
      for (guint i = 0; i < load->sources->len; i++)
        chunks += bench_source_get_next (g_ptr_array_index (load->sources, i));
      bytes = chunks * (guint64) options->unit_bytes;
    }
  with = bench_process_look (options->pid);
  g_ptr_array_set_size (load->sources, 0);
  g_usleep (SETTLE * G_USEC_PER_SEC);
  after = bench_process_look (options->pid);
  printf ("{");
  print_memory ("memoryBefore", &before);
  print_memory ("memoryWith", &with);
  print_memory ("memoryAfter", &after);
  printf ("\"bytes\":%" G_GUINT64_FORMAT ",\"cpu\":%.6f,\"seconds\":%.6f}\n", bytes,
          (double) (with.cpu_ns - before.cpu_ns) / 1e9,
          (double) (with.wall_ns - before.wall_ns) / 1e9);
}
