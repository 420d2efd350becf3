/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <libsoup/soup.h>

G_BEGIN_DECLS

gboolean relais_pages_handle (SoupServerMessage *message, const char *path);
void relais_pages_respond_text (SoupServerMessage *message, guint status, const char *text);

G_END_DECLS
