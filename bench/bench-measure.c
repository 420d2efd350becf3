/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What is measured: the wall clock (the realtime clock, because the kernel stamps packets with it),
 * the CPU time and the memory of a process, and how samples are distributed. */

#include "config.h"

#include "bench-measure.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

gint64
bench_now_ns (void)
{
  struct timespec now;

  clock_gettime (CLOCK_REALTIME, &now);
  return now.tv_sec * G_GINT64_CONSTANT (1000000000) + now.tv_nsec;
}

/**
 * bench_cpu_ns:
 * @pid: a process; 0 = this one
 *
 * Returns: the CPU time of all its threads so far, in ns, as exact as the scheduler knows it
 */
gint64
bench_cpu_ns (pid_t pid)
{
  struct timespec used;
  clockid_t clock;

  if (clock_getcpuclockid (pid, &clock) != 0 || clock_gettime (clock, &used) != 0)
    g_error ("process %d cannot be measured", (int) pid);
  return used.tv_sec * G_GINT64_CONSTANT (1000000000) + used.tv_nsec;
}

/**
 * bench_threads_cpu_ns:
 * @pid: a process
 * @prefix: how the names of the threads begin
 *
 * Returns: the CPU time of those threads so far, in ns
 */
gint64
bench_threads_cpu_ns (pid_t pid, const char *prefix)
{
  g_autofree char *folder = g_strdup_printf ("/proc/%d/task", (int) pid);
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *task;
  gint64 sum = 0;

  while (dir != NULL && (task = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *name_path = g_build_filename (folder, task, "comm", NULL);
      g_autofree char *time_path = g_build_filename (folder, task, "schedstat", NULL);
      g_autofree char *name = NULL;
      g_autofree char *time = NULL;

      if (g_file_get_contents (name_path, &name, NULL, NULL) && g_str_has_prefix (name, prefix)
          && g_file_get_contents (time_path, &time, NULL, NULL))
        sum += g_ascii_strtoll (time, NULL, 10);
    }
  return sum;
}

static gint64
read_anonymous_kib (pid_t pid)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/smaps_rollup", (int) pid);
  g_autofree char *text = NULL;
  const char *line;

  if (!g_file_get_contents (path, &text, NULL, NULL)
      || (line = strstr (text, "\nAnonymous:")) == NULL)
    g_error ("%s cannot be read", path);
  return g_ascii_strtoll (line + strlen ("\nAnonymous:"), NULL, 10);
}

BenchProcess
bench_process_look (pid_t pid)
{
  return (BenchProcess){ .wall_ns = bench_now_ns (),
                         .cpu_ns = bench_cpu_ns (pid),
                         .memory_kib = read_anonymous_kib (pid) };
}

static int
compare (gconstpointer a, gconstpointer b)
{
  gint64 x = *(const gint64 *) a, y = *(const gint64 *) b;

  return x < y ? -1 : x > y;
}

/* The nearest-rank percentile in ms. */
static double
percentile_ms (GArray *sorted, double share)
{
  guint rank = (guint) (share * (double) sorted->len);

  return (double) g_array_index (sorted, gint64, MIN (rank, sorted->len - 1)) / 1e6;
}

/**
 * bench_print_distribution:
 * @name: the JSON key
 * @samples_ns: gint64; they are sorted
 *
 * Prints `"name":{"n":…,"p50":…,"p99":…,"max":…},` with times in ms; without samples the times are
 * null.
 */
void
bench_print_distribution (const char *name, GArray *samples_ns)
{
  g_array_sort (samples_ns, compare);
  if (samples_ns->len == 0)
    printf ("\"%s\":{\"n\":0,\"p50\":null,\"p99\":null,\"max\":null},", name);
  else
    printf ("\"%s\":{\"n\":%u,\"p50\":%.4f,\"p99\":%.4f,\"max\":%.4f},", name, samples_ns->len,
            percentile_ms (samples_ns, 0.5), percentile_ms (samples_ns, 0.99),
            percentile_ms (samples_ns, 1));
}
