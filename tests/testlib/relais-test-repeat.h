/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "relais-sync-point.h"

G_BEGIN_DECLS

/**
 * RelaisTestRepeats:
 * @packets: (element-type GBytes): a stream with repeats in it
 * @is_repeat: (element-type gboolean): for each packet whether it is one
 * @n_repeats: how many there are
 * @n_refused: how often there was none to be had after a real frame
 */
typedef struct
{
  GPtrArray *packets;
  GArray *is_repeat;
  guint n_repeats;
  guint n_refused;
} RelaisTestRepeats;

RelaisTestRepeats *relais_test_repeats_new (RelaisCodec codec, GPtrArray *packets, guint pattern);
void relais_test_repeats_free (RelaisTestRepeats *self);
void relais_test_repeats_compare (const RelaisTestRepeats *self,
                                  GPtrArray *before,
                                  GPtrArray *after,
                                  const char *what);

void relais_test_fill_plane (guint8 *plane,
                             gsize stride,
                             guint width,
                             guint height,
                             guint sample_bits,
                             guint index,
                             guint frame);
char *relais_test_hash_planes (const guint8 *const planes[3],
                               const gssize strides[3],
                               const guint widths[3],
                               const guint heights[3]);
GPtrArray *relais_test_decode_ffmpeg (const char *fourcc, const char *decoder, GPtrArray *packets);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (RelaisTestRepeats, relais_test_repeats_free)

G_END_DECLS
