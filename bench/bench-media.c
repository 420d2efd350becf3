/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A WebM recording without end, made as a browser's MediaRecorder makes it: an unknown-size
 * Segment, VP8 video alone, a Cluster a keyframe, SimpleBlocks of 30 frames a second, cut into
 * chunks of equal duration and of exactly the size that was asked for.
 *
 * The frames have valid VP8 frame headers (RFC 6386 section 9.1) and noise behind them: a server
 * that moves media without decoding it cannot tell. The first frame of each chunk carries a mark
 * and the chunk's number, so that a viewer knows each unit, wherever it joined. */

#include "config.h"

#include "bench-media.h"

#include <string.h>

#define FRAME_MS   33
#define MARK       "relaisBM"
#define MARK_BYTES 8
#define MARK_SIZE  (MARK_BYTES + sizeof (guint64))

#define VP8_INTER_HEADER 3
#define VP8_KEY_HEADER   10
#define CLUSTER_HEADER   (4 + 8 + 2 + 8)
#define BLOCK_HEADER     (1 + 8 + 4)

struct _BenchMedia
{
  guint chunk_bytes;
  guint chunk_ms;
  guint chunks_a_keyframe;
  guint frames_a_chunk;
  guint8 *chunk; /* chunk_bytes of noise, with the structure written over it */
};

/**
 * bench_media_new:
 * @chunk_bytes: size of each chunk
 * @chunk_ms: its duration
 * @keyframe_ms: a keyframe is due so often; a multiple of @chunk_ms
 *
 * Returns: (transfer full): a recording
 */
BenchMedia *
bench_media_new (guint chunk_bytes, guint chunk_ms, guint keyframe_ms)
{
  BenchMedia *self = g_new0 (BenchMedia, 1);
  g_autoptr (GRand) noise = g_rand_new_with_seed (1);

  self->chunk_bytes = chunk_bytes;
  self->chunk_ms = chunk_ms;
  self->chunks_a_keyframe = MAX (keyframe_ms / chunk_ms, 1);
  self->frames_a_chunk = MAX (chunk_ms / FRAME_MS, 1);
  self->chunk = g_malloc (chunk_bytes);
  for (guint i = 0; i < chunk_bytes; i++)
    self->chunk[i] = (guint8) g_rand_int (noise);
  g_assert (chunk_bytes
            > CLUSTER_HEADER + self->frames_a_chunk * (BLOCK_HEADER + VP8_KEY_HEADER + MARK_SIZE));
  return self;
}

void
bench_media_free (BenchMedia *self)
{
  g_free (self->chunk);
  g_free (self);
}

/* Big-endian, @n bytes. */
static guint8 *
put (guint8 *at, guint64 value, guint n)
{
  for (guint i = n; i > 0; i--)
    *at++ = (guint8) (value >> (8 * (i - 1)));
  return at;
}

static void
append_number (GByteArray *bytes, guint64 value, guint n)
{
  guint8 buffer[8];

  put (buffer, value, n);
  g_byte_array_append (bytes, buffer, n);
}

/* An element whose size fits one byte. */
static void
append_element (GByteArray *bytes, guint32 id, guint id_size, gconstpointer data, guint size)
{
  append_number (bytes, id, id_size);
  append_number (bytes, 0x80 | size, 1);
  g_byte_array_append (bytes, data, size);
}

static void
append_uint (GByteArray *bytes, guint32 id, guint id_size, guint32 value)
{
  guint8 buffer[4];

  put (buffer, value, sizeof buffer);
  append_element (bytes, id, id_size, buffer, sizeof buffer);
}

/**
 * bench_media_make_header:
 * @self: a recording
 *
 * Returns: (transfer full): everything before the first Cluster (RFC 9559 section 5)
 */
