/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

#include "base/relais-config.h"

G_BEGIN_DECLS

typedef struct _RelaisServer RelaisServer;

typedef void (*RelaisServerStoppedFunc) (gpointer user_data);

RelaisServer *relais_server_new (const RelaisConfig *config, GError **error);
void relais_server_free (RelaisServer *self);
gboolean relais_server_listen (RelaisServer *self, GError **error);
char **relais_server_get_urls (RelaisServer *self);
void relais_server_stop (RelaisServer *self, RelaisServerStoppedFunc func, gpointer user_data);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (RelaisServer, relais_server_free)

G_END_DECLS
