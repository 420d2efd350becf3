/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

GPtrArray *relais_test_chunks_read (const char *name);
GBytes *relais_test_chunks_join (GPtrArray *chunks);
GPtrArray *relais_test_chunks_split (GBytes *bytes, gsize size);

G_END_DECLS
