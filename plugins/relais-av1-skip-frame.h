/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "relais-av1-header.h"

G_BEGIN_DECLS

/**
 * RelaisAv1SkipFrame:
 * @slot: the slot whose picture is shown
 * @order_hint: of that picture
 * @ref_order_hint: of all slots
 * @width: of that picture
 * @height: of that picture
 * @render_and_frame_size_different: as in that picture's header
 * @render_width: as in that picture's header
 * @render_height: as in that picture's header
 */
typedef struct
{
  guint slot;
  guint order_hint;
  guint ref_order_hint[RELAIS_AV1_N_SLOTS];
  guint width;
  guint height;
  gboolean render_and_frame_size_different;
  guint render_width;
  guint render_height;
} RelaisAv1SkipFrame;

gboolean relais_av1_skip_frame_write (const RelaisAv1SkipFrame *self,
                                      const RelaisAv1Sequence *sequence,
                                      GByteArray *output);

G_END_DECLS
