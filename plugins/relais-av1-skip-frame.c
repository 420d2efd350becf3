/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* An AV1 inter frame in which every block is a copy from one slot, without motion and without a
 * residue, and which refreshes no slot. Sections are those of the "AV1 Bitstream & Decoding Process
 * Specification".
 *
 * The less a frame may choose, the less there is to write and to get wrong:
 * - error_resilient_mode takes all state from the specification's defaults (primary_ref_frame is
 * none, so default probabilities, no global motion, no loop filter deltas), and disable_cdf_update
 * keeps the probabilities as they are;
 * - a segment with the features reference frame, skip and global motion says of every block what
 * would have to be written for each: what is left are the partition, the segment (there is one
 * only) and, for small blocks, "no inter-intra";
 * - filter level 0, cdef strength 0, no restoration, no super-resolution and no film grain: nothing
 * works on the copy.
 *
 * Blocks are as large as superblocks, and at the right and bottom edge halves and quarters of them,
 * as section 5.11.4 has it. */

#include "relais-av1-skip-frame.h"

#include <string.h>

#include "relais-bit-writer.h"
#include "relais-symbol-encoder.h"

#define N_REFERENCES     7     /* REFS_PER_FRAME */
#define MAX_TILE_WIDTH   4096u /* section 3, as MAX_TILE_AREA */
#define MAX_TILE_AREA    (4096u * 2304)
#define MAX_SEGMENTS     8
#define N_FEATURES       8 /* SEG_LVL_MAX */
#define FEATURE_REF      5 /* SEG_LVL_REF_FRAME, 3 bits */
#define FEATURE_SKIP     6 /* SEG_LVL_SKIP */
#define FEATURE_GLOBALMV 7 /* SEG_LVL_GLOBALMV */
#define LAST_FRAME       1

/* Sizes of blocks as logarithms, in units of 4x4 samples. */
#define LOG2_8X8     1
#define LOG2_32X32   3
#define LOG2_64X64   4
#define LOG2_128X128 5

#define MAX_COLUMNS (MAX_TILE_WIDTH / 4)

/* Section 6.10.4. */
enum
{
  PARTITION_NONE,
  PARTITION_HORZ,
  PARTITION_VERT,
  PARTITION_SPLIT,
  PARTITION_HORZ_A,
  PARTITION_HORZ_B,
  PARTITION_VERT_A,
  PARTITION_VERT_B,
  PARTITION_HORZ_4,
  PARTITION_VERT_4,
  N_PARTITIONS,
};

/* Default_Partition_W8_Cdf to Default_Partition_W128_Cdf, section 10.1: by size of the block, by
 * context. */
static const guint16 partition_cdfs[LOG2_128X128][4][N_PARTITIONS] = {
  { { 19132, 25510, 30392, 32768 },
    { 13928, 19855, 28540, 32768 },
    { 12522, 23679, 28629, 32768 },
    { 9896, 18783, 25853, 32768 } },
  { { 15597, 20929, 24571, 26706, 27664, 28821, 29601, 30571, 31902, 32768 },
    { 7925, 11043, 16785, 22470, 23971, 25043, 26651, 28701, 29834, 32768 },
    { 5414, 13269, 15111, 20488, 22360, 24500, 25537, 26336, 32117, 32768 },
    { 2662, 6362, 8614, 20860, 23053, 24778, 26436, 27829, 31171, 32768 } },
  { { 18462, 20920, 23124, 27647, 28227, 29049, 29519, 30178, 31544, 32768 },
    { 7689, 9060, 12056, 24992, 25660, 26182, 26951, 28041, 29052, 32768 },
    { 6015, 9009, 10062, 24544, 25409, 26545, 27071, 27526, 32047, 32768 },
    { 1394, 2208, 2796, 28614, 29061, 29466, 29840, 30185, 31899, 32768 } },
  { { 20137, 21547, 23078, 29566, 29837, 30261, 30524, 30892, 31724, 32768 },
    { 6732, 7490, 9497, 27944, 28250, 28515, 28969, 29630, 30104, 32768 },
    { 5945, 7663, 8348, 28683, 29117, 29749, 30064, 30298, 32238, 32768 },
    { 870, 1212, 1487, 31198, 31394, 31574, 31743, 31881, 32332, 32768 } },
  { { 27899, 28219, 28529, 32484, 32539, 32619, 32639, 32768 },
    { 6607, 6990, 8268, 32060, 32219, 32338, 32371, 32768 },
    { 5429, 6676, 7122, 32027, 32227, 32531, 32582, 32768 },
    { 711, 966, 1172, 32448, 32538, 32617, 32664, 32768 } },
};

/* Default_Segment_Id_Cdf, section 10.1: where a neighbour is missing, and where all three are in
 * one segment. */
