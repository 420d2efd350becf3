/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The chunks of a recording of tests/data/captures, as a browser put them on the wire. */

#include "relais-test-chunks.h"

#include <stdlib.h>
#include <string.h>

/**
 * relais_test_chunks_read:
 * @name: a file of tests/data/captures
 *
 * Returns: (transfer full) (element-type GBytes): its chunks
 */
GPtrArray *
relais_test_chunks_read (const char *name)
{
  g_autofree char *path = g_build_filename (RELAIS_TEST_DATA_DIR, "captures", name, NULL);
  g_autofree char *list_path = g_strconcat (path, ".chunks", NULL);
  g_autofree char *list = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) bytes = NULL;
  GPtrArray *chunks = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
  g_auto (GStrv) lines = NULL;
  char *content;
  gsize size, at = 0;

  g_file_get_contents (path, &content, &size, &error);
  g_assert_no_error (error);
  bytes = g_bytes_new_take (content, size);
  g_file_get_contents (list_path, &list, NULL, &error);
  g_assert_no_error (error);

  /* "arrival_ms bytes" */
  lines = g_strsplit (list, "\n", -1);
  for (guint i = 0; lines[i] != NULL && lines[i][0] != '\0'; i++)
    {
      const char *space = strchr (lines[i], ' ');
      gsize length;

      g_assert_nonnull (space);
      length = strtoul (space + 1, NULL, 10);
      g_assert_cmpuint (at + length, <=, size);
      g_ptr_array_add (chunks, g_bytes_new_from_bytes (bytes, at, length));
      at += length;
    }
  g_assert_cmpuint (at, ==, size);
  return chunks;
}

/**
 * relais_test_chunks_join:
 * @chunks: (element-type GBytes): chunks
 *
 * Returns: (transfer full): all of them in one
 */
GBytes *
relais_test_chunks_join (GPtrArray *chunks)
{
  GByteArray *all = g_byte_array_new ();

  for (guint i = 0; i < chunks->len; i++)
    {
      gsize size;
      const guint8 *data = g_bytes_get_data (g_ptr_array_index (chunks, i), &size);

      g_byte_array_append (all, data, (guint) size);
    }
  return g_byte_array_free_to_bytes (all);
}

/**
 * relais_test_chunks_split:
 * @bytes: a recording
 * @size: of a chunk
 *
 * Returns: (transfer full) (element-type GBytes): @bytes in chunks of @size
 */
GPtrArray *
relais_test_chunks_split (GBytes *bytes, gsize size)
{
  GPtrArray *chunks = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);

  for (gsize at = 0; at < g_bytes_get_size (bytes); at += size)
    g_ptr_array_add (chunks,
                     g_bytes_new_from_bytes (bytes, at, MIN (size, g_bytes_get_size (bytes) - at)));
  return chunks;
}
