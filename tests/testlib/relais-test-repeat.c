/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the tests of repeat frames share: a stream with repeats put into it, pictures as hashes, and
 * the one question: does each repeat give the picture before it, and each real frame the picture it
 * gives without repeats, bit for bit? */

#include "relais-test-repeat.h"

#include <string.h>

#include <glib/gstdio.h>

#include "relais-repeat-frame.h"

/* How many repeats come after the first frame, the second one, and so on, from the start again at
 * the end. */
static const guint patterns[][6] = {
  { 1, 1, 1, 1, 1, 1 },
  { 3, 0, 1, 5, 0, 2 },
  { 0, 2, 0, 0, 1, 30 },
};

/**
 * relais_test_repeats_new:
 * @codec: what @packets holds
 * @packets: (element-type GBytes): a stream
 * @pattern: 0 for a repeat after each frame, 1 for several, 2 for seldom and many
 *
 * Observes the frames and puts repeats between them.
 */
RelaisTestRepeats *
relais_test_repeats_new (RelaisCodec codec, GPtrArray *packets, guint pattern)
{
  RelaisTestRepeats *self = g_new0 (RelaisTestRepeats, 1);
  g_autoptr (RelaisRepeatFrame) repeat = relais_repeat_frame_new (codec);

  self->packets = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
  self->is_repeat = g_array_new (FALSE, FALSE, sizeof (gboolean));
  for (guint i = 0; i < packets->len; i++)
    {
      GBytes *packet = g_ptr_array_index (packets, i);
      gsize packet_size;
      const guint8 *data = g_bytes_get_data (packet, &packet_size);
      gboolean is_repeat = FALSE;

      g_ptr_array_add (self->packets, g_bytes_ref (packet));
      g_array_append_val (self->is_repeat, is_repeat);
      relais_repeat_frame_observe (repeat, data, packet_size);

      is_repeat = TRUE;
      for (guint n = patterns[pattern][i % 6]; n > 0; n--)
        {
          gsize size;
          guint64 duration;
          guint8 *frame = relais_repeat_frame_make (repeat, &size, &duration);

          if (frame == NULL)
            {
              self->n_refused++;
              break;
            }
          g_assert_cmpuint (duration, ==, 0);
          g_assert_false (relais_sync_point_check (codec, 0, frame, size));
          g_ptr_array_add (self->packets, g_bytes_new_take (frame, size));
          g_array_append_val (self->is_repeat, is_repeat);
          self->n_repeats++;
        }
    }
  return self;
}

void
relais_test_repeats_free (RelaisTestRepeats *self)
{
  g_ptr_array_unref (self->packets);
  g_array_unref (self->is_repeat);
  g_free (self);
}

/**
 * relais_test_repeats_compare:
 * @self: a stream with repeats
 * @before: (element-type utf8): for each real packet the hash of its picture, or %NULL for a hidden
 * one
 * @after: (element-type utf8): the same for each packet of @self
 * @what: the decoder and the case, for the message
 */
void
relais_test_repeats_compare (const RelaisTestRepeats *self,
                             GPtrArray *before,
                             GPtrArray *after,
                             const char *what)
{
  guint real = 0;
  const char *shown = NULL;

  g_assert_cmpuint (after->len, ==, self->packets->len);
  for (guint i = 0; i < after->len; i++)
    {
      const char *hash = g_ptr_array_index (after, i);

      if (g_array_index (self->is_repeat, gboolean, i))
        {
          if (g_strcmp0 (hash, shown) != 0)
            g_error ("%s: repeat %u, after real frame %u, is %s and not %s", what, i, real - 1,
                     hash, shown);
          continue;
        }
      if (g_strcmp0 (hash, g_ptr_array_index (before, real)) != 0)
        g_error ("%s: real frame %u is %s and not %s", what, real, hash,
                 (const char *) g_ptr_array_index (before, real));
      if (hash != NULL)
        shown = hash;
      real++;
    }
  g_assert_cmpuint (real, ==, before->len);
}

/**
 * relais_test_fill_plane:
 * @plane: samples, of one byte up to 8 bits and of two above
 * @stride: bytes in a row
 * @width: samples in a row
 * @height: rows
 * @sample_bits: 8 to 12
 * @index: 0 for luma, 1 and 2 for chroma
 * @frame: which picture
 *
 * Draws a picture that moves in parts, rests in parts and has some noise, so that an encoder uses
 * what it has.
 */
void
relais_test_fill_plane (guint8 *plane,
                        gsize stride,
                        guint width,
                        guint height,
                        guint sample_bits,
                        guint index,
                        guint frame)
{
  guint32 noise = frame * 2654435761u + index + 1;

  for (guint y = 0; y < height; y++)
    {
      for (guint x = 0; x < width; x++)
        {
          guint value;

          if (y < height / 3)
            value = (x * 3 + y * 2) & 0xff; /* rests */
          else if (x < width / 2)
            value = ((x + frame * 3) ^ (y + frame)) * 5 & 0xff; /* moves */
          else
            value = ((x * x + y * frame * 7) >> 6) & 0xff; /* changes */
          noise = noise * 1664525u + 1013904223u;
          if (y >= height / 3)
            value = (value + (noise >> 29)) & 0xff;
          if (index > 0)
            value = 64 + value / 2;
          if (sample_bits > 8)
            ((guint16 *) (void *) (plane + y * stride))[x] = (guint16) (value << (sample_bits - 8));
          else
            plane[y * stride + x] = (guint8) value;
        }
    }
}

