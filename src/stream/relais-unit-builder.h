/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gst/gst.h>

#include "stream/relais-unit.h"

G_BEGIN_DECLS

/* Collects the muxer's blocks until they are a unit. Embedded by its pipeline; only the streaming
 * thread uses it. */
typedef struct
{
  GPtrArray *blocks;      /* owned GstBuffer */
  gsize size;             /* of all of them, in bytes */
  gboolean is_sync_point; /* the first of them is one */
} RelaisUnitBuilder;

void relais_unit_builder_init (RelaisUnitBuilder *self);
void relais_unit_builder_clear (RelaisUnitBuilder *self);
void relais_unit_builder_add (RelaisUnitBuilder *self, GstBuffer *block, gboolean is_sync_point);
RelaisUnit *
relais_unit_builder_finish (RelaisUnitBuilder *self, RelaisEpoch *epoch, gint64 arrived);

G_END_DECLS
