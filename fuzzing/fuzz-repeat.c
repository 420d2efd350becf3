/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Any bytes as a stream of frames: the first byte chooses the codec; then each frame stands behind
 * its size of two bytes. A repeat is made after each: it is never a sync point, and two in a row
 * are the same. */

#include "relais-repeat-frame.h"

#include <string.h>

#define MAX_PIXELS (256 * 256) /* what a fuzzer has the time for */

int LLVMFuzzerTestOneInput (const guint8 *data, gsize size);

/* VP8's repeat is as long as the picture is large, and 16383x16383 is a valid size. */
static gboolean
is_large (RelaisCodec codec, const guint8 *frame, gsize size)
{
  if (codec != RELAIS_CODEC_VP8 || size < 10)
    return FALSE;
  return (frame[6] | (frame[7] & 0x3fu) << 8) * (frame[8] | (frame[9] & 0x3fu) << 8) > MAX_PIXELS;
}

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  g_autoptr (RelaisRepeatFrame) repeat = NULL;
  RelaisCodec codec;

  if (size == 0)
    return 0;
  codec = (RelaisCodec) (data[0] & 7);
  repeat = relais_repeat_frame_new (codec);
  data++;
  size--;
  while (size >= 2)
    {
      gsize frame_size = MIN ((gsize) (data[0] << 8 | data[1]), size - 2);
      g_autofree guint8 *frame = g_memdup2 (data + 2, frame_size);
      gsize first_size;
      gsize second_size;
      guint64 duration;
      g_autofree guint8 *first = NULL;
      g_autofree guint8 *second = NULL;

      data += 2 + frame_size;
      size -= 2 + frame_size;
      if (is_large (codec, frame, frame_size))
        continue;
      relais_repeat_frame_observe (repeat, frame, frame_size);
      first = relais_repeat_frame_make (repeat, &first_size, &duration);
      second = relais_repeat_frame_make (repeat, &second_size, &duration);
      g_assert_true ((first == NULL) == (second == NULL));
      if (first == NULL)
        continue;
      g_assert_cmpmem (first, first_size, second, second_size);
      g_assert_true (codec == RELAIS_CODEC_OPUS
                     || !relais_sync_point_check (codec, 0, first, first_size));
    }
  return 0;
}
