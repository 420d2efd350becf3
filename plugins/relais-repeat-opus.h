/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * RelaisRepeatOpus:
 * @stereo: the stereo flag of the last packet
 * @duration: the last packet's duration in units of 2.5 ms; 0 before the first one
 *
 * What a silence packet has to match. All zeros is the start.
 */
typedef struct
{
  gboolean stereo;
  guint duration;
} RelaisRepeatOpus;

void relais_repeat_opus_observe (RelaisRepeatOpus *self, const guint8 *data, gsize size);
guint8 *relais_repeat_opus_make (const RelaisRepeatOpus *self, gsize *size, guint64 *duration);

G_END_DECLS
