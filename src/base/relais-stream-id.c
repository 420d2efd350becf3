/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "base/relais-stream-id.h"

#include <string.h>

/**
 * relais_stream_id_is_valid:
 * @id: what stood in an address
 *
 * Returns: whether @id is `[A-Za-z0-9._-]{1,64}` and neither `.` nor `..`, and so can stand in an
 * address, a log line and a file name as it is
 */
gboolean
relais_stream_id_is_valid (const char *id)
{
  gsize length = strlen (id);

  if (length == 0 || length > RELAIS_STREAM_ID_MAX || g_str_equal (id, ".")
      || g_str_equal (id, ".."))
    return FALSE;
  for (gsize i = 0; i < length; i++)
    if (!g_ascii_isalnum (id[i]) && strchr ("._-", id[i]) == NULL)
      return FALSE;
  return TRUE;
}
