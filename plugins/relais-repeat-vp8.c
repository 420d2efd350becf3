/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* VP8 (RFC 6386): an inter frame in which every macroblock is copied, without a residue, from the
 * reference that holds the picture last shown, and which leaves nothing behind.
 *
 * What a decoder carries from frame to frame, and why the repeat does not touch it:
 * - the three reference frames (section 9.7): refreshed by flags and copies, all zero here;
 * - all entropy probabilities (sections 9.9 to 9.11): saved before and restored after a frame with
 * refresh_entropy_probs 0;
 * - the segment map and the segments' features (section 9.3): kept by a frame that has
 * segmentation_enabled as before and both update flags 0. (A frame without segmentation is not
 * enough: FFmpeg forgets the map then.)
 * - the loop filter's deltas (section 9.6): kept while mode_ref_lf_delta_update is 0;
 * - sign biases (section 9.7) are sent with each inter frame, and set to what the last one had.
 * The picture is not filtered again because loop_filter_level 0 turns the loop filter off, whatever
 * segments and deltas say (section 9.6).
 *
 * All that has to be known of the stream are its frame headers up to the reference flags. A header
 * that a decoder would refuse makes the state unknown until the next key frame. Any bytes are safe.
 */

#include "relais-repeat-vp8.h"

#include "relais-bool-coder.h"
#include "relais-vp8-tables.h"

#define TAG_SIZE        3
#define KEY_HEADER_SIZE 7

/* Each choice is the same in all macroblocks of a repeat, so its declared probability of 0 makes it
 * cost next to nothing. */
#define PROB_FLAG_SET   1
#define PROB_FLAG_CLEAR 255

/* update_segmentation(), section 19.2. */
static void
skip_segmentation_update (RelaisBoolDecoder *decoder)
{
  gboolean update_map = relais_bool_decoder_read_literal (decoder, 1) != 0;
  gboolean update_features = relais_bool_decoder_read_literal (decoder, 1) != 0;

  if (update_features)
    {
      relais_bool_decoder_read_literal (decoder, 1); /* segment_feature_mode */
      for (guint i = 0; i < 8; i++)
        {
          /* Four quantizers of 7 bits, four filter levels of 6, each with a sign. */
          if (relais_bool_decoder_read_literal (decoder, 1))
            relais_bool_decoder_read_literal (decoder, i < 4 ? 8 : 7);
        }
    }
  if (update_map)
    {
      for (guint i = 0; i < 3; i++)
        {
          if (relais_bool_decoder_read_literal (decoder, 1))
            relais_bool_decoder_read_literal (decoder, 8); /* segment_prob */
        }
    }
}

/* mb_lf_adjustments() after loop_filter_adj_enable, section 19.2. */
static void
skip_filter_deltas (RelaisBoolDecoder *decoder)
{
  if (!relais_bool_decoder_read_literal (decoder, 1)) /* mode_ref_lf_delta_update */
    return;
  for (guint i = 0; i < 8; i++)
    {
      if (relais_bool_decoder_read_literal (decoder, 1))
        relais_bool_decoder_read_literal (decoder, 7); /* magnitude and sign */
    }
}

/* quant_indices(), section 19.2. */
static void
skip_quantizers (RelaisBoolDecoder *decoder)
{
  relais_bool_decoder_read_literal (decoder, 7); /* y_ac_qi */
  for (guint i = 0; i < 5; i++)
    {
      if (relais_bool_decoder_read_literal (decoder, 1))
        relais_bool_decoder_read_literal (decoder, 5); /* magnitude and sign */
    }
}

/* Section 9.7: an inter frame says which references it replaces, or from where golden and altref
 * are copied. The copies are read off the references as they were before the frame; where both are
 * copied from each other decoders differ (libvpx does the one after the other, FFmpeg swaps), and
 * the picture becomes unknown unless it is the same either way. */
