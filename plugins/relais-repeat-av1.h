/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "relais-av1-header.h"

G_BEGIN_DECLS

/**
 * RelaisRepeatAv1:
 * @has_sequence: whether @sequence is set
 * @started: whether everything since a key frame was understood
 * @sequence: the last sequence header
 * @n_pictures: pictures decoded; each is known by its number, from 1 on; 0 is an unknown one
 * @shown: the picture last shown
 * @key_picture: the last key frame
 * @slots: what each slot of the decoder holds
 *
 * What an AV1 decoder remembers, as far as a repeat has to know. All zeros is the start.
 */
typedef struct
{
  gboolean has_sequence;
  gboolean started;
  RelaisAv1Sequence sequence;
  guint64 n_pictures;
  guint64 shown;
  guint64 key_picture;
  struct
  {
    guint64 picture;
    guint order_hint;
    guint frame_id;
    RelaisAv1Size size;
  } slots[RELAIS_AV1_N_SLOTS];
} RelaisRepeatAv1;

void relais_repeat_av1_observe (RelaisRepeatAv1 *self, const guint8 *data, gsize size);
guint8 *relais_repeat_av1_make (const RelaisRepeatAv1 *self, gsize *size);

G_END_DECLS
