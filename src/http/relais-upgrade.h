/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <libsoup/soup.h>

G_BEGIN_DECLS

/* A connection that speaks WebSocket from now on. @io: (transfer full). @socket is its socket,
 * which @io keeps. */
typedef void (*RelaisUpgradeFunc) (const char *stream_id,
                                   GIOStream *io,
                                   GSocket *socket,
                                   const char *address,
                                   gpointer user_data);

gboolean relais_upgrade_is_wanted (SoupServerMessage *message);
void relais_upgrade_begin (SoupServerMessage *message,
                           const char *stream_id,
                           RelaisUpgradeFunc func,
                           gpointer user_data);

G_END_DECLS
