/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "bench-measure.h"
#include "bench-source.h"
#include "bench-viewer.h"

G_BEGIN_DECLS

typedef struct
{
  int port;
  int pid; /* the server's process */
  int viewers;
  int joiners; /* that come later, or that stop reading */
  int streams; /* sources; viewers watch the first */
  int unit_bytes;
  int unit_ms;
  int keyframe_ms;
  double warmup; /* seconds */
  double seconds;
  double megabytes; /* to publish as fast as the server takes them */
  gboolean stamps;
  char *protocol;
  char *source;
  char *watch_path;
  char *publish_path; /* a %u in it becomes the stream's number */
  char *credentials;
} BenchOptions;

typedef struct _BenchLoad BenchLoad;

typedef gboolean (*BenchLoadCondition) (BenchLoad *self);

struct _BenchLoad
{
  const BenchOptions *options;
  int epoll_fd;
  int timer_fd;
  BenchMedia *media;
  GPtrArray *sources; /* owned BenchSource */
  guint turn;         /* the source that sends next */

  BenchViewer *viewers;
  guint n_viewers;

  /* By chunk number of the first source. */
  GArray *published_ns; /* when it was sent */
  GArray *first_ns;     /* when its unit came to the first viewer; 0 = not yet */
  GArray *sizes;        /* of its unit, as the first viewer saw it */
  guint64 n_odd_units;  /* units whose size differed between viewers */
  GArray *delays_ns;    /* from chunk to unit, of every viewer, while it is collected */
  gboolean collects;
  guint collects_from; /* viewers before this one are left out of delays_ns */
};

BenchLoad *bench_load_new (const BenchOptions *options, guint n_viewers);
void bench_load_free (BenchLoad *self);
void bench_load_start_sources (BenchLoad *self);
void bench_load_connect (BenchLoad *self, guint first, guint n);
void bench_load_close (BenchLoad *self, guint first, guint n);
void bench_load_pause (BenchLoad *self, guint viewer);
void bench_load_resume (BenchLoad *self, guint viewer);
gboolean bench_load_run (BenchLoad *self, double seconds, BenchLoadCondition until);
void bench_load_collect (BenchLoad *self);
GArray *bench_load_take_first_delays (BenchLoad *self);
guint64 bench_load_count_bytes (BenchLoad *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (BenchLoad, bench_load_free)

G_END_DECLS
