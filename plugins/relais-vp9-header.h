/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define RELAIS_VP9_MAX_FRAMES 8 /* in a superframe: frames_in_superframe_minus_1 has three bits */

/* One frame of a superframe; borrowed from the buffer that holds it. */
typedef struct
{
  const guint8 *data;
  gsize size;
} RelaisVp9Frame;

/**
 * RelaisVp9Header:
 * @profile: 0 to 3
 * @show_existing_frame: the frame is nothing but the order to show slot @existing_slot; no later
 * field is set
 * @existing_slot: 0 to 7
 * @key_frame: frame_type is KEY_FRAME
 * @show_frame: whether the frame is output
 * @error_resilient: error_resilient_mode
 * @intra_only: intra_only
 * @refresh_flags: bit n is set when slot n holds this frame afterwards
 */
typedef struct
{
  guint profile;
  gboolean show_existing_frame;
  guint existing_slot;
  gboolean key_frame;
  gboolean show_frame;
  gboolean error_resilient;
  gboolean intra_only;
  guint8 refresh_flags;
} RelaisVp9Header;

guint relais_vp9_split_superframe (const guint8 *data,
                                   gsize size,
                                   RelaisVp9Frame frames[RELAIS_VP9_MAX_FRAMES]);
gboolean relais_vp9_header_parse (RelaisVp9Header *self, const guint8 *data, gsize size);

G_END_DECLS
