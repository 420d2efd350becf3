/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* AV1's sequence header and the beginning of its frame headers ("AV1 Bitstream & Decoding Process
 * Specification", sections 5.5 and 5.9). Pure functions in the order and under the names of the
 * specification's syntax tables; any bytes are safe. */

#include "relais-av1-header.h"

#define CP_BT_709   1
#define TC_SRGB     13
#define MC_IDENTITY 0

#define N_REFERENCES 7 /* REFS_PER_FRAME, section 3 */

/* uvlc(), section 4.10.3; its value is of no use here. */
static void
skip_uvlc (RelaisBitReader *reader)
{
  guint leading_zeros = 0;

  while (!reader->failed && !relais_bit_reader_read_flag (reader))
    leading_zeros++;
  if (leading_zeros < 32)
    relais_bit_reader_read (reader, leading_zeros);
}

/* timing_info() and decoder_model_info(), sections 5.5.3 and 5.5.4. Returns the length of buffer
 * delays. */
static guint
parse_timing (RelaisAv1Sequence *self, RelaisBitReader *reader)
{
  guint buffer_delay_bits;
  guint time_bits;
  gboolean equal_picture_interval;

  relais_bit_reader_read (reader, 32); /* num_units_in_display_tick */
  relais_bit_reader_read (reader, 32); /* time_scale */
  equal_picture_interval = relais_bit_reader_read_flag (reader);
  if (equal_picture_interval)
    skip_uvlc (reader); /* num_ticks_per_picture_minus_1 */
  self->decoder_model_info_present = relais_bit_reader_read_flag (reader);
  if (!self->decoder_model_info_present)
    return 0;

  buffer_delay_bits = relais_bit_reader_read (reader, 5) + 1;
  relais_bit_reader_read (reader, 32); /* num_units_in_decoding_tick */
  self->buffer_removal_time_bits = relais_bit_reader_read (reader, 5) + 1;
  time_bits = relais_bit_reader_read (reader, 5) + 1;
  self->time_bits = equal_picture_interval ? 0 : time_bits;
  return buffer_delay_bits;
}

/* The part of sequence_header_obu() that is not there with reduced_still_picture_header. */
static void
parse_operating_points (RelaisAv1Sequence *self, RelaisBitReader *reader)
{
  guint buffer_delay_bits = 0;
  gboolean initial_display_delay_present;

  if (relais_bit_reader_read_flag (reader)) /* timing_info_present_flag */
    buffer_delay_bits = parse_timing (self, reader);
  initial_display_delay_present = relais_bit_reader_read_flag (reader);
  self->n_operating_points = relais_bit_reader_read (reader, 5) + 1;
  for (guint i = 0; i < self->n_operating_points; i++)
    {
      self->operating_point_idc[i] = relais_bit_reader_read (reader, 12);
      if (relais_bit_reader_read (reader, 5) > 7) /* seq_level_idx */
        relais_bit_reader_read_flag (reader);     /* seq_tier */
      if (self->decoder_model_info_present)
        {
          self->decoder_model_present_for_op[i] = relais_bit_reader_read_flag (reader);
          if (self->decoder_model_present_for_op[i])
            {
              /* operating_parameters_info(), section 5.5.5 */
              relais_bit_reader_read (reader, buffer_delay_bits);
              relais_bit_reader_read (reader, buffer_delay_bits);
              relais_bit_reader_read_flag (reader);
            }
        }
      if (initial_display_delay_present && relais_bit_reader_read_flag (reader))
        relais_bit_reader_read (reader, 4);
    }
}

