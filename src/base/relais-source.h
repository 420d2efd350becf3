/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

GSource *relais_source_attach (GSource *source,
                               GMainContext *context,
                               const char *name,
                               int priority,
                               GSourceFunc func,
                               gpointer user_data);
void relais_source_clear (GSource **source);

G_END_DECLS
