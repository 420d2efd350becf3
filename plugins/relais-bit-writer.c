/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Writes fixed-length fields, most significant bit first, to the end of a GByteArray: f(n) of the
 * AV1 specification. No threads. */

#include "relais-bit-writer.h"

/**
 * relais_bit_writer_init:
 * @self: a writer
 * @output: (transfer none): where bytes are appended; outlives @self
 *
 * The first bit begins a new byte of @output.
 */
void
relais_bit_writer_init (RelaisBitWriter *self, GByteArray *output)
{
  self->output = output;
  self->free_bits = 0;
}

/**
 * relais_bit_writer_write:
 * @self: a writer
 * @bits: how many, at most 32
 * @value: the number
 *
 * Writes the lowest @bits bits of @value, the most significant one first.
 */
void
relais_bit_writer_write (RelaisBitWriter *self, guint bits, guint32 value)
{
  for (; bits > 0; bits--)
    {
      if (self->free_bits == 0)
        {
          g_byte_array_append (self->output, (const guint8 *) "", 1);
          self->free_bits = 8;
        }
      self->free_bits--;
      self->output->data[self->output->len - 1]
          |= (guint8) ((value >> (bits - 1) & 1) << self->free_bits);
    }
}

/**
 * relais_bit_writer_align:
 * @self: a writer
 *
 * byte_alignment() of the AV1 specification: zeros to the end of the byte.
 */
void
relais_bit_writer_align (RelaisBitWriter *self)
{
  self->free_bits = 0;
}
