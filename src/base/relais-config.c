/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The configuration: one table of keys gives their defaults, bounds and words. Values come from the
 * defaults, then from a key file (group [relais]), then from the command line; a key that is not
 * known or a value out of bounds is an error that names it. */

#include "config.h"

#include "base/relais-config.h"

#include "base/relais-error.h"

#include <string.h>

#define GROUP "relais"

#define KIB (G_GINT64_CONSTANT (1024))
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define DAY (G_GINT64_CONSTANT (86400000))

typedef struct
{
  const char *key;
  gsize offset;
  gint64 fallback;
  gint64 min;
  gint64 max;
  const char *text;
} NumberKey;

#define FIELD(name) G_STRUCT_OFFSET (RelaisConfig, name)

static const NumberKey number_keys[] = {
  { "chunk-max-bytes", FIELD (chunk_max_bytes), 8 * MIB, KIB, GIB,
    "largest message of a publisher; a larger one closes with 1009" },
  { "header-max-bytes", FIELD (header_max_bytes), 1 * MIB, KIB, GIB,
    "a recording's header must be complete within so many bytes" },
  { "header-timeout-ms", FIELD (header_timeout_ms), 10000, 10, DAY,
    "and within so much time after its first byte" },
  { "publisher-silent-ms", FIELD (publisher_silent_ms), 15000, 10, DAY,
    "a publisher that sends nothing, not even a pong, for so long is gone" },
  { "republish-grace-ms", FIELD (republish_grace_ms), 30000, 0, DAY,
    "after a publisher went away its stream ends only after so long" },
  { "quiet-track-ms", FIELD (quiet_track_ms), 150, 0, DAY,
    "a track that is quiet so long while another flows gets fillers; 0 = never" },
  { "quiet-track-drop-ms", FIELD (quiet_track_drop_ms), 3000, 10, DAY,
    "a quiet track whose codec has no filler leaves the stream after so long" },
  { "ring-max-bytes", FIELD (ring_max_bytes), 32 * MIB, 64 * KIB, 64 * GIB,
    "media kept a stream, in bytes" },
  { "ring-max-ms", FIELD (ring_max_ms), 30000, 0, DAY,
    "media kept a stream, in time; what follows the last sync point stays as long as bytes allow" },
  { "sender-threads", FIELD (sender_threads), 0, 0, 256,
    "threads that write to viewers; 0 = one a core" },
  { "viewer-lag-ms", FIELD (viewer_lag_ms), 4000, 10, DAY,
    "a viewer that is further behind is moved to the newest sync point" },
  { "viewer-lag-bytes", FIELD (viewer_lag_bytes), 4 * MIB, 16 * KIB, 64 * GIB,
    "the same in bytes" },
  { "viewer-stall-ms", FIELD (viewer_stall_ms), 20000, 10, DAY,
    "a viewer that takes nothing for so long is closed" },
  { "viewer-ping-ms", FIELD (viewer_ping_ms), 15000, 10, DAY,
    "a viewer to which nothing was sent for so long gets a ping" },
  { "viewer-unsent-bytes", FIELD (viewer_unsent_bytes), 128 * KIB, 4 * KIB, GIB,
    "bytes the kernel may hold unsent for a viewer (TCP_NOTSENT_LOWAT)" },
  { "streams-max", FIELD (streams_max), 1000, 1, G_MAXINT32, "streams a server" },
  { "viewers-max", FIELD (viewers_max), 100000, 1, G_MAXINT32, "viewers a server" },
  { "viewers-per-stream-max", FIELD (viewers_per_stream_max), 100000, 1, G_MAXINT32,
    "viewers a stream" },
  { "viewers-per-address-max", FIELD (viewers_per_address_max), 0, 0, G_MAXINT32,
    "viewers an address; 0 = no limit" },
};

static gint64 *
number_field (RelaisConfig *self, const NumberKey *key)
{
  return G_STRUCT_MEMBER_P (self, key->offset);
}

/**
 * relais_config_new:
 *
 * Returns: (transfer full): the defaults; `listen` is empty
 */
RelaisConfig *
relais_config_new (void)
{
  RelaisConfig *self = g_new0 (RelaisConfig, 1);

  self->listen = g_new0 (char *, 1);
  for (guint i = 0; i < G_N_ELEMENTS (number_keys); i++)
    *number_field (self, &number_keys[i]) = number_keys[i].fallback;
  return self;
}

void
relais_config_free (RelaisConfig *self)
{
  g_strfreev (self->listen);
  g_free (self->tls_certificate);
  g_free (self->tls_key);
  g_free (self);
}

