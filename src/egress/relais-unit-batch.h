/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <sys/uio.h>

#include "stream/relais-media-ring.h"

G_BEGIN_DECLS

#define RELAIS_UNIT_BATCH_MAX 8

typedef struct
{
  RelaisUnit *units[RELAIS_UNIT_BATCH_MAX]; /* owned, one after the other in the ring */
  struct iovec pieces[RELAIS_UNIT_BATCH_MAX];
  guint n_units;      /* 0 = nothing can be shared */
  gsize size;         /* of all of them, in bytes */
  RelaisEpoch *epoch; /* of those that are media; NULL = all are notices */
  gint64 now;         /* when it was read: g_get_monotonic_time() */
} RelaisUnitBatch;

void
relais_unit_batch_read (RelaisUnitBatch *self, RelaisMediaRing *ring, RelaisRingCursor *cursor);
void relais_unit_batch_clear (RelaisUnitBatch *self);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (RelaisUnitBatch, relais_unit_batch_clear)

G_END_DECLS
