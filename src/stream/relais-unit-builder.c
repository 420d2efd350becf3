/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "stream/relais-unit-builder.h"

void
relais_unit_builder_init (RelaisUnitBuilder *self)
{
  *self = (RelaisUnitBuilder){
    .blocks = g_ptr_array_new_with_free_func ((GDestroyNotify) gst_buffer_unref),
  };
}

void
relais_unit_builder_clear (RelaisUnitBuilder *self)
{
  g_clear_pointer (&self->blocks, g_ptr_array_unref);
}

/**
 * relais_unit_builder_add:
 * @self: a builder
 * @block: (transfer full): one block, or a cluster's head with its first
 * @is_sync_point: decoding can start with it; then it is the first of the unit
 */
void
relais_unit_builder_add (RelaisUnitBuilder *self, GstBuffer *block, gboolean is_sync_point)
{
  g_return_if_fail (!is_sync_point || self->blocks->len == 0);

  self->is_sync_point |= is_sync_point;
  self->size += gst_buffer_get_size (block);
  g_ptr_array_add (self->blocks, block);
}

/**
 * relais_unit_builder_finish:
 * @self: a builder
 * @epoch: the epoch of its blocks
 * @arrived: when the newest chunk of which they are came, as in #RelaisUnit
 *
 * Returns: (transfer full) (nullable): a unit of the blocks so far; %NULL = there are none
 */
RelaisUnit *
relais_unit_builder_finish (RelaisUnitBuilder *self, RelaisEpoch *epoch, gint64 arrived)
{
  RelaisUnit *unit;
  guint8 *payload;

  if (self->blocks->len == 0)
    return NULL;
  unit = relais_unit_new_media (epoch, self->size, &payload);
  for (guint i = 0; i < self->blocks->len; i++)
    payload += gst_buffer_extract (g_ptr_array_index (self->blocks, i), 0, payload, G_MAXSIZE);
  unit->is_sync_point = self->is_sync_point;
  unit->time = GST_BUFFER_PTS (GST_BUFFER (g_ptr_array_index (self->blocks, 0)));
  unit->arrived = arrived;

  self->size = 0;
  self->is_sync_point = FALSE;
  g_ptr_array_set_size (self->blocks, 0);
  return unit;
}
