/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "egress/relais-sender.h"

G_BEGIN_DECLS

typedef struct _RelaisSenderPool RelaisSenderPool;

RelaisSenderPool *relais_sender_pool_new (const RelaisConfig *config,
                                          RelaisViewerLeftFunc left_func,
                                          gpointer user_data,
                                          GError **error);
void relais_sender_pool_free (RelaisSenderPool *self);
void relais_sender_pool_adopt (RelaisSenderPool *self, RelaisViewer *viewer);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (RelaisSenderPool, relais_sender_pool_free)

G_END_DECLS
