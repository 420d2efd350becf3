/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * RelaisBitWriter:
 *
 * Appends fixed-length fields to a borrowed array; for the stack. Fields are private.
 */
typedef struct
{
  GByteArray *output;
  guint free_bits;
} RelaisBitWriter;

void relais_bit_writer_init (RelaisBitWriter *self, GByteArray *output);
void relais_bit_writer_write (RelaisBitWriter *self, guint bits, guint32 value);
void relais_bit_writer_align (RelaisBitWriter *self);

G_END_DECLS