/* color_config(), section 5.5.2. */
static void
parse_color_config (RelaisAv1Sequence *self, RelaisBitReader *reader)
{
  gboolean high_bitdepth = relais_bit_reader_read_flag (reader);
  gboolean twelve_bit = FALSE;
  guint color_primaries = 2; /* unspecified */
  guint transfer_characteristics = 2;
  guint matrix_coefficients = 2;
  gboolean subsampling_x = TRUE;
  gboolean subsampling_y = TRUE;

  if (self->seq_profile == 2 && high_bitdepth)
    twelve_bit = relais_bit_reader_read_flag (reader);
  if (self->seq_profile != 1)
    self->mono_chrome = relais_bit_reader_read_flag (reader);
  if (relais_bit_reader_read_flag (reader)) /* color_description_present_flag */
    {
      color_primaries = relais_bit_reader_read (reader, 8);
      transfer_characteristics = relais_bit_reader_read (reader, 8);
      matrix_coefficients = relais_bit_reader_read (reader, 8);
    }
  if (self->mono_chrome)
    {
      relais_bit_reader_read_flag (reader); /* color_range */
      return;
    }
  if (color_primaries != CP_BT_709 || transfer_characteristics != TC_SRGB
      || matrix_coefficients != MC_IDENTITY)
    {
      relais_bit_reader_read_flag (reader); /* color_range */
      if (self->seq_profile == 1)
        {
          subsampling_x = subsampling_y = FALSE;
        }
      else if (self->seq_profile == 2)
        {
          if (twelve_bit)
            subsampling_x = relais_bit_reader_read_flag (reader);
          subsampling_y = twelve_bit && subsampling_x && relais_bit_reader_read_flag (reader);
        }
      if (subsampling_x && subsampling_y)
        relais_bit_reader_read (reader, 2); /* chroma_sample_position */
    }
  self->separate_uv_delta_q = relais_bit_reader_read_flag (reader);
}

/**
 * relais_av1_sequence_parse:
 * @self: (out): the sequence header; undefined on failure
 * @data: (transfer none): the payload of a sequence header OBU
 * @size: bytes in @data
 *
 * sequence_header_obu(), section 5.5.1.
 *
 * Returns: whether it is complete and of a profile there is
 */
gboolean
relais_av1_sequence_parse (RelaisAv1Sequence *self, const guint8 *data, gsize size)
{
  RelaisBitReader reader;

  *self = (RelaisAv1Sequence){ 0 };
  relais_bit_reader_init (&reader, data, size);

  self->seq_profile = relais_bit_reader_read (&reader, 3);
  self->still_picture = relais_bit_reader_read_flag (&reader);
  self->reduced_still_picture_header = relais_bit_reader_read_flag (&reader);
  if (self->reduced_still_picture_header)
    relais_bit_reader_read (&reader, 5); /* seq_level_idx */
  else
    parse_operating_points (self, &reader);

  self->frame_width_bits = relais_bit_reader_read (&reader, 4) + 1;
  self->frame_height_bits = relais_bit_reader_read (&reader, 4) + 1;
  self->max_frame_width = relais_bit_reader_read (&reader, self->frame_width_bits) + 1;
  self->max_frame_height = relais_bit_reader_read (&reader, self->frame_height_bits) + 1;
  if (!self->reduced_still_picture_header)
    self->frame_id_numbers_present = relais_bit_reader_read_flag (&reader);
  if (self->frame_id_numbers_present)
    {
      self->delta_frame_id_bits = relais_bit_reader_read (&reader, 4) + 2;
      self->frame_id_bits = self->delta_frame_id_bits + relais_bit_reader_read (&reader, 3) + 1;
    }
  self->use_128x128_superblock = relais_bit_reader_read_flag (&reader);
  relais_bit_reader_read (&reader, 2); /* enable_filter_intra, enable_intra_edge_filter */
  self->seq_force_screen_content_tools = RELAIS_AV1_SELECT;
  self->seq_force_integer_mv = RELAIS_AV1_SELECT;
  if (!self->reduced_still_picture_header)
    {
      gboolean enable_order_hint;

      self->enable_interintra_compound = relais_bit_reader_read_flag (&reader);
      /* enable_masked_compound, enable_warped_motion, enable_dual_filter */
      relais_bit_reader_read (&reader, 3);
      enable_order_hint = relais_bit_reader_read_flag (&reader);
      if (enable_order_hint)
        {
          relais_bit_reader_read_flag (&reader); /* enable_jnt_comp */
          self->enable_ref_frame_mvs = relais_bit_reader_read_flag (&reader);
        }
      if (!relais_bit_reader_read_flag (&reader)) /* seq_choose_screen_content_tools */
        self->seq_force_screen_content_tools = relais_bit_reader_read (&reader, 1);
      if (self->seq_force_screen_content_tools > 0
          && !relais_bit_reader_read_flag (&reader)) /* seq_choose_integer_mv */
        self->seq_force_integer_mv = relais_bit_reader_read (&reader, 1);
      if (enable_order_hint)
        self->order_hint_bits = relais_bit_reader_read (&reader, 3) + 1;
    }
  self->enable_superres = relais_bit_reader_read_flag (&reader);
  self->enable_cdef = relais_bit_reader_read_flag (&reader);
  self->enable_restoration = relais_bit_reader_read_flag (&reader);
  parse_color_config (self, &reader);
  self->film_grain_params_present = relais_bit_reader_read_flag (&reader);

  return !reader.failed && self->seq_profile <= 2;
}

