/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define RELAIS_VP9_N_SLOTS 8

/**
 * RelaisRepeatVp9:
 * @started: whether everything since a key frame was understood
 * @profile: of the last frame
 * @hidden_last: whether the last frame decoded is one that is not shown
 * @n_pictures: pictures decoded; each is known by its number, from 1 on; 0 is an unknown one
 * @shown: the picture last shown
 * @slots: the picture each slot of the decoder holds
 *
 * What a VP9 decoder remembers, as far as a repeat has to know. All zeros is the start.
 */
typedef struct
{
  gboolean started;
  guint profile;
  gboolean hidden_last;
  guint64 n_pictures;
  guint64 shown;
  guint64 slots[RELAIS_VP9_N_SLOTS];
} RelaisRepeatVp9;

void relais_repeat_vp9_observe (RelaisRepeatVp9 *self, const guint8 *data, gsize size);
guint8 *relais_repeat_vp9_make (const RelaisRepeatVp9 *self, gsize *size);

G_END_DECLS
