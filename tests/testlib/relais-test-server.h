/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>
#include <json-glib/json-glib.h>

G_BEGIN_DECLS

typedef struct _RelaisTestServer RelaisTestServer;

void relais_test_server_init (int *argc, char ***argv);
int relais_test_server_run (void);

void relais_test_server_warm_up (const char *first_key, ...);
void relais_test_server_leave_uncounted (RelaisTestServer *self);
RelaisTestServer *relais_test_server_new (const char *first_key, ...);
void relais_test_server_free (RelaisTestServer *self);
void relais_test_server_begin_stop (RelaisTestServer *self);
void relais_test_server_stop (RelaisTestServer *self);
GIOStream *relais_test_server_connect (RelaisTestServer *self);
GSocketAddress *relais_test_server_get_address (RelaisTestServer *self);
char *relais_test_server_make_url (RelaisTestServer *self, const char *scheme, const char *path);

guint relais_test_server_get_idle_fds (RelaisTestServer *self);
void relais_test_server_await_fds (RelaisTestServer *self, guint n_fds);
char *relais_test_server_get (RelaisTestServer *self, const char *path, guint *status);
JsonNode *relais_test_server_get_stream (RelaisTestServer *self, const char *id);
gint64 relais_test_server_get_number (RelaisTestServer *self, const char *id, const char *member);
void relais_test_server_await_number (RelaisTestServer *self,
                                      const char *id,
                                      const char *member,
                                      gint64 expected);
void relais_test_server_await_no_stream (RelaisTestServer *self, const char *id);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (RelaisTestServer, relais_test_server_free)

G_END_DECLS
