/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* obu_type, AV1 specification section 6.2.2; only the ones that matter here. */
typedef enum
{
  RELAIS_AV1_OBU_SEQUENCE_HEADER = 1,
  RELAIS_AV1_OBU_TEMPORAL_DELIMITER = 2,
  RELAIS_AV1_OBU_FRAME_HEADER = 3,
  RELAIS_AV1_OBU_FRAME = 6,
  RELAIS_AV1_OBU_REDUNDANT_FRAME_HEADER = 7,
} RelaisAv1ObuType;

/**
 * RelaisAv1Obu:
 * @type: obu_type, see #RelaisAv1ObuType; any value from 0 to 15
 * @temporal_id: 0 without the extension header
 * @spatial_id: 0 without the extension header
 * @has_extension: whether there is an extension header
 * @payload: (transfer none): the bytes after header and size
 * @payload_size: bytes in @payload
 */
typedef struct
{
  guint type;
  guint temporal_id;
  guint spatial_id;
  gboolean has_extension;
  const guint8 *payload;
  gsize payload_size;
} RelaisAv1Obu;

gboolean relais_av1_obu_next (const guint8 **data, gsize *size, RelaisAv1Obu *obu);

G_END_DECLS
