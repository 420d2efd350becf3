/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "base/relais-connection.h"
#include "stream/relais-unit.h"

G_BEGIN_DECLS

#define RELAIS_FRAGMENTS_MAX 24 /* of one gathered write */

/* A piece of what is to be written, and who keeps it alive. */
typedef struct
{
  const guint8 *data;
  gsize size;
  gpointer owner;
  GDestroyNotify release;
} RelaisFragment;

void relais_fragments_add (RelaisFragment *fragments,
                           guint *n,
                           const guint8 *data,
                           gsize size,
                           gpointer owner,
                           GDestroyNotify release);
void relais_fragments_add_unit (RelaisFragment *fragments, guint *n, RelaisUnit *unit);
void relais_fragments_release (RelaisFragment *fragments, guint n);
gssize relais_fragments_write (const RelaisFragment *fragments,
                               guint n,
                               RelaisConnection *connection,
                               GError **error);
guint relais_fragments_skip (RelaisFragment *fragments, guint n, gsize written);

G_END_DECLS