static void
update_references (RelaisRepeatVp8 *self, RelaisBoolDecoder *decoder)
{
  const guint64 *old = self->references;
  guint64 golden = old[RELAIS_VP8_GOLDEN];
  guint64 altref = old[RELAIS_VP8_ALTREF];
  gboolean refresh_golden = relais_bool_decoder_read_literal (decoder, 1) != 0;
  gboolean refresh_altref = relais_bool_decoder_read_literal (decoder, 1) != 0;
  guint copy_to_golden = refresh_golden ? 0 : relais_bool_decoder_read_literal (decoder, 2);
  guint copy_to_altref = refresh_altref ? 0 : relais_bool_decoder_read_literal (decoder, 2);

  self->sign_bias[RELAIS_VP8_GOLDEN] = relais_bool_decoder_read_literal (decoder, 1) != 0;
  self->sign_bias[RELAIS_VP8_ALTREF] = relais_bool_decoder_read_literal (decoder, 1) != 0;
  relais_bool_decoder_read_literal (decoder, 1); /* refresh_entropy_probs */

  if (copy_to_golden == 1)
    golden = old[RELAIS_VP8_LAST];
  else if (copy_to_golden == 2)
    golden = old[RELAIS_VP8_ALTREF];
  if (copy_to_altref == 1)
    altref = old[RELAIS_VP8_LAST];
  else if (copy_to_altref == 2)
    altref = old[RELAIS_VP8_GOLDEN];

  if (copy_to_golden == 2 && copy_to_altref != 0 && golden != altref)
    golden = 0;
  if (copy_to_altref == 2 && copy_to_golden != 0 && golden != altref)
    altref = 0;

  self->references[RELAIS_VP8_GOLDEN] = refresh_golden ? self->n_pictures : golden;
  self->references[RELAIS_VP8_ALTREF] = refresh_altref ? self->n_pictures : altref;
  if (relais_bool_decoder_read_literal (decoder, 1)) /* refresh_last */
    self->references[RELAIS_VP8_LAST] = self->n_pictures;
}

/* Sections 9.1 and 19.1: the sizes of a key frame, 14 bits each. */
static gboolean
read_key_header (RelaisRepeatVp8 *self, const guint8 *data)
{
  guint width = data[3] | (data[4] & 0x3fu) << 8;
  guint height = data[5] | (data[6] & 0x3fu) << 8;

  if (data[0] != 0x9d || data[1] != 0x01 || data[2] != 0x2a || width == 0 || height == 0)
    return FALSE;
  self->columns = (width + 15) / 16;
  self->rows = (height + 15) / 16;
  return TRUE;
}

/**
 * relais_repeat_vp8_observe:
 * @self: the state
 * @data: (transfer none): a frame of the stream
 * @size: bytes in @data; an empty frame is one that was dropped and changes nothing
 *
 * Follows the frame header of RFC 6386 section 19.2 (frame_header()) up to refresh_last.
 */
void
relais_repeat_vp8_observe (RelaisRepeatVp8 *self, const guint8 *data, gsize size)
{
  RelaisBoolDecoder decoder;
  gboolean key_frame;
  gboolean show_frame;
  guint32 tag;
  gsize partition_size;

  if (size == 0)
    return;
  if (size < TAG_SIZE)
    {
      self->started = FALSE;
      return;
    }

  /* Section 9.1: the frame tag. */
  tag = data[0] | (guint32) data[1] << 8 | (guint32) data[2] << 16;
  key_frame = (tag & 1) == 0;
  show_frame = (tag >> 4 & 1) != 0;
  partition_size = tag >> 5;
  data += TAG_SIZE;
  size -= TAG_SIZE;

  if (key_frame)
    {
      self->started = size >= KEY_HEADER_SIZE && read_key_header (self, data);
      if (self->started)
        {
          data += KEY_HEADER_SIZE;
          size -= KEY_HEADER_SIZE;
        }
    }
  if (!self->started || partition_size > size)
    {
      self->started = FALSE;
      return;
    }
  self->version = tag >> 1 & 7;
  self->n_pictures++;

  relais_bool_decoder_init (&decoder, data, partition_size);
  if (key_frame)
    relais_bool_decoder_read_literal (&decoder, 2); /* color_space, clamping_type */
  self->segmentation = relais_bool_decoder_read_literal (&decoder, 1) != 0;
  if (self->segmentation)
    skip_segmentation_update (&decoder);
  self->filter_type = relais_bool_decoder_read_literal (&decoder, 1);
  relais_bool_decoder_read_literal (&decoder, 6); /* loop_filter_level */
  self->sharpness = relais_bool_decoder_read_literal (&decoder, 3);
  self->filter_adjust = relais_bool_decoder_read_literal (&decoder, 1) != 0;
  if (self->filter_adjust)
    skip_filter_deltas (&decoder);
  relais_bool_decoder_read_literal (&decoder, 2); /* log2_nbr_of_dct_partitions */
  skip_quantizers (&decoder);

  if (key_frame)
    {
      /* Section 9.7: a key frame is all three references, and its sign biases are 0. */
      for (guint i = 0; i < RELAIS_VP8_N_REFERENCES; i++)
        {
          self->references[i] = self->n_pictures;
          self->sign_bias[i] = FALSE;
        }
    }
  else
    {
      update_references (self, &decoder);
    }
  if (show_frame)
    self->shown = self->n_pictures;
}