/* superres_params(), section 5.9.8; a slot keeps a picture in its upscaled size. */
static void
skip_superres (const RelaisAv1Sequence *sequence, RelaisBitReader *reader)
{
  if (sequence->enable_superres && relais_bit_reader_read_flag (reader)) /* use_superres */
    relais_bit_reader_read (reader, 3);
}

/* frame_size() and render_size(), sections 5.9.5 and 5.9.6. */
static void
parse_size (RelaisAv1Size *self,
            const RelaisAv1Sequence *sequence,
            RelaisBitReader *reader,
            gboolean frame_size_override)
{
  self->width = sequence->max_frame_width;
  self->height = sequence->max_frame_height;
  if (frame_size_override)
    {
      self->width = relais_bit_reader_read (reader, sequence->frame_width_bits) + 1;
      self->height = relais_bit_reader_read (reader, sequence->frame_height_bits) + 1;
    }
  skip_superres (sequence, reader);
  self->render_width = self->width;
  self->render_height = self->height;
  if (relais_bit_reader_read_flag (reader)) /* render_and_frame_size_different */
    {
      self->render_width = relais_bit_reader_read (reader, 16) + 1;
      self->render_height = relais_bit_reader_read (reader, 16) + 1;
    }
}

/* From frame_refs_short_signaling of an inter frame on, to frame_size_with_refs() of section 5.9.7.
 */
static void
parse_references (RelaisAv1Frame *self,
                  const RelaisAv1Sequence *sequence,
                  RelaisBitReader *reader,
                  gboolean frame_size_override,
                  gboolean error_resilient)
{
  gboolean short_signaling = FALSE;
  guint ref_frame_idx[N_REFERENCES] = { 0 };

  if (sequence->order_hint_bits > 0)
    short_signaling = relais_bit_reader_read_flag (reader);
  if (short_signaling)
    relais_bit_reader_read (reader, 6); /* last_frame_idx, gold_frame_idx */
  for (guint i = 0; i < N_REFERENCES; i++)
    {
      if (!short_signaling)
        ref_frame_idx[i] = relais_bit_reader_read (reader, 3);
      relais_bit_reader_read (reader, sequence->delta_frame_id_bits);
    }
  for (guint i = 0; frame_size_override && !error_resilient && i < N_REFERENCES; i++)
    {
      if (relais_bit_reader_read_flag (reader)) /* found_ref */
        {
          self->has_size_slot = !short_signaling;
          self->size_slot = ref_frame_idx[i];
          return;
        }
    }
  parse_size (&self->size, sequence, reader, frame_size_override);
}

/* buffer_removal_time of section 5.9.2. */
static void
skip_buffer_removal_times (const RelaisAv1Sequence *sequence,
                           guint temporal_id,
                           guint spatial_id,
                           RelaisBitReader *reader)
{
  if (!relais_bit_reader_read_flag (reader)) /* buffer_removal_time_present_flag */
    return;
  for (guint i = 0; i < sequence->n_operating_points; i++)
    {
      guint idc = sequence->operating_point_idc[i];

      if (sequence->decoder_model_present_for_op[i]
          && (idc == 0 || ((idc >> temporal_id & 1) && (idc >> (spatial_id + 8) & 1))))
        relais_bit_reader_read (reader, sequence->buffer_removal_time_bits);
    }
}

