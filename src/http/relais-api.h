/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "stream/relais-stream-table.h"

G_BEGIN_DECLS

char *relais_api_describe_stream (RelaisStream *stream);
char *relais_api_describe_streams (RelaisStreamTable *streams);

G_END_DECLS
