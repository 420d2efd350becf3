/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* VP8's boolean entropy coder (RFC 6386 section 7). A probability is that of a 0, in 256ths, and
 * never 0 itself. The decoder reads zeros past the end of its input, as every VP8 decoder does; the
 * encoder grows a GByteArray. No threads. */

#include "relais-bool-coder.h"

#define EVEN 128 /* the probability of a bit of a literal, section 7.3 */

/* Where the split is compared: a range is of 8 bits. */
#define TOP 56

static void
fill (RelaisBoolDecoder *self)
{
  while (self->n_bits <= TOP)
    {
      guint64 byte = 0;

      if (self->size > 0)
        {
          byte = *self->data++;
          self->size--;
        }
      self->value |= byte << (TOP - self->n_bits);
      self->n_bits += 8;
    }
}

/**
 * relais_bool_decoder_init:
 * @self: a decoder
 * @data: (transfer none): the partition; outlives @self
 * @size: bytes in @data
 *
 * RFC 6386 section 7.3, init_bool_decoder().
 */
void
relais_bool_decoder_init (RelaisBoolDecoder *self, const guint8 *data, gsize size)
{
  *self = (RelaisBoolDecoder){ .data = data, .size = size, .range = 255 };
}

/**
 * relais_bool_decoder_read:
 * @self: a decoder
 * @probability: of %FALSE, 1 to 255
 *
 * B(p) of RFC 6386 section 8: the upper byte of what is left is compared with the split of the
 * range.
 *
 * Returns: the next value
 */
gboolean
relais_bool_decoder_read (RelaisBoolDecoder *self, guint8 probability)
{
  guint32 split = 1 + (((self->range - 1) * probability) >> 8);
  gboolean result;
  guint shift;

  if (self->n_bits < 8)
    fill (self);
  result = self->value >= (guint64) split << TOP;
  if (result)
    {
      self->range -= split;
      self->value -= (guint64) split << TOP;
    }
  else
    {
      self->range = split;
    }
  /* The range is brought back to 128 or more; it is never 0. */
  shift = 8 - g_bit_storage (self->range);
  self->range <<= shift;
  self->value <<= shift;
  self->n_bits -= shift;
  return result;
}

/**
 * relais_bool_decoder_read_literal:
 * @self: a decoder
 * @bits: how many
 *
 * L(n) of RFC 6386 section 8: most significant bit first.
 *
 * Returns: the number
 */
guint
relais_bool_decoder_read_literal (RelaisBoolDecoder *self, guint bits)
{
  guint value = 0;

  for (; bits > 0; bits--)
    value = value << 1 | (relais_bool_decoder_read (self, EVEN) ? 1 : 0);
  return value;
}

/**
 * relais_bool_encoder_init:
 * @self: an encoder
 * @output: (transfer none): where the partition is appended; outlives @self
 *
 * RFC 6386 section 7.3, init_bool_encoder().
 */
void
relais_bool_encoder_init (RelaisBoolEncoder *self, GByteArray *output)
{
  self->output = output;
  self->start = output->len;
  self->bottom = 0;
  self->range = 255;
  self->bits_left = 24;
}

/* Section 7.3, add_one_to_output(): what was written already is the upper end of one long number.
 */
static void
propagate_carry (RelaisBoolEncoder *self)
{
  for (gsize i = self->output->len; i > self->start; i--)
    {
      if (++self->output->data[i - 1] != 0)
        break;
    }
}

/**
 * relais_bool_encoder_write:
 * @self: an encoder
 * @probability: of %FALSE, 1 to 255
 * @value: what to write
 *
 * RFC 6386 section 7.3, write_bool().
 */
void
relais_bool_encoder_write (RelaisBoolEncoder *self, guint8 probability, gboolean value)
{
  guint32 split = 1 + (((self->range - 1) * probability) >> 8);

  if (value)
    {
      self->bottom += split;
      self->range -= split;
    }
  else
    {
      self->range = split;
    }
  while (self->range < 128)
    {
      self->range <<= 1;
      if (self->bottom & (1u << 31))
        propagate_carry (self);
      self->bottom <<= 1;
      if (--self->bits_left == 0)
        {
          guint8 byte = (guint8) (self->bottom >> 24);

          g_byte_array_append (self->output, &byte, 1);
          self->bottom &= (1u << 24) - 1;
          self->bits_left = 8;
        }
    }
}

/**
 * relais_bool_encoder_write_literal:
 * @self: an encoder
 * @bits: how many
 * @value: the number
 *
 * L(n) of RFC 6386 section 8.
 */
void
relais_bool_encoder_write_literal (RelaisBoolEncoder *self, guint bits, guint value)
{
  for (; bits > 0; bits--)
    relais_bool_encoder_write (self, EVEN, (value >> (bits - 1) & 1) != 0);
}

/**
 * relais_bool_encoder_finish:
 * @self: an encoder, not to be written to any more
 *
 * Pushes out what is pending: each even bit shifts the number by one place, and it has 32.
 */
void
relais_bool_encoder_finish (RelaisBoolEncoder *self)
{
  relais_bool_encoder_write_literal (self, 32, 0);
}
