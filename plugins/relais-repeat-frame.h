/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "relais-sync-point.h"

G_BEGIN_DECLS

typedef struct _RelaisRepeatFrame RelaisRepeatFrame;

RelaisRepeatFrame *relais_repeat_frame_new (RelaisCodec codec);
void relais_repeat_frame_free (RelaisRepeatFrame *self);

void relais_repeat_frame_observe (RelaisRepeatFrame *self, const guint8 *data, gsize size);
guint8 *relais_repeat_frame_make (RelaisRepeatFrame *self, gsize *size, guint64 *duration);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (RelaisRepeatFrame, relais_repeat_frame_free)

G_END_DECLS