GBytes *
bench_media_make_header (BenchMedia *self)
{
  g_autoptr (GByteArray) ebml = g_byte_array_new ();
  g_autoptr (GByteArray) info = g_byte_array_new ();
  g_autoptr (GByteArray) video = g_byte_array_new ();
  g_autoptr (GByteArray) entry = g_byte_array_new ();
  g_autoptr (GByteArray) tracks = g_byte_array_new ();
  GByteArray *all = g_byte_array_new ();

  append_uint (ebml, 0x4286, 2, 1);
  append_uint (ebml, 0x42F7, 2, 1);
  append_uint (ebml, 0x42F2, 2, 4);
  append_uint (ebml, 0x42F3, 2, 8);
  append_element (ebml, 0x4282, 2, "webm", 4);
  append_uint (ebml, 0x4287, 2, 4);
  append_uint (ebml, 0x4285, 2, 2);

  append_uint (info, 0x2AD7B1, 3, 1000000);
  append_element (info, 0x4D80, 2, "bench", 5);
  append_element (info, 0x5741, 2, "bench", 5);

  append_uint (video, 0xB0, 1, BENCH_MEDIA_WIDTH);
  append_uint (video, 0xBA, 1, BENCH_MEDIA_HEIGHT);
  append_uint (entry, 0xD7, 1, 1);
  append_uint (entry, 0x73C5, 2, 1);
  append_uint (entry, 0x83, 1, 1);
  append_element (entry, 0x86, 1, "V_VP8", 5);
  append_element (entry, 0xE0, 1, video->data, video->len);
  append_element (tracks, 0xAE, 1, entry->data, entry->len);

  append_element (all, 0x1A45DFA3, 4, ebml->data, ebml->len);
  append_number (all, 0x18538067, 4);
  append_number (all, G_GUINT64_CONSTANT (0x01FFFFFFFFFFFFFF), 8);
  append_element (all, 0x1549A966, 4, info->data, info->len);
  append_element (all, 0x1654AE6B, 4, tracks->data, tracks->len);
  return g_byte_array_free_to_bytes (all);
}

static guint8 *
put_frame_header (guint8 *at, gboolean is_key, guint first_partition)
{
  guint32 tag = (is_key ? 0 : 1) | 1 << 4 | MIN (first_partition, (1 << 19) - 1) << 5;

  *at++ = (guint8) tag;
  *at++ = (guint8) (tag >> 8);
  *at++ = (guint8) (tag >> 16);
  if (!is_key)
    return at;
  at = put (at, 0x9D012A, 3);
  *at++ = BENCH_MEDIA_WIDTH & 0xFF;
  *at++ = BENCH_MEDIA_WIDTH >> 8;
  *at++ = BENCH_MEDIA_HEIGHT & 0xFF;
  *at++ = BENCH_MEDIA_HEIGHT >> 8;
  return at;
}

/**
 * bench_media_make_chunk:
 * @self: a recording
 * @number: which chunk, from 0; its time is its number times the chunk's duration
 * @size: (out): its size
 *
 * Returns: (transfer none): the chunk, until the next call
 */
const guint8 *
bench_media_make_chunk (BenchMedia *self, guint64 number, gsize *size)
{
  guint64 place = number % self->chunks_a_keyframe;
  guint8 *at = self->chunk, *end = self->chunk + self->chunk_bytes;

  if (place == 0)
    {
      at = put (at, 0x1F43B675, 4);
      at = put (at, G_GUINT64_CONSTANT (0x01FFFFFFFFFFFFFF), 8);
      at = put (at, 0xE788, 2);
      at = put (at, number * self->chunk_ms, 8);
    }
  for (guint i = 0; i < self->frames_a_chunk; i++)
    {
      gboolean is_key = place == 0 && i == 0;
      guint size_left = (guint) (end - at) / (self->frames_a_chunk - i);
      guint frame_size = size_left - BLOCK_HEADER;
      guint8 *frame;

      /* SimpleBlock: a size in eight bytes, track 1, time in the cluster, flags. */
      at = put (at, 0xA3, 1);
      at = put (at, G_GUINT64_CONSTANT (1) << 56 | (frame_size + 4), 8);
      at = put (at, 0x81, 1);
      at = put (at, place * self->chunk_ms + (guint64) i * self->chunk_ms / self->frames_a_chunk,
                2);
      at = put (at, is_key ? 0x80 : 0, 1);
      frame = at;
      at = put_frame_header (at, is_key, frame_size / 4);
      if (i == 0)
        {
          memcpy (at, MARK, MARK_BYTES);
          put (at + MARK_BYTES, number, sizeof number);
        }
      at = frame + frame_size;
    }
  g_assert (at == end);
  *size = self->chunk_bytes;
  return self->chunk;
}

/**
 * bench_media_find_mark:
 * @data: the first bytes of a unit
 * @size: how many, at best BENCH_MEDIA_MARK_WINDOW
 * @number: (out): the chunk's number
 *
 * Returns: whether a chunk begins here
 */
gboolean
bench_media_find_mark (const guint8 *data, gsize size, guint64 *number)
{
  const guint8 *mark = memmem (data, size, MARK, MARK_BYTES);

  if (mark == NULL || (gsize) (mark - data) + MARK_SIZE > size)
    return FALSE;
  *number = 0;
  for (guint i = 0; i < sizeof *number; i++)
    *number = *number << 8 | mark[MARK_BYTES + i];
  return TRUE;
}
