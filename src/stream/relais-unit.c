/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "stream/relais-unit.h"

#include <string.h>

#include "base/relais-websocket-frame.h"

/* One allocation holds the struct and the frame. */
static RelaisUnit *
unit_new (guint8 opcode, gsize payload_size)
{
  guint8 header[RELAIS_WEBSOCKET_MAX_HEADER];
  gsize header_size = relais_websocket_frame_header (header, opcode, payload_size);
  RelaisUnit *self = g_malloc (sizeof (RelaisUnit) + header_size + payload_size);

  memset (self, 0, sizeof (RelaisUnit));
  g_atomic_ref_count_init (&self->ref_count);
  self->payload_size = payload_size;
  self->size = header_size + payload_size;
  self->frame = (guint8 *) (self + 1);
  memcpy (self->frame, header, header_size);
  return self;
}

/**
 * relais_unit_new_media:
 * @epoch: the epoch it belongs to
 * @payload_size: bytes of media
 * @payload: (out) (transfer none): where the caller writes them before anybody else sees the unit
 *
 * Returns: (transfer full): a unit framed as one binary WebSocket message
 */
RelaisUnit *
relais_unit_new_media (RelaisEpoch *epoch, gsize payload_size, guint8 **payload)
{
  RelaisUnit *self = unit_new (RELAIS_WEBSOCKET_OPCODE_BINARY, payload_size);

  self->epoch = relais_epoch_ref (epoch);
  *payload = self->frame + self->size - payload_size;
  return self;
}

/**
 * relais_unit_new_notice:
 * @message: a JSON text
 *
 * Returns: (transfer full): a unit framed as one WebSocket text message
 */
RelaisUnit *
relais_unit_new_notice (const char *message)
{
  gsize length = strlen (message);
  RelaisUnit *self = unit_new (RELAIS_WEBSOCKET_OPCODE_TEXT, length);

  memcpy (self->frame + self->size - length, message, length);
  self->arrived = g_get_monotonic_time ();
  return self;
}

RelaisUnit *
relais_unit_ref (RelaisUnit *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

void
relais_unit_unref (RelaisUnit *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;
  g_clear_pointer (&self->epoch, relais_epoch_unref);
  g_free (self);
}
