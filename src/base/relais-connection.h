/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>
#include <sys/uio.h>

G_BEGIN_DECLS

/* What reading and writing return where the socket has nothing, or takes nothing, at the moment. */
#define RELAIS_CONNECTION_WOULD_BLOCK (-2)

/* Part of what owns the connection; its fields are for relais-connection.c only. */
typedef struct
{
  GIOStream *io;                 /* owned */
  GPollableInputStream *input;   /* owned by io */
  GPollableOutputStream *output; /* owned by io */
  int fd;
  gboolean is_plain; /* TCP without TLS */
  gboolean is_bare;  /* plain, and `input` holds nothing any more: read from `fd` */
} RelaisConnection;

void relais_connection_init (RelaisConnection *self, GIOStream *io, int fd);
void relais_connection_clear (RelaisConnection *self);
gssize relais_connection_read (RelaisConnection *self,
                               const struct iovec *pieces,
                               guint n_pieces,
                               GError **error);
gssize relais_connection_write (RelaisConnection *self,
                                const struct iovec *pieces,
                                guint n_pieces,
                                GError **error);
GSource *relais_connection_new_source (RelaisConnection *self, GIOCondition condition);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (RelaisConnection, relais_connection_clear)

G_END_DECLS
