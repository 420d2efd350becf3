/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

#include "stream/relais-stream-table.h"

G_BEGIN_DECLS

typedef struct _RelaisPublisher RelaisPublisher;

typedef void (*RelaisPublisherGoneFunc) (RelaisPublisher *publisher, gpointer user_data);

RelaisPublisher *relais_publisher_new (RelaisStreamTable *streams,
                                       const char *stream_id,
                                       GIOStream *io,
                                       int fd,
                                       const char *address,
                                       const RelaisConfig *config,
                                       RelaisPublisherGoneFunc gone_func,
                                       gpointer user_data);
void relais_publisher_free (RelaisPublisher *self);
void relais_publisher_close (RelaisPublisher *self, guint16 code, const char *reason);
void relais_publisher_refuse (RelaisPublisher *self, const GError *error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (RelaisPublisher, relais_publisher_free)

G_END_DECLS
