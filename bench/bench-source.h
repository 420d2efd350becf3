/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "bench-media.h"

G_BEGIN_DECLS

typedef struct _BenchSource BenchSource;

BenchSource *bench_source_new_websocket (guint port, const char *path, BenchMedia *media);
BenchSource *
bench_source_new_put (guint port, const char *path, const char *credentials, BenchMedia *media);
void bench_source_free (BenchSource *self);
guint64 bench_source_get_next (BenchSource *self);
gsize bench_source_send_chunk (BenchSource *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (BenchSource, bench_source_free)

G_END_DECLS
