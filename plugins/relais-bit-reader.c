/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Reads fixed-length fields, most significant bit first, from bytes that may end anywhere. A read
 * past the end gives 0 and sets `failed`, so that a header is parsed straight through and judged
 * once at its end. No threads, no allocation. */

#include "relais-bit-reader.h"

/**
 * relais_bit_reader_init:
 * @self: a reader
 * @data: (nullable) (transfer none): the bytes; %NULL only with @size 0
 * @size: bytes in @data
 *
 * Sets @self to the first bit of @data.
 */
void
relais_bit_reader_init (RelaisBitReader *self, const guint8 *data, gsize size)
{
  self->data = data;
  self->size = size;
  self->position = 0;
  self->failed = FALSE;
}

/**
 * relais_bit_reader_read:
 * @self: a reader
 * @bits: how many, at most 32
 *
 * f(n) of the VP9 specification (section 4.9.1) and the AV1 specification (section 4.10.2).
 *
 * Returns: the next @bits bits; 0 when there are not as many, and from then on
 */
guint32
relais_bit_reader_read (RelaisBitReader *self, guint bits)
{
  guint32 value = 0;

  g_return_val_if_fail (bits <= 32, 0);

  if (self->failed || self->size * 8 - self->position < bits)
    {
      self->failed = TRUE;
      return 0;
    }
  for (; bits > 0; bits--, self->position++)
    value = value << 1 | (self->data[self->position / 8] >> (7 - self->position % 8) & 1);
  return value;
}

/**
 * relais_bit_reader_read_flag:
 * @self: a reader
 *
 * Returns: the next bit; %FALSE past the end
 */
gboolean
relais_bit_reader_read_flag (RelaisBitReader *self)
{
  return relais_bit_reader_read (self, 1) != 0;
}
