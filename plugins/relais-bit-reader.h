/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * RelaisBitReader:
 * @data: (transfer none): what is read; outlives the reader
 * @size: bytes in @data
 * @position: the next bit, counted from the first byte's most significant one
 * @failed: whether more bits were asked for than there are; never goes back to %FALSE
 *
 * The f(n) of the VP9 and AV1 specifications and the u(n) of H.264. A plain struct for the stack.
 */
typedef struct
{
  const guint8 *data;
  gsize size;
  gsize position;
  gboolean failed;
} RelaisBitReader;

void relais_bit_reader_init (RelaisBitReader *self, const guint8 *data, gsize size);
guint32 relais_bit_reader_read (RelaisBitReader *self, guint bits);
gboolean relais_bit_reader_read_flag (RelaisBitReader *self);

G_END_DECLS
