/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* All streams of the server by id. A stream comes with its first publisher or viewer and goes when
 * it is idle. Main context only. */

#include "config.h"

#include "stream/relais-stream-table.h"

#include <string.h>

#include "base/relais-error.h"

struct _RelaisStreamTable
{
  const RelaisConfig *config; /* outlives the table */
  GHashTable *streams;        /* id → owned RelaisStream */
};

/**
 * relais_stream_table_new:
 * @config: the configuration, which must outlive the table
 *
 * Returns: (transfer full): an empty table
 */
RelaisStreamTable *
relais_stream_table_new (const RelaisConfig *config)
{
  RelaisStreamTable *self = g_new0 (RelaisStreamTable, 1);

  self->config = config;
  self->streams
      = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, (GDestroyNotify) relais_stream_free);
  return self;
}

void
relais_stream_table_free (RelaisStreamTable *self)
{
  g_hash_table_unref (self->streams);
  g_free (self);
}

static void
remove_idle (RelaisStream *stream, gpointer user_data)
{
  RelaisStreamTable *self = user_data;

  g_hash_table_remove (self->streams, relais_stream_get_id (stream));
}

/**
 * relais_stream_table_lookup:
 * @self: the table
 * @id: a stream id
 *
 * Returns: (transfer none) (nullable): the stream, valid until the main context turns
 */
RelaisStream *
relais_stream_table_lookup (RelaisStreamTable *self, const char *id)
{
  return g_hash_table_lookup (self->streams, id);
}

/**
 * relais_stream_table_ensure:
 * @self: the table
 * @id: a valid stream id
 * @error: RELAIS_ERROR_LIMIT where `streams-max` is reached
 *
 * Returns: (transfer none) (nullable): the stream, made where there was none. It stays while a
 * publisher or viewer is attached, so attach one before the main context turns.
 */
RelaisStream *
relais_stream_table_ensure (RelaisStreamTable *self, const char *id, GError **error)
{
  RelaisStream *stream = g_hash_table_lookup (self->streams, id);

  if (stream != NULL)
    return stream;
  if (g_hash_table_size (self->streams) >= (guint) self->config->streams_max)
    {
      g_set_error (error, RELAIS_ERROR, RELAIS_ERROR_LIMIT,
                   "the server carries its limit of %" G_GINT64_FORMAT " streams",
                   self->config->streams_max);
      return NULL;
    }
  stream = relais_stream_new (id, self->config);
  relais_stream_set_idle_func (stream, remove_idle, self);
  g_hash_table_insert (self->streams, (gpointer) relais_stream_get_id (stream), stream);
  return stream;
}

static int
compare_ids (gconstpointer a, gconstpointer b)
{
  RelaisStream *const *left = a, *const *right = b;

  return strcmp (relais_stream_get_id (*left), relais_stream_get_id (*right));
}

/**
 * relais_stream_table_list:
 * @self: the table
 *
 * Returns: (transfer container) (element-type RelaisStream): the streams in the order of their ids
 */
GPtrArray *
relais_stream_table_list (RelaisStreamTable *self)
{
  GPtrArray *list = g_ptr_array_new ();
  GHashTableIter iter;
  gpointer stream;

  g_hash_table_iter_init (&iter, self->streams);
  while (g_hash_table_iter_next (&iter, NULL, &stream))
    g_ptr_array_add (list, stream);
  g_ptr_array_sort (list, compare_ids);
  return list;
}