/* Section 9.3 to 9.11 and 19.2: a frame header that changes nothing, up to prob_skip_false. */
static void
write_header (const RelaisRepeatVp8 *self, RelaisBoolEncoder *encoder)
{
  /* Section 9.3: update_mb_segmentation_map 0 and update_segment_feature_data 0 keep map and
   * features. */
  relais_bool_encoder_write_literal (encoder, 1, self->segmentation ? 1 : 0);
  if (self->segmentation)
    relais_bool_encoder_write_literal (encoder, 2, 0);

  /* Section 9.6: loop_filter_level 0; mode_ref_lf_delta_update 0 keeps the deltas. */
  relais_bool_encoder_write_literal (encoder, 1, self->filter_type);
  relais_bool_encoder_write_literal (encoder, 6, 0);
  relais_bool_encoder_write_literal (encoder, 3, self->sharpness);
  relais_bool_encoder_write_literal (encoder, 1, self->filter_adjust ? 1 : 0);
  if (self->filter_adjust)
    relais_bool_encoder_write_literal (encoder, 1, 0);

  /* Section 9.5: one partition of tokens. Section 9.6: any quantizer, no deltas. */
  relais_bool_encoder_write_literal (encoder, 2, 0);
  relais_bool_encoder_write_literal (encoder, 7, 0);
  relais_bool_encoder_write_literal (encoder, 5, 0);

  /* Section 9.7: refresh_golden_frame, refresh_alternate_frame, both copies of two bits; then the
   * sign biases, refresh_entropy_probs (section 9.11) and refresh_last. */
  relais_bool_encoder_write_literal (encoder, 6, 0);
  relais_bool_encoder_write_literal (encoder, 1, self->sign_bias[RELAIS_VP8_GOLDEN] ? 1 : 0);
  relais_bool_encoder_write_literal (encoder, 1, self->sign_bias[RELAIS_VP8_ALTREF] ? 1 : 0);
  relais_bool_encoder_write_literal (encoder, 2, 0);

  /* Section 13.4: token_prob_update() without one; each flag has a fixed probability. */
  for (guint i = 0; i < RELAIS_VP8_N_TOKEN_PROBABILITIES; i++)
    relais_bool_encoder_write (encoder, relais_vp8_token_update_probabilities[i], FALSE);

  /* Section 9.10 and 9.11: mb_no_coeff_skip 1 with its probability; those of the references. */
  relais_bool_encoder_write_literal (encoder, 1, 1);
  relais_bool_encoder_write_literal (encoder, 8, PROB_FLAG_SET);
}

/* Section 16.3: whether the vector is zero has a probability chosen by how many of the macroblocks
 * above (2), to the left (2) and above to the left (1) have a zero vector themselves; outside the
 * frame none has. */
