/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define RELAIS_STREAM_ID_MAX 64

gboolean relais_stream_id_is_valid (const char *id);

G_END_DECLS
