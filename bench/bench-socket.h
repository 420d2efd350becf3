/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

int bench_listen (guint *port);
void bench_set_option (int fd, int level, int option, int value);
int bench_connect (guint port, gboolean wait);
void bench_send_all (int fd, gconstpointer data, gsize size);
char *bench_make_upgrade (const char *path);
char *bench_read_head (int fd);

G_END_DECLS