static guint8
zero_vector_probability (guint column, guint row)
{
  static const guint8 probabilities[] = { 7, 14, 135, 60, 159, 234 };

  return probabilities[(row > 0 ? 2 : 0) + (column > 0 ? 2 : 0) + (row > 0 && column > 0 ? 1 : 0)];
}

/**
 * relais_repeat_vp8_make:
 * @self: the state
 * @size: (out): bytes of the frame
 *
 * Returns: (transfer full) (nullable): an inter frame that shows the last picture again and changes
 * nothing; %NULL before the first key frame, after a damaged frame, and when no reference holds the
 * picture last shown
 */
guint8 *
relais_repeat_vp8_make (const RelaisRepeatVp8 *self, gsize *size)
{
  g_autoptr (GByteArray) frame = NULL;
  RelaisBoolEncoder encoder;
  RelaisVp8Reference reference = RELAIS_VP8_LAST;
  guint32 tag;

  if (!self->started || self->shown == 0)
    return NULL;
  while (self->references[reference] != self->shown)
    {
      if (++reference == RELAIS_VP8_N_REFERENCES)
        return NULL;
    }

  frame = g_byte_array_new ();
  g_byte_array_set_size (frame, TAG_SIZE);
  relais_bool_encoder_init (&encoder, frame);
  write_header (self, &encoder);

  /* Section 9.10: prob_intra, prob_last and prob_gf; each choice is the same for all macroblocks.
   * Then neither intra mode probabilities (section 9.11) nor vector probabilities (section 17.2)
   * are updated. */
  relais_bool_encoder_write_literal (&encoder, 8, PROB_FLAG_SET);
  relais_bool_encoder_write_literal (&encoder, 8,
                                     reference == RELAIS_VP8_LAST ? PROB_FLAG_CLEAR
                                                                  : PROB_FLAG_SET);
  relais_bool_encoder_write_literal (&encoder, 8,
                                     reference == RELAIS_VP8_GOLDEN ? PROB_FLAG_CLEAR
                                                                    : PROB_FLAG_SET);
  relais_bool_encoder_write_literal (&encoder, 2, 0);
  for (guint i = 0; i < RELAIS_VP8_N_VECTOR_PROBABILITIES; i++)
    relais_bool_encoder_write (&encoder, relais_vp8_vector_update_probabilities[i], FALSE);

  /* Section 19.3, macroblock_header(). */
  for (guint row = 0; row < self->rows; row++)
    {
      for (guint column = 0; column < self->columns; column++)
        {
          relais_bool_encoder_write (&encoder, PROB_FLAG_SET, TRUE); /* mb_skip_coeff */
          relais_bool_encoder_write (&encoder, PROB_FLAG_SET, TRUE); /* is_inter_mb */
          if (reference == RELAIS_VP8_LAST)
            {
              relais_bool_encoder_write (&encoder, PROB_FLAG_CLEAR, FALSE);
            }
          else
            {
              relais_bool_encoder_write (&encoder, PROB_FLAG_SET, TRUE);
              if (reference == RELAIS_VP8_GOLDEN)
                relais_bool_encoder_write (&encoder, PROB_FLAG_CLEAR, FALSE);
              else
                relais_bool_encoder_write (&encoder, PROB_FLAG_SET, TRUE);
            }
          relais_bool_encoder_write (&encoder, zero_vector_probability (column, row), FALSE);
        }
    }
  relais_bool_encoder_finish (&encoder);

  /* Section 9.1: an inter frame (1) of the stream's version that is shown, and its first
   * partition's size. */
  tag = 1 | self->version << 1 | 1u << 4 | (guint32) (frame->len - TAG_SIZE) << 5;
  frame->data[0] = (guint8) tag;
  frame->data[1] = (guint8) (tag >> 8);
  frame->data[2] = (guint8) (tag >> 16);

  /* Section 9.5: the partition of tokens, from which nothing is read; FFmpeg refuses an empty one.
   */
  g_byte_array_append (frame, (const guint8[2]){ 0, 0 }, 2);

  *size = frame->len;
  return g_byte_array_free (g_steal_pointer (&frame), FALSE);
}