/**
 * relais_test_hash_planes:
 * @planes: (array fixed-size=3): %NULL for one that is not there
 * @strides: bytes from row to row
 * @widths: bytes in a row
 * @heights: rows
 *
 * Returns: (transfer full): the MD5 of the samples, as ffmpeg's framemd5 has it
 */
char *
relais_test_hash_planes (const guint8 *const planes[3],
                         const gssize strides[3],
                         const guint widths[3],
                         const guint heights[3])
{
  g_autoptr (GChecksum) checksum = g_checksum_new (G_CHECKSUM_MD5);

  for (guint i = 0; i < 3; i++)
    {
      for (guint y = 0; planes[i] != NULL && y < heights[i]; y++)
        g_checksum_update (checksum, planes[i] + (gssize) y * strides[i], (gssize) widths[i]);
    }
  return g_strdup (g_checksum_get_string (checksum));
}

static void
append_le (GByteArray *array, guint64 value, guint bytes)
{
  for (guint i = 0; i < bytes; i++, value >>= 8)
    {
      guint8 byte = (guint8) value;

      g_byte_array_append (array, &byte, 1);
    }
}

/* An IVF file; the packet's index is its time in milliseconds. */
static void
write_ivf (const char *path, const char *fourcc, GPtrArray *packets)
{
  g_autoptr (GByteArray) ivf = g_byte_array_new ();
  g_autoptr (GError) error = NULL;

  g_byte_array_append (ivf, (const guint8 *) "DKIF", 4);
  append_le (ivf, 0, 2);  /* version */
  append_le (ivf, 32, 2); /* bytes of header */
  g_byte_array_append (ivf, (const guint8 *) fourcc, 4);
  append_le (ivf, 16, 2); /* width and height: the decoder knows better */
  append_le (ivf, 16, 2);
  append_le (ivf, 1000, 4);
  append_le (ivf, 1, 4);
  append_le (ivf, packets->len, 4);
  append_le (ivf, 0, 4);
  for (guint i = 0; i < packets->len; i++)
    {
      gsize size;
      const guint8 *data = g_bytes_get_data (g_ptr_array_index (packets, i), &size);

      append_le (ivf, size, 4);
      append_le (ivf, i, 8);
      g_byte_array_append (ivf, data, (guint) size);
    }
  g_file_set_contents (path, (const char *) ivf->data, ivf->len, &error);
  g_assert_no_error (error);
}

/**
 * relais_test_decode_ffmpeg:
 * @fourcc: `VP80`, `VP90` or `AV01`
 * @decoder: ffmpeg's name of the decoder
 * @packets: (element-type GBytes): a stream
 *
 * Decodes with the ffmpeg command, which must not complain.
 *
 * Returns: (transfer full) (element-type utf8): for each packet the MD5 of its picture, or %NULL
 */
GPtrArray *
relais_test_decode_ffmpeg (const char *fourcc, const char *decoder, GPtrArray *packets)
{
  GPtrArray *hashes = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GError) error = NULL;
  g_autofree char *directory = g_dir_make_tmp ("relais-repeat-XXXXXX", &error);
  g_autofree char *path = NULL;
  g_autofree char *output = NULL;
  g_autofree char *complaints = NULL;
  g_auto (GStrv) lines = NULL;
  int status;

  g_assert_no_error (error);
  path = g_build_filename (directory, "stream.ivf", NULL);
  write_ivf (path, fourcc, packets);
  {
    const char *argv[] = { "ffmpeg", "-nostdin",   "-v",        "warning",     "-threads",
                           "2",      "-c:v",       decoder,     "-i",          path,
                           "-map",   "0:v",        "-fps_mode", "passthrough", "-enc_time_base",
                           "-1",     "-autoscale", "0",         "-f",          "framemd5",
                           "-",      NULL };

    g_spawn_sync (NULL, (char **) argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &output, &complaints,
                  &status, &error);
  }
  g_assert_no_error (error);
  g_assert_cmpstr (complaints, ==, "");
  g_assert_cmpint (status, ==, 0);
  g_unlink (path);
  g_rmdir (directory);

  g_ptr_array_set_size (hashes, (int) packets->len);
  lines = g_strsplit (output, "\n", -1);
  for (guint i = 0; lines[i] != NULL; i++)
    {
      g_auto (GStrv) fields = NULL;
      guint64 time;

      if (lines[i][0] == '#' || lines[i][0] == '\0')
        continue;
      /* stream, dts, pts, duration, size, hash */
      fields = g_strsplit (lines[i], ",", -1);
      g_assert_cmpuint (g_strv_length (fields), ==, 6);
      time = g_ascii_strtoull (g_strstrip (fields[2]), NULL, 10);
      g_assert_cmpuint (time, <, packets->len);
      g_assert_null (g_ptr_array_index (hashes, time));
      g_ptr_array_index (hashes, time) = g_strdup (g_strstrip (fields[5]));
    }
  return hashes;
}
