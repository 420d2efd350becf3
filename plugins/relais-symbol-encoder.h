/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * RelaisSymbolEncoder:
 *
 * The range encoder of AV1, for the stack. Appends to a borrowed array. Fields are private.
 */
typedef struct
{
  GByteArray *output;
  gsize start;
  guint32 low;
  guint32 range;
  gint pending;
} RelaisSymbolEncoder;

void relais_symbol_encoder_init (RelaisSymbolEncoder *self, GByteArray *output);
void relais_symbol_encoder_write (RelaisSymbolEncoder *self,
                                  const guint16 *cdf,
                                  guint n_symbols,
                                  guint symbol);
void relais_symbol_encoder_finish (RelaisSymbolEncoder *self);

G_END_DECLS
