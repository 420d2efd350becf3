/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

GPtrArray *relais_test_capture_read (const char *name, const char *codec_id);

G_END_DECLS