static const guint16 segment_id_cdfs[2][MAX_SEGMENTS] = {
  { 5622, 7893, 16093, 18233, 27809, 28373, 32533, 32768 },
  { 27527, 28487, 28723, 28890, 32397, 32647, 32679, 32768 },
};

/* Default_Interintra_Cdf, section 10.1: for blocks of at least 8x8, 16x16 and 32x32. */
static const guint16 interintra_cdfs[3][2]
    = { { 26887, 32768 }, { 27597, 32768 }, { 30237, 32768 } };

typedef struct
{
  RelaisSymbolEncoder encoder;
  gboolean interintra;
  guint rows;                      /* MiRows */
  guint columns;                   /* MiCols */
  guint8 above_width[MAX_COLUMNS]; /* of the block above each column, as a logarithm */
  guint8
      left_height[1 << LOG2_128X128]; /* of the block to the left of each row of the superblock */
} Tile;

/* decode_block() and inter_frame_mode_info(), sections 5.11.5 and 5.11.18. */
static void
write_block (Tile *self, guint row, guint column, guint width_log2, guint height_log2)
{
  /* inter_segment_id(), section 5.11.19: before skip, because of the features. All blocks are in
   * segment 0. */
  relais_symbol_encoder_write (&self->encoder, segment_id_cdfs[row > 0 && column > 0 ? 1 : 0],
                               MAX_SEGMENTS, 0);

  /* read_interintra(), section 5.11.28: BLOCK_8X8 to BLOCK_32X32, none of them longer than twice
   * its width. */
  if (self->interintra && MAX (width_log2, height_log2) <= LOG2_32X32)
    relais_symbol_encoder_write (&self->encoder,
                                 interintra_cdfs[MIN (width_log2, height_log2) - LOG2_8X8], 2, 0);

  for (guint i = column; i < MIN (column + (1u << width_log2), self->columns); i++)
    self->above_width[i] = (guint8) width_log2;
  for (guint i = 0; i < 1u << height_log2; i++)
    self->left_height[(row + i) % G_N_ELEMENTS (self->left_height)] = (guint8) height_log2;
}

/* split_or_horz and split_or_vert, section 8.3.2: whether a block that leaves the frame is split in
 * four or in two, out of the probabilities of the partitions that do one or the other. The answer
 * is always two. */
static void
write_half (Tile *self, const guint16 *cdf, const guint8 *split_types, guint n_split_types)
{
  guint16 half_cdf[2] = { 32768, 32768 };

  for (guint i = 0; i < n_split_types; i++)
    {
      guint type = split_types[i];

      half_cdf[0] = (guint16) (half_cdf[0] - (cdf[type] - cdf[type - 1]));
    }
  relais_symbol_encoder_write (&self->encoder, half_cdf, 2, 0);
}

/* decode_partition(), section 5.11.4. */
static void
write_partition (Tile *self, guint row, guint column, guint size_log2)
{
  static const guint8 vertical[] = { PARTITION_VERT,   PARTITION_SPLIT,  PARTITION_HORZ_A,
                                     PARTITION_VERT_A, PARTITION_VERT_B, PARTITION_VERT_4 };
  static const guint8 horizontal[] = { PARTITION_HORZ,   PARTITION_SPLIT,  PARTITION_HORZ_A,
                                       PARTITION_HORZ_B, PARTITION_VERT_A, PARTITION_HORZ_4 };
  guint half = 1u << (size_log2 - 1);
  gboolean has_rows = row + half < self->rows;
  gboolean has_columns = column + half < self->columns;
  /* Section 8.3.2: the context is whether the neighbours are smaller. */
  guint above = row > 0 && self->above_width[column] < size_log2 ? 1 : 0;
  guint left
      = column > 0 && self->left_height[row % G_N_ELEMENTS (self->left_height)] < size_log2 ? 1 : 0;
  const guint16 *cdf = partition_cdfs[size_log2 - 1][left * 2 + above];
  /* The largest block has no partition in four stripes, the smallest only the first four. */
  guint n_half_types = G_N_ELEMENTS (vertical) - (size_log2 == LOG2_128X128 ? 1 : 0);
  guint n_types = size_log2 == LOG2_8X8 ? 4 : size_log2 == LOG2_128X128 ? 8 : N_PARTITIONS;

  if (has_rows && has_columns)
    {
      relais_symbol_encoder_write (&self->encoder, cdf, n_types, PARTITION_NONE);
      write_block (self, row, column, size_log2, size_log2);
    }
  else if (has_columns)
    {
      write_half (self, cdf, vertical, n_half_types);
      write_block (self, row, column, size_log2, size_log2 - 1);
    }
  else if (has_rows)
    {
      write_half (self, cdf, horizontal, n_half_types);
      write_block (self, row, column, size_log2 - 1, size_log2);
    }
  else
    {
      /* PARTITION_SPLIT, of which only the first quarter is inside. A frame is whole blocks of 8x8,
       * so this ends. */
      write_partition (self, row, column, size_log2 - 1);
    }
}

