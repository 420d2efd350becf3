/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

gboolean
relais_listener_parse (const char *address, GSocketAddress **socket_address, GError **error);
GSocket *relais_listener_bind (const char *address, GError **error);
char *relais_listener_get_url (GSocket *socket, const char *scheme);

G_END_DECLS
