/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "stream/relais-epoch.h"

G_BEGIN_DECLS

/* What viewers are sent in one piece: the blocks of one ingest chunk, or a notice. Immutable once
 * it is in a ring, so every viewer of every thread sends the same bytes; shared by reference. */
typedef struct
{
  gatomicrefcount ref_count;
  RelaisEpoch *epoch;     /* owned; NULL for a notice */
  gboolean is_sync_point; /* decoding can start here */
  guint64 time;           /* of its first block on the stream's timeline, in ns */
  gint64 arrived; /* g_get_monotonic_time() when its last byte was read from the publisher, in µs */

  /* Set by the ring. */
  guint64 sequence;
  guint64 bytes_before; /* bytes of all units before this one */

  gsize size;         /* of the whole WebSocket frame at `frame` */
  gsize payload_size; /* of what the frame carries: its last bytes */
  guint8 *frame;      /* header and payload, in one piece */
} RelaisUnit;

RelaisUnit *relais_unit_new_media (RelaisEpoch *epoch, gsize payload_size, guint8 **payload);
RelaisUnit *relais_unit_new_notice (const char *message);
RelaisUnit *relais_unit_ref (RelaisUnit *self);
void relais_unit_unref (RelaisUnit *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (RelaisUnit, relais_unit_unref)

G_END_DECLS