/* decode_tile(), section 5.11.2. */
static void
write_tile (const RelaisAv1Size *size, const RelaisAv1Sequence *sequence, GByteArray *output)
{
  guint size_log2 = sequence->use_128x128_superblock ? LOG2_128X128 : LOG2_64X64;
  g_autofree Tile *self = g_new0 (Tile, 1);

  self->interintra = sequence->enable_interintra_compound;
  self->columns = 2 * ((size->width + 7) >> 3); /* compute_image_size(), section 5.9.9 */
  self->rows = 2 * ((size->height + 7) >> 3);
  relais_symbol_encoder_init (&self->encoder, output);
  for (guint row = 0; row < self->rows; row += 1u << size_log2)
    {
      for (guint column = 0; column < self->columns; column += 1u << size_log2)
        write_partition (self, row, column, size_log2);
    }
  relais_symbol_encoder_finish (&self->encoder);
}

/* frame_size() and render_size(), sections 5.9.5 and 5.9.6. */
static void
write_size (const RelaisAv1Size *self,
            const RelaisAv1Sequence *sequence,
            gboolean frame_size_override,
            RelaisBitWriter *writer)
{
  gboolean render_and_frame_size_different
      = self->render_width != self->width || self->render_height != self->height;

  if (frame_size_override)
    {
      relais_bit_writer_write (writer, sequence->frame_width_bits, self->width - 1);
      relais_bit_writer_write (writer, sequence->frame_height_bits, self->height - 1);
    }
  if (sequence->enable_superres)
    relais_bit_writer_write (writer, 1, 0); /* use_superres */
  relais_bit_writer_write (writer, 1, render_and_frame_size_different ? 1 : 0);
  if (render_and_frame_size_different)
    {
      relais_bit_writer_write (writer, 16, self->render_width - 1);
      relais_bit_writer_write (writer, 16, self->render_height - 1);
    }
}

/* The largest number of times a tile's size of @unit can be doubled before it is @target:
 * tile_log2(), section 5.9.16. */
static guint
tile_log2 (guint unit, guint target)
{
  guint k = 0;

  while (unit << k < target)
    k++;
  return k;
}

/* tile_info(), section 5.9.15: one tile. Returns FALSE where the frame is too large for that. */
static gboolean
write_tile_info (const RelaisAv1Size *self,
                 const RelaisAv1Sequence *sequence,
                 RelaisBitWriter *writer)
{
  guint size_log2 = sequence->use_128x128_superblock ? 7 : 6;
  guint columns = (self->width + (1u << size_log2) - 1) >> size_log2;
  guint rows = (self->height + (1u << size_log2) - 1) >> size_log2;

  if (columns > MAX_TILE_WIDTH >> size_log2 || columns * rows > MAX_TILE_AREA >> (2 * size_log2))
    return FALSE;
  relais_bit_writer_write (writer, 1, 1); /* uniform_tile_spacing_flag */
  if (tile_log2 (1, columns) > 0)
    relais_bit_writer_write (writer, 1, 0); /* increment_tile_cols_log2 */
  if (tile_log2 (1, rows) > 0)
    relais_bit_writer_write (writer, 1, 0); /* increment_tile_rows_log2 */
  return TRUE;
}

/* segmentation_params(), section 5.9.14: without a primary reference frame both updates are
 * implied. */
static void
write_segmentation (RelaisBitWriter *writer)
{
  relais_bit_writer_write (writer, 1, 1); /* segmentation_enabled */
  for (guint segment = 0; segment < MAX_SEGMENTS; segment++)
    {
      for (guint feature = 0; feature < N_FEATURES; feature++)
        {
          gboolean enabled = segment == 0 && feature >= FEATURE_REF;

          relais_bit_writer_write (writer, 1, enabled ? 1 : 0);
          if (enabled && feature == FEATURE_REF)
            relais_bit_writer_write (writer, 3, LAST_FRAME);
        }
    }
}