static gboolean
set_conflict (RelaisConfig *self, const char *value, GError **error)
{
  if (g_str_equal (value, "reject"))
    self->publisher_conflict = RELAIS_PUBLISHER_CONFLICT_REJECT;
  else if (g_str_equal (value, "takeover"))
    self->publisher_conflict = RELAIS_PUBLISHER_CONFLICT_TAKEOVER;
  else
    {
      g_set_error (error, RELAIS_ERROR, RELAIS_ERROR_INVALID,
                   "publisher-conflict is “%s”; it can be reject or takeover", value);
      return FALSE;
    }
  return TRUE;
}

/**
 * relais_config_set:
 * @self: a configuration
 * @key: a key of the table, or listen, tls-certificate, tls-key, publisher-conflict
 * @value: its value as text; of `listen` a list with semicolons, which replaces the addresses so
 * far
 * @error: RELAIS_ERROR_INVALID names the key and what it may be
 *
 * Returns: whether it was set
 */
gboolean
relais_config_set (RelaisConfig *self, const char *key, const char *value, GError **error)
{
  if (g_str_equal (key, "listen"))
    {
      g_strfreev (self->listen);
      self->listen = g_strsplit (value, ";", -1);
      return TRUE;
    }
  if (g_str_equal (key, "publisher-conflict"))
    return set_conflict (self, value, error);
  if (g_str_equal (key, "tls-certificate"))
    {
      g_free (self->tls_certificate);
      self->tls_certificate = g_strdup (value);
      return TRUE;
    }
  if (g_str_equal (key, "tls-key"))
    {
      g_free (self->tls_key);
      self->tls_key = g_strdup (value);
      return TRUE;
    }

  for (guint i = 0; i < G_N_ELEMENTS (number_keys); i++)
    {
      const NumberKey *number = &number_keys[i];
      gint64 parsed;

      if (!g_str_equal (key, number->key))
        continue;
      if (!g_ascii_string_to_signed (value, 10, number->min, number->max, &parsed, NULL))
        {
          g_set_error (error, RELAIS_ERROR, RELAIS_ERROR_INVALID,
                       "%s is “%s”; it can be a whole number from %" G_GINT64_FORMAT
                       " to %" G_GINT64_FORMAT,
                       key, value, number->min, number->max);
          return FALSE;
        }
      *number_field (self, number) = parsed;
      return TRUE;
    }
  g_set_error (error, RELAIS_ERROR, RELAIS_ERROR_INVALID, "there is no configuration key “%s”",
               key);
  return FALSE;
}

/**
 * relais_config_load_file:
 * @self: a configuration
 * @path: a GLib key file with the group [relais]
 * @error: a #GKeyFileError, #GFileError or RELAIS_ERROR_INVALID, with the path in its message
 *
 * Returns: whether every key of the file was set
 */
gboolean
relais_config_load_file (RelaisConfig *self, const char *path, GError **error)
{
  g_autoptr (GKeyFile) file = g_key_file_new ();
  g_auto (GStrv) keys = NULL;

  if (!g_key_file_load_from_file (file, path, G_KEY_FILE_NONE, error)
      || (keys = g_key_file_get_keys (file, GROUP, NULL, error)) == NULL)
    {
      g_prefix_error (error, "%s: ", path);
      return FALSE;
    }
  for (guint i = 0; keys[i] != NULL; i++)
    {
      g_autofree char *value = g_key_file_get_string (file, GROUP, keys[i], error);

      if (value == NULL || !relais_config_set (self, keys[i], value, error))
        {
          g_prefix_error (error, "%s: ", path);
          return FALSE;
        }
    }
  return TRUE;
}

/**
 * relais_config_describe:
 *
 * Returns: (transfer full): every key with its default and meaning as a key file, for --help-config
 * and the documentation
 */
char *
relais_config_describe (void)
{
  GString *text = g_string_new ("[" GROUP "]\n"
                                "# addresses to listen on, with semicolons between them\n"
                                "listen=127.0.0.1:8080\n"
                                "# PEM files; with them every address speaks TLS\n"
                                "#tls-certificate=\n"
                                "#tls-key=\n"
                                "# what a second publisher of a live id does: reject or takeover\n"
                                "publisher-conflict=reject\n");

  for (guint i = 0; i < G_N_ELEMENTS (number_keys); i++)
    g_string_append_printf (text, "# %s\n%s=%" G_GINT64_FORMAT "\n", number_keys[i].text,
                            number_keys[i].key, number_keys[i].fallback);
  return g_string_free (text, FALSE);
}
