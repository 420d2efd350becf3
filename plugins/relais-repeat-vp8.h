/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* The reference frames, RFC 6386 section 9.7. */
typedef enum
{
  RELAIS_VP8_LAST,
  RELAIS_VP8_GOLDEN,
  RELAIS_VP8_ALTREF,
  RELAIS_VP8_N_REFERENCES,
} RelaisVp8Reference;

/**
 * RelaisRepeatVp8:
 * @started: whether everything since a key frame was understood
 * @version: of the last frame's tag
 * @columns: macroblocks in a row
 * @rows: macroblocks in a column
 * @segmentation: segmentation_enabled of the last frame
 * @filter_type: of the last frame
 * @sharpness: sharpness_level of the last frame
 * @filter_adjust: loop_filter_adj_enable of the last frame
 * @sign_bias: sign_bias_golden and sign_bias_alternate, at the references' index
 * @n_pictures: pictures decoded; each is known by its number, from 1 on; 0 is an unknown one
 * @shown: the picture last shown
 * @references: the picture each reference holds
 *
 * What a VP8 decoder remembers, as far as a repeat frame has to know. All zeros is the start.
 */
typedef struct
{
  gboolean started;
  guint version;
  guint columns;
  guint rows;
  gboolean segmentation;
  guint filter_type;
  guint sharpness;
  gboolean filter_adjust;
  gboolean sign_bias[RELAIS_VP8_N_REFERENCES];
  guint64 n_pictures;
  guint64 shown;
  guint64 references[RELAIS_VP8_N_REFERENCES];
} RelaisRepeatVp8;

void relais_repeat_vp8_observe (RelaisRepeatVp8 *self, const guint8 *data, gsize size);
guint8 *relais_repeat_vp8_make (const RelaisRepeatVp8 *self, gsize *size);

G_END_DECLS
