/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "relais-av1-header.h"

G_BEGIN_DECLS

/**
 * RelaisAv1SkipFrame:
 * @slot: the slot whose picture is shown
 * @order_hint: of that picture
 * @ref_order_hint: of all slots
 * @size: of that picture
 */
typedef struct
{
  guint slot;
  guint order_hint;
  guint ref_order_hint[RELAIS_AV1_N_SLOTS];
  RelaisAv1Size size;
} RelaisAv1SkipFrame;

gboolean relais_av1_skip_frame_write (const RelaisAv1SkipFrame *self,
                                      const RelaisAv1Sequence *sequence,
                                      GByteArray *output);

G_END_DECLS
