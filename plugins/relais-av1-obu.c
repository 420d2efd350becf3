/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Walks the OBUs of an AV1 temporal unit in the low-overhead format, as Matroska holds it (AV1
 * specification section 5.3 to 5.3.3, "AV1 in Matroska" section Block). No state of its own;
 * hostile sizes end the walk. */

#include "relais-av1-obu.h"

/* leb128(), AV1 specification section 4.10.5: at most 8 bytes, at most 2^32 - 1. */
static gboolean
read_leb128 (const guint8 **data, gsize *size, guint64 *value)
{
  *value = 0;
  for (guint i = 0; i < 8 && *size > 0; i++)
    {
      guint8 byte = **data;

      (*data)++;
      (*size)--;
      *value |= (guint64) (byte & 0x7f) << (i * 7);
      if ((byte & 0x80) == 0)
        return *value <= G_MAXUINT32;
    }
  return FALSE;
}

/**
 * relais_av1_obu_next:
 * @data: (inout) (transfer none): the rest of a temporal unit; moved behind the OBU
 * @size: (inout): bytes in @data
 * @obu: (out): the OBU
 *
 * Only the last OBU may come without a size field: it fills the rest.
 *
 * Returns: %FALSE at the end, where @size is 0, and at bytes that cannot be an OBU, where @data and
 * @size stay; @obu is undefined then
 */
gboolean
relais_av1_obu_next (const guint8 **data, gsize *size, RelaisAv1Obu *obu)
{
  const guint8 *next = *data;
  gsize rest = *size;
  guint8 header;
  guint64 payload_size;

  if (rest == 0)
    return FALSE;

  /* obu_header() and obu_extension_header(), sections 5.3.2 and 5.3.3. */
  header = *next++;
  rest--;
  if (header & 0x80)
    return FALSE;
  obu->type = header >> 3 & 0xf;
  obu->has_extension = (header & 0x04) != 0;
  obu->temporal_id = 0;
  obu->spatial_id = 0;
  if (obu->has_extension)
    {
      if (rest == 0)
        return FALSE;
      obu->temporal_id = *next >> 5;
      obu->spatial_id = *next >> 3 & 3;
      next++;
      rest--;
    }

  payload_size = rest;
  if ((header & 0x02) && !read_leb128 (&next, &rest, &payload_size))
    return FALSE;
  if (payload_size > rest)
    return FALSE;

  obu->payload = next;
  obu->payload_size = (gsize) payload_size;
  *data = next + obu->payload_size;
  *size = rest - obu->payload_size;
  return TRUE;
}
