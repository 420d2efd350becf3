/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "stream/relais-stream.h"

G_BEGIN_DECLS

typedef struct _RelaisStreamTable RelaisStreamTable;

RelaisStreamTable *relais_stream_table_new (const RelaisConfig *config);
void relais_stream_table_free (RelaisStreamTable *self);
RelaisStream *relais_stream_table_lookup (RelaisStreamTable *self, const char *id);
RelaisStream *relais_stream_table_ensure (RelaisStreamTable *self, const char *id, GError **error);
GPtrArray *relais_stream_table_list (RelaisStreamTable *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (RelaisStreamTable, relais_stream_table_free)

G_END_DECLS
