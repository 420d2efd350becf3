/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * RelaisBoolDecoder:
 *
 * The arithmetic decoder of VP8, for the stack. Borrows its input. Fields are private.
 */
typedef struct
{
  const guint8 *data;
  gsize size;
  guint64 value; /* bits not consumed yet, from the top */
  guint n_bits;  /* of them */
  guint32 range;
} RelaisBoolDecoder;

/**
 * RelaisBoolEncoder:
 *
 * The arithmetic encoder of VP8, for the stack. Appends to a borrowed array. Fields are private.
 */
typedef struct
{
  GByteArray *output;
  gsize start;
  guint32 bottom;
  guint32 range;
  guint bits_left;
} RelaisBoolEncoder;

void relais_bool_decoder_init (RelaisBoolDecoder *self, const guint8 *data, gsize size);
gboolean relais_bool_decoder_read (RelaisBoolDecoder *self, guint8 probability);
guint relais_bool_decoder_read_literal (RelaisBoolDecoder *self, guint bits);

void relais_bool_encoder_init (RelaisBoolEncoder *self, GByteArray *output);
void relais_bool_encoder_write (RelaisBoolEncoder *self, guint8 probability, gboolean value);
void relais_bool_encoder_write_literal (RelaisBoolEncoder *self, guint bits, guint value);
void relais_bool_encoder_finish (RelaisBoolEncoder *self);

G_END_DECLS
