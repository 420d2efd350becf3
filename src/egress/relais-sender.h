/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "egress/relais-viewer.h"

G_BEGIN_DECLS

typedef struct _RelaisSender RelaisSender;

/* On the sender's thread, when a viewer is gone and freed. @address is the client's; the stream
 * still counts the viewer. */
typedef void (*RelaisViewerLeftFunc) (RelaisStream *stream,
                                      const char *address,
                                      gpointer user_data);

RelaisSender *relais_sender_new (const RelaisConfig *config,
                                 guint number,
                                 RelaisViewerLeftFunc left_func,
                                 gpointer user_data,
                                 GError **error);
void relais_sender_adopt (RelaisSender *self, RelaisViewer *viewer);
void relais_sender_stop (RelaisSender *self);
void relais_sender_free (RelaisSender *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (RelaisSender, relais_sender_free)

G_END_DECLS