/* From show_frame on. */
static void
parse_frame (RelaisAv1Frame *self,
             const RelaisAv1Sequence *sequence,
             guint temporal_id,
             guint spatial_id,
             RelaisBitReader *reader)
{
  gboolean is_intra
      = self->frame_type == RELAIS_AV1_KEY_FRAME || self->frame_type == RELAIS_AV1_INTRA_ONLY_FRAME;
  gboolean is_shown_key = self->frame_type == RELAIS_AV1_KEY_FRAME && self->show_frame;
  gboolean error_resilient = TRUE;
  gboolean allow_screen_content_tools = sequence->seq_force_screen_content_tools != 0;
  gboolean frame_size_override = TRUE;

  if (self->show_frame)
    relais_bit_reader_read (reader, sequence->time_bits); /* temporal_point_info() */
  else
    relais_bit_reader_read_flag (reader); /* showable_frame */
  if (self->frame_type != RELAIS_AV1_SWITCH_FRAME && !is_shown_key)
    error_resilient = relais_bit_reader_read_flag (reader);
  relais_bit_reader_read_flag (reader); /* disable_cdf_update */
  if (sequence->seq_force_screen_content_tools == RELAIS_AV1_SELECT)
    allow_screen_content_tools = relais_bit_reader_read_flag (reader);
  if (allow_screen_content_tools && sequence->seq_force_integer_mv == RELAIS_AV1_SELECT)
    relais_bit_reader_read_flag (reader); /* force_integer_mv */
  self->current_frame_id = relais_bit_reader_read (reader, sequence->frame_id_bits);
  if (self->frame_type != RELAIS_AV1_SWITCH_FRAME)
    frame_size_override = relais_bit_reader_read_flag (reader);
  self->order_hint = relais_bit_reader_read (reader, sequence->order_hint_bits);
  if (!is_intra && !error_resilient)
    relais_bit_reader_read (reader, 3); /* primary_ref_frame */
  if (sequence->decoder_model_info_present)
    skip_buffer_removal_times (sequence, temporal_id, spatial_id, reader);

  self->refresh_frame_flags = 0xff;
  if (self->frame_type != RELAIS_AV1_SWITCH_FRAME && !is_shown_key)
    self->refresh_frame_flags = (guint8) relais_bit_reader_read (reader, 8);
  if ((!is_intra || self->refresh_frame_flags != 0xff) && error_resilient
      && sequence->order_hint_bits > 0)
    {
      self->has_ref_order_hints = TRUE;
      for (guint i = 0; i < RELAIS_AV1_N_SLOTS; i++)
        self->ref_order_hint[i] = relais_bit_reader_read (reader, sequence->order_hint_bits);
    }
  if (is_intra)
    parse_size (&self->size, sequence, reader, frame_size_override);
  else
    parse_references (self, sequence, reader, frame_size_override, error_resilient);
}

/**
 * relais_av1_frame_parse:
 * @self: (out): the frame header; undefined on failure
 * @sequence: its sequence
 * @temporal_id: of the OBU
 * @spatial_id: of the OBU
 * @data: (transfer none): the payload of a frame or frame header OBU
 * @size: bytes in @data
 *
 * uncompressed_header(), section 5.9.2. The header of a reduced still picture is not for a stream
 * and is refused.
 *
 * Returns: whether the bytes begin with a header that is valid so far
 */
gboolean
relais_av1_frame_parse (RelaisAv1Frame *self,
                        const RelaisAv1Sequence *sequence,
                        guint temporal_id,
                        guint spatial_id,
                        const guint8 *data,
                        gsize size)
{
  RelaisBitReader reader;

  *self = (RelaisAv1Frame){ 0 };
  relais_bit_reader_init (&reader, data, size);
  if (sequence->reduced_still_picture_header)
    return FALSE;

  self->show_existing_frame = relais_bit_reader_read_flag (&reader);
  if (self->show_existing_frame)
    {
      self->frame_to_show_map_idx = relais_bit_reader_read (&reader, 3);
      return !reader.failed;
    }
  self->frame_type = (RelaisAv1FrameType) relais_bit_reader_read (&reader, 2);
  self->show_frame = relais_bit_reader_read_flag (&reader);
  parse_frame (self, sequence, temporal_id, spatial_id, &reader);
  return !reader.failed;
}