/* uncompressed_header() from the quantizer on. */
static void
write_tools (const RelaisAv1Sequence *sequence, RelaisBitWriter *writer)
{
  /* quantization_params(), section 5.9.12: base_q_idx, not 0, which is for lossless; deltas;
   * using_qmatrix */
  relais_bit_writer_write (writer, 8, 128);
  relais_bit_writer_write (writer, 1, 0); /* DeltaQYDc */
  if (!sequence->mono_chrome)
    {
      if (sequence->separate_uv_delta_q)
        relais_bit_writer_write (writer, 1, 0); /* diff_uv_delta */
      relais_bit_writer_write (writer, 2, 0);   /* DeltaQUDc, DeltaQUAc */
    }
  relais_bit_writer_write (writer, 1, 0);

  write_segmentation (writer);
  relais_bit_writer_write (writer, 1, 0); /* delta_q_params(), section 5.9.17: delta_q_present */

  /* loop_filter_params(), section 5.9.11: two levels, sharpness, loop_filter_delta_enabled */
  relais_bit_writer_write (writer, 6 + 6 + 3 + 1, 0);
  if (sequence->enable_cdef)
    {
      /* cdef_params(), section 5.9.19: damping, bits, and strengths of 4 and 2 bits */
      relais_bit_writer_write (writer, 2 + 2 + 6, 0);
      if (!sequence->mono_chrome)
        relais_bit_writer_write (writer, 6, 0);
    }
  if (sequence->enable_restoration)
    relais_bit_writer_write (writer, sequence->mono_chrome ? 2 : 6, 0); /* lr_params(): lr_type */

  /* tx_mode_select, reference_select, reduced_tx_set; global_motion_params(), section 5.9.24:
   * is_global */
  relais_bit_writer_write (writer, 3 + N_REFERENCES, 0);
}

/**
 * relais_av1_skip_frame_write:
 * @self: what is shown
 * @sequence: the stream's sequence header; without frame ids, layers and film grain
 * @output: the payload of a frame OBU is appended here
 *
 * frame_obu(), section 5.10: uncompressed_header() of section 5.9.2 and one tile.
 *
 * Returns: %FALSE where the picture is too large for one tile (4096 wide, 4096x2304 in area);
 * @output is undefined then
 */
gboolean
relais_av1_skip_frame_write (const RelaisAv1SkipFrame *self,
                             const RelaisAv1Sequence *sequence,
                             GByteArray *output)
{
  gboolean frame_size_override = self->size.width != sequence->max_frame_width
                                 || self->size.height != sequence->max_frame_height;
  gboolean allow_screen_content_tools = sequence->seq_force_screen_content_tools == 1;
  RelaisBitWriter writer;

  relais_bit_writer_init (&writer, output);

  relais_bit_writer_write (&writer, 1, 0); /* show_existing_frame */
  relais_bit_writer_write (&writer, 2, RELAIS_AV1_INTER_FRAME);
  relais_bit_writer_write (&writer, 1, 1); /* show_frame */
  relais_bit_writer_write (&writer, sequence->time_bits, 0);
  relais_bit_writer_write (&writer, 1, 1); /* error_resilient_mode */
  relais_bit_writer_write (&writer, 1, 1); /* disable_cdf_update */
  if (sequence->seq_force_screen_content_tools == RELAIS_AV1_SELECT)
    relais_bit_writer_write (&writer, 1, 0); /* allow_screen_content_tools */
  if (allow_screen_content_tools && sequence->seq_force_integer_mv == RELAIS_AV1_SELECT)
    relais_bit_writer_write (&writer, 1, 0); /* force_integer_mv */
  relais_bit_writer_write (&writer, 1, frame_size_override ? 1 : 0);
  relais_bit_writer_write (&writer, sequence->order_hint_bits, self->order_hint);
  if (sequence->decoder_model_info_present)
    relais_bit_writer_write (&writer, 1, 0); /* buffer_removal_time_present_flag */
  relais_bit_writer_write (&writer, 8, 0);   /* refresh_frame_flags */
  if (sequence->order_hint_bits > 0)
    {
      /* What they are already; any other value would replace the slot. */
      for (guint i = 0; i < RELAIS_AV1_N_SLOTS; i++)
        relais_bit_writer_write (&writer, sequence->order_hint_bits, self->ref_order_hint[i]);
      relais_bit_writer_write (&writer, 1, 0); /* frame_refs_short_signaling */
    }
  for (guint i = 0; i < N_REFERENCES; i++)
    relais_bit_writer_write (&writer, 3, self->slot); /* ref_frame_idx */
  write_size (&self->size, sequence, frame_size_override, &writer);
  if (!allow_screen_content_tools || sequence->seq_force_integer_mv != 1)
    relais_bit_writer_write (&writer, 1, 0); /* allow_high_precision_mv */
  /* read_interpolation_filter(), section 5.9.10: is_filter_switchable, EIGHTTAP;
   * is_motion_mode_switchable */
  relais_bit_writer_write (&writer, 1 + 2 + 1, 0);
  if (!write_tile_info (&self->size, sequence, &writer))
    return FALSE;
  write_tools (sequence, &writer);

  relais_bit_writer_align (&writer);
  write_tile (&self->size, sequence, output);
  return TRUE;
}
