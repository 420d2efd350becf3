/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The counterpart of AV1's symbol decoder (AV1 specification section 8.2), for frames that do not
 * adapt their probabilities (disable_cdf_update 1). A number is narrowed down bit by bit: `low` is
 * its lower end with the bits not yet written, of which the topmost may still carry into bytes that
 * are. No threads. */

#include "relais-symbol-encoder.h"

#define CDF_TOTAL     32768
#define MIN_PROB      4    /* EC_MIN_PROB */
#define FIRST_PENDING (-9) /* the decoder starts with 15 bits and the carry has one */
#define NEXT_PENDING  (-8)

/**
 * relais_symbol_encoder_init:
 * @self: an encoder
 * @output: (transfer none): where the tile's bytes are appended; outlives @self
 *
 * The counterpart of init_symbol(), section 8.2.2.
 */
void
relais_symbol_encoder_init (RelaisSymbolEncoder *self, GByteArray *output)
{
  self->output = output;
  self->start = output->len;
  self->low = 0;
  self->range = 1 << 15;
  self->pending = FIRST_PENDING;
}

static void
shift (RelaisSymbolEncoder *self)
{
  guint8 byte;

  self->low <<= 1;
  if (++self->pending < 0)
    return;

  /* Eight bits and the carry lie above the lower sixteen. */
  if (self->low >> 24 & 1)
    {
      for (gsize i = self->output->len; i > self->start && ++self->output->data[i - 1] == 0; i--)
        ;
    }
  byte = (guint8) (self->low >> 16);
  g_byte_array_append (self->output, &byte, 1);
  self->low &= 0xffff;
  self->pending = NEXT_PENDING;
}

/**
 * relais_symbol_encoder_write:
 * @self: an encoder
 * @cdf: the cumulative distribution in 32768ths, as the specification prints it; the last of
 * @n_symbols entries is 32768
 * @n_symbols: how many symbols there are
 * @symbol: which one to write
 *
 * The counterpart of decode_symbol(), section 8.2.6.
 */
void
relais_symbol_encoder_write (RelaisSymbolEncoder *self,
                             const guint16 *cdf,
                             guint n_symbols,
                             guint symbol)
{
  guint32 above = CDF_TOTAL - (symbol > 0 ? cdf[symbol - 1] : 0u);
  guint32 below = CDF_TOTAL - (guint32) cdf[symbol];
  guint32 top = self->range;
  guint32 bottom = ((self->range >> 8) * (below >> 6) >> 1) + MIN_PROB * (n_symbols - 1 - symbol);

  if (symbol > 0)
    top = ((self->range >> 8) * (above >> 6) >> 1) + MIN_PROB * (n_symbols - symbol);
  self->low += self->range - top;
  self->range = top - bottom;
  while (self->range < 1 << 15)
    {
      self->range <<= 1;
      shift (self);
    }
}

/**
 * relais_symbol_encoder_finish:
 * @self: an encoder, not to be written to any more
 *
 * Writes the shortest end that decodes right whatever follows. It ends in a bit 1 and zeros, which
 * is the padding that exit_symbol() demands (section 8.2.4).
 */
void
relais_symbol_encoder_finish (RelaisSymbolEncoder *self)
{
  gint bits = 10 + self->pending;

  self->low = ((self->low + 0x3fff) & ~0x3fffu) | 0x4000;
  do
    {
      gsize length = self->output->len;

      while (self->output->len == length)
        shift (self);
      bits -= 8;
    }
  while (bits > 0);
}
