/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What is new in a ring, read once for all viewers of a thread that have everything before it.
 *
 * Each viewer for itself would take the ring's lock and a reference of each unit: atomic operations
 * on lines that all sender threads pull at, a few percent of what the write itself costs. A viewer
 * that is anywhere else in the ring reads it by itself. */

#include "config.h"

#include "egress/relais-unit-batch.h"

#define MAX_BYTES (256 * 1024)

/**
 * relais_unit_batch_read:
 * @self: (out caller-allocates): an uninitialised batch
 * @ring: a ring
 * @cursor: the place up to which batches were read before; it is moved to the ring's end
 *
 * The batch is empty where what is new is too much for one write or begins another epoch on the
 * way.
 */
void
relais_unit_batch_read (RelaisUnitBatch *self, RelaisMediaRing *ring, RelaisRingCursor *cursor)
{
  RelaisRingRead read;
  gboolean is_mixed = FALSE;

  self->size = 0;
  self->epoch = NULL;
  self->now = g_get_monotonic_time ();
  /* It decodes nothing: wherever the cursor is, units can be read from there. */
  cursor->needs_start = FALSE;
  read = relais_media_ring_read (ring, cursor, self->units, RELAIS_UNIT_BATCH_MAX, MAX_BYTES);
  self->n_units = read.n_units;
  for (guint i = 0; i < self->n_units; i++)
    {
      RelaisUnit *unit = self->units[i];

      is_mixed |= unit->sequence != self->units[0]->sequence + i
                  || (unit->epoch != NULL && self->epoch != NULL && unit->epoch != self->epoch);
      if (unit->epoch != NULL)
        self->epoch = unit->epoch;
      self->pieces[i] = (struct iovec){ unit->frame, unit->size };
      self->size += unit->size;
    }
  if (is_mixed || self->n_units == RELAIS_UNIT_BATCH_MAX || self->size >= MAX_BYTES)
    {
      /* The viewers read up to the end by themselves. */
      relais_unit_batch_clear (self);
      relais_media_ring_join (ring, cursor, TRUE);
    }
}

/* May be called again. */
void
relais_unit_batch_clear (RelaisUnitBatch *self)
{
  for (guint i = 0; i < self->n_units; i++)
    relais_unit_unref (self->units[i]);
  self->n_units = 0;
}
