/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Any bytes as a frame of any codec: the first byte chooses the codec and the size of H.264's
 * length prefix. */

#include "relais-sync-point.h"

int LLVMFuzzerTestOneInput (const guint8 *data, gsize size);

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  if (size > 0)
    relais_sync_point_check ((RelaisCodec) (data[0] & 7), data[0] >> 3 & 7, data + 1, size - 1);
  return 0;
}
