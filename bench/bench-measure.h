/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <sys/types.h>

G_BEGIN_DECLS

/* One process at one moment. */
typedef struct
{
  gint64 wall_ns;
  gint64 cpu_ns;     /* user and system time of all its threads */
  gint64 memory_kib; /* anonymous memory: heap and stacks, no file mappings, no socket buffers */
} BenchProcess;

gint64 bench_now_ns (void);
gint64 bench_cpu_ns (pid_t pid);
gint64 bench_threads_cpu_ns (pid_t pid, const char *prefix);
BenchProcess bench_process_look (pid_t pid);
void bench_print_distribution (const char *name, GArray *samples_ns);

G_END_DECLS
