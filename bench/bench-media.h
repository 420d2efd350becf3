/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define BENCH_MEDIA_WIDTH  1280
#define BENCH_MEDIA_HEIGHT 720

/* The first so many bytes of a unit are enough to find its mark. */
#define BENCH_MEDIA_MARK_WINDOW 128

typedef struct _BenchMedia BenchMedia;

BenchMedia *bench_media_new (guint chunk_bytes, guint chunk_ms, guint keyframe_ms);
void bench_media_free (BenchMedia *self);
GBytes *bench_media_make_header (BenchMedia *self);
const guint8 *bench_media_make_chunk (BenchMedia *self, guint64 number, gsize *size);
gboolean bench_media_find_mark (const guint8 *data, gsize size, guint64 *number);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (BenchMedia, bench_media_free)

G_END_DECLS
