/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* AV1 ("AV1 Bitstream & Decoding Process Specification"). There are two kinds of repeat:
 * - A frame of blocks that copy the picture and that refreshes no slot: relais-av1-skip-frame.c.
 * AV1 takes nothing from the frame decoded last (motion vectors, segments and probabilities come
 * from slots), so nothing of it stays.
 * - show_existing_frame (sections 5.9.2 and 7.21), in three bytes, where such a frame cannot be
 * made. It is the second choice because it gives the player the same buffer again (which Firefox
 * cannot take for VP9, see relais-repeat-vp9.c), and because it is not for key frames: one that was
 * shown is not showable (section 6.8.2), and decoders refuse it. Every other shown frame is
 * showable, as often as one likes.
 *
 * The picture last shown has to be in a slot, so the refresh flags of all frames are followed. Not
 * repeated are:
 * - pictures that no slot keeps (the top layer of temporal layers);
 * - streams with spatial layers, where a frame of the lowest layer may not be what is shown;
 * - key frames, for which there is only the first kind, with frame ids (a frame id of its own would
 * break the order of the real ones, section 6.8.2), with film grain (whose parameters stand at the
 * header's very end), or above 4096x2304 (more than one tile). A header that a decoder would refuse
 * makes the state unknown until the next key frame. Any bytes are safe. */

#include "relais-repeat-av1.h"

#include "relais-av1-obu.h"
#include "relais-av1-skip-frame.h"
#include "relais-bit-writer.h"

#define HAS_SIZE_FIELD    0x02 /* obu_has_size_field, section 5.3.2 */
#define SPATIAL_LAYER_BIT 8    /* of operating_point_idc, section 6.4.1 */

static void
observe_frame (RelaisRepeatAv1 *self, const RelaisAv1Obu *obu)
{
  RelaisAv1Frame frame;
  gboolean is_shown_key;

  if (!self->has_sequence
      || !relais_av1_frame_parse (&frame, &self->sequence, obu->temporal_id, obu->spatial_id,
                                  obu->payload, obu->payload_size))
    {
      self->started = FALSE;
      return;
    }

  if (frame.show_existing_frame)
    {
      guint slot = frame.frame_to_show_map_idx;

      self->shown = self->slots[slot].picture;
      /* Section 7.21: a key frame that is shown late is loaded into all slots. */
      for (guint i = 0; self->shown == self->key_picture && i < RELAIS_AV1_N_SLOTS; i++)
        self->slots[i] = self->slots[slot];
      return;
    }

  is_shown_key = frame.frame_type == RELAIS_AV1_KEY_FRAME && frame.show_frame;
  if (!self->started && !is_shown_key)
    return;
  self->started = TRUE;
  self->n_pictures++;
  if (frame.frame_type == RELAIS_AV1_KEY_FRAME)
    self->key_picture = self->n_pictures;
  if (frame.has_size_slot)
    frame.size = self->slots[frame.size_slot].size;
  for (guint i = 0; frame.has_ref_order_hints && i < RELAIS_AV1_N_SLOTS; i++)
    {
      /* Section 5.9.2, ref_order_hint: a slot with another one is lost. */
      if (self->slots[i].order_hint != frame.ref_order_hint[i])
        {
          self->slots[i].picture = 0;
          self->slots[i].order_hint = frame.ref_order_hint[i];
          self->slots[i].size = (RelaisAv1Size){ 0 };
        }
    }
  /* Section 7.20, the reference frame update process. */
  for (guint i = 0; i < RELAIS_AV1_N_SLOTS; i++)
    {
      if (frame.refresh_frame_flags >> i & 1)
        {
          self->slots[i].picture = self->n_pictures;
          self->slots[i].order_hint = frame.order_hint;
          self->slots[i].frame_id = frame.current_frame_id;
          self->slots[i].size = frame.size;
        }
    }
  if (frame.show_frame)
    self->shown = self->n_pictures;
}

/* Section 5.9.1: which OBUs are not for operating point 0. */
static gboolean
is_dropped (const RelaisRepeatAv1 *self, const RelaisAv1Obu *obu)
{
  guint idc = self->sequence.operating_point_idc[0];

  return idc != 0 && obu->has_extension
         && (!(idc >> obu->temporal_id & 1) || !(idc >> (obu->spatial_id + SPATIAL_LAYER_BIT) & 1));
}

/**
 * relais_repeat_av1_observe:
 * @self: the state
 * @data: (transfer none): a block's payload: a temporal unit
 * @size: bytes in @data; an empty one changes nothing
 *
 * Follows the sequence and frame headers.
 */
void
relais_repeat_av1_observe (RelaisRepeatAv1 *self, const guint8 *data, gsize size)
{
  RelaisAv1Obu obu;

  while (relais_av1_obu_next (&data, &size, &obu))
    {
      switch (obu.type)
        {
        case RELAIS_AV1_OBU_SEQUENCE_HEADER:
          self->has_sequence
              = relais_av1_sequence_parse (&self->sequence, obu.payload, obu.payload_size);
          self->started = self->started && self->has_sequence;
          break;

        case RELAIS_AV1_OBU_FRAME_HEADER:
        case RELAIS_AV1_OBU_FRAME:
          if (!is_dropped (self, &obu))
            observe_frame (self, &obu);
          break;

        default:
          break;
        }
    }
  if (size > 0)
    self->started = FALSE;
}

/* A frame header OBU with show_existing_frame, section 5.9.2. */
static void
write_show_existing (const RelaisRepeatAv1 *self, guint slot, GByteArray *payload)
{
  RelaisBitWriter writer;

  relais_bit_writer_init (&writer, payload);
  relais_bit_writer_write (&writer, 1, 1); /* show_existing_frame */
  relais_bit_writer_write (&writer, 3, slot);
  relais_bit_writer_write (&writer, self->sequence.time_bits, 0);
  relais_bit_writer_write (&writer, self->sequence.frame_id_bits, self->slots[slot].frame_id);
  relais_bit_writer_write (&writer, 1, 1); /* trailing_bits(), section 5.3.4 */
}

static gboolean
write_skip_frame (const RelaisRepeatAv1 *self, guint slot, GByteArray *payload)
{
  RelaisAv1SkipFrame frame = {
    .slot = slot,
    .order_hint = self->slots[slot].order_hint,
    .size = self->slots[slot].size,
  };

  if (self->sequence.frame_id_numbers_present || self->sequence.film_grain_params_present
      || frame.size.width == 0)
    return FALSE;
  for (guint i = 0; i < RELAIS_AV1_N_SLOTS; i++)
    frame.ref_order_hint[i] = self->slots[i].order_hint;
  return relais_av1_skip_frame_write (&frame, &self->sequence, payload);
}

/* open_bitstream_unit() with a size, section 5.3.1. */
static guint8 *
wrap_obu (RelaisAv1ObuType type, const GByteArray *payload, gsize *size)
{
  g_autoptr (GByteArray) obu = g_byte_array_new ();
  guint8 byte = (guint8) (type << 3 | HAS_SIZE_FIELD);
  guint rest = payload->len;

  g_byte_array_append (obu, &byte, 1);
  do
    {
      byte = (guint8) ((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0)); /* leb128() */
      g_byte_array_append (obu, &byte, 1);
      rest >>= 7;
    }
  while (rest > 0);
  g_byte_array_append (obu, payload->data, payload->len);
  *size = obu->len;
  return g_byte_array_free (g_steal_pointer (&obu), FALSE);
}

/**
 * relais_repeat_av1_make:
 * @self: the state
 * @size: (out): bytes of the temporal unit
 *
 * Returns: (transfer full) (nullable): a temporal unit, without delimiter as in Matroska, that
 * shows the last picture again; %NULL before the first key frame, after a damaged frame, and in the
 * cases named at the head of this file
 */
guint8 *
relais_repeat_av1_make (const RelaisRepeatAv1 *self, gsize *size)
{
  g_autoptr (GByteArray) payload = NULL;
  guint slot = 0;

  if (!self->started || self->shown == 0
      || self->sequence.operating_point_idc[0] >> SPATIAL_LAYER_BIT > 1)
    return NULL;
  while (self->slots[slot].picture != self->shown)
    {
      if (++slot == RELAIS_AV1_N_SLOTS)
        return NULL;
    }

  payload = g_byte_array_new ();
  if (write_skip_frame (self, slot, payload))
    return wrap_obu (RELAIS_AV1_OBU_FRAME, payload, size);
  if (self->shown == self->key_picture)
    return NULL;
  g_byte_array_set_size (payload, 0);
  write_show_existing (self, slot, payload);
  return wrap_obu (RELAIS_AV1_OBU_FRAME_HEADER, payload, size);
}
