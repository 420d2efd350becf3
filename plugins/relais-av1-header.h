/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "relais-bit-reader.h"

G_BEGIN_DECLS

#define RELAIS_AV1_N_SLOTS            8
#define RELAIS_AV1_N_OPERATING_POINTS 32
#define RELAIS_AV1_SELECT             2 /* SELECT_SCREEN_CONTENT_TOOLS, SELECT_INTEGER_MV */

/* frame_type, AV1 specification section 6.8.2. */
typedef enum
{
  RELAIS_AV1_KEY_FRAME,
  RELAIS_AV1_INTER_FRAME,
  RELAIS_AV1_INTRA_ONLY_FRAME,
  RELAIS_AV1_SWITCH_FRAME,
} RelaisAv1FrameType;

/**
 * RelaisAv1Sequence:
 *
 * What sequence_header_obu() says (section 5.5), under its names, as far as frames are parsed and
 * written with it.
 * @time_bits is the length of frame_presentation_time, 0 where frames have none.
 */
typedef struct
{
  guint seq_profile;
  gboolean still_picture;
  gboolean reduced_still_picture_header;
  gboolean decoder_model_info_present;
  guint time_bits;
  guint buffer_removal_time_bits;
  guint n_operating_points;
  guint operating_point_idc[RELAIS_AV1_N_OPERATING_POINTS];
  gboolean decoder_model_present_for_op[RELAIS_AV1_N_OPERATING_POINTS];
  guint frame_width_bits;
  guint frame_height_bits;
  guint max_frame_width;
  guint max_frame_height;
  gboolean frame_id_numbers_present;
  guint frame_id_bits;
  guint delta_frame_id_bits;
  gboolean use_128x128_superblock;
  gboolean enable_interintra_compound;
  gboolean enable_ref_frame_mvs;
  guint seq_force_screen_content_tools;
  guint seq_force_integer_mv;
  guint order_hint_bits;
  gboolean enable_superres;
  gboolean enable_cdef;
  gboolean enable_restoration;
  gboolean mono_chrome;
  gboolean separate_uv_delta_q;
  gboolean film_grain_params_present;
} RelaisAv1Sequence;

/**
 * RelaisAv1Size:
 * @width: UpscaledWidth; 0 where the size is not known
 * @height: FrameHeight
 * @render_width: RenderWidth
 * @render_height: RenderHeight
 *
 * The size of a picture as a slot keeps it.
 */
typedef struct
{
  guint width;
  guint height;
  guint render_width;
  guint render_height;
} RelaisAv1Size;

/**
 * RelaisAv1Frame:
 *
 * What uncompressed_header() says (section 5.9.2), under its names, up to the frame's size. With
 * @show_existing_frame nothing else is set but @frame_to_show_map_idx. Where the size is that of a
 * slot, @has_size_slot is set and @size_slot is that slot; a frame that finds its references by
 * short signaling and its size in one of them leaves @size unknown.
 */
typedef struct
{
  gboolean show_existing_frame;
  guint frame_to_show_map_idx;
  RelaisAv1FrameType frame_type;
  gboolean show_frame;
  guint current_frame_id;
  guint order_hint;
  guint8 refresh_frame_flags;
  gboolean has_ref_order_hints;
  guint ref_order_hint[RELAIS_AV1_N_SLOTS];
  RelaisAv1Size size;
  gboolean has_size_slot;
  guint size_slot;
} RelaisAv1Frame;

gboolean relais_av1_sequence_parse (RelaisAv1Sequence *self, const guint8 *data, gsize size);
gboolean relais_av1_frame_parse (RelaisAv1Frame *self,
                                 const RelaisAv1Sequence *sequence,
                                 guint temporal_id,
                                 guint spatial_id,
                                 const guint8 *data,
                                 gsize size);

G_END_DECLS
