/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "base/relais-config.h"

#include <glib/gstdio.h>
#include <string.h>

#include "base/relais-error.h"

#define KIB (G_GINT64_CONSTANT (1024))
#define MIB (1024 * KIB)
#define DAY (G_GINT64_CONSTANT (86400000))

/* The defaults and bounds that docs and DESIGN promise, written down a second time on purpose. */
static const struct
{
  const char *key;
  gsize offset;
  gint64 fallback;
  gint64 min;
  gint64 max;
} numbers[] = {
#define NUMBER(key, field, fallback, min, max)                                                     \
  {                                                                                                \
    key, G_STRUCT_OFFSET (RelaisConfig, field), fallback, min, max                                 \
  }
  NUMBER ("chunk-max-bytes", chunk_max_bytes, 8 * MIB, KIB, 1024 * MIB),
  NUMBER ("header-max-bytes", header_max_bytes, 1 * MIB, KIB, 1024 * MIB),
  NUMBER ("header-timeout-ms", header_timeout_ms, 10000, 10, DAY),
  NUMBER ("publisher-silent-ms", publisher_silent_ms, 15000, 10, DAY),
  NUMBER ("republish-grace-ms", republish_grace_ms, 30000, 0, DAY),
  NUMBER ("quiet-track-ms", quiet_track_ms, 150, 0, DAY),
  NUMBER ("quiet-track-drop-ms", quiet_track_drop_ms, 3000, 10, DAY),
  NUMBER ("ring-max-bytes", ring_max_bytes, 32 * MIB, 64 * KIB, 64 * 1024 * MIB),
  NUMBER ("ring-max-ms", ring_max_ms, 30000, 0, DAY),
  NUMBER ("sender-threads", sender_threads, 0, 0, 256),
  NUMBER ("viewer-lag-ms", viewer_lag_ms, 4000, 10, DAY),
  NUMBER ("viewer-lag-bytes", viewer_lag_bytes, 4 * MIB, 16 * KIB, 64 * 1024 * MIB),
  NUMBER ("viewer-stall-ms", viewer_stall_ms, 20000, 10, DAY),
  NUMBER ("viewer-ping-ms", viewer_ping_ms, 15000, 10, DAY),
  NUMBER ("viewer-unsent-bytes", viewer_unsent_bytes, 128 * KIB, 4 * KIB, 1024 * MIB),
  NUMBER ("streams-max", streams_max, 1000, 1, G_MAXINT32),
  NUMBER ("viewers-max", viewers_max, 100000, 1, G_MAXINT32),
  NUMBER ("viewers-per-stream-max", viewers_per_stream_max, 100000, 1, G_MAXINT32),
  NUMBER ("viewers-per-address-max", viewers_per_address_max, 0, 0, G_MAXINT32),
#undef NUMBER
};

static gint64
get_number (RelaisConfig *config, guint i)
{
  return G_STRUCT_MEMBER (gint64, config, numbers[i].offset);
}

static gboolean
set_number (RelaisConfig *config, guint i, gint64 value, GError **error)
{
  g_autofree char *text = g_strdup_printf ("%" G_GINT64_FORMAT, value);

  return relais_config_set (config, numbers[i].key, text, error);
}

/* The error names the key and the value, and the value before stays. */
static void
assert_refused (RelaisConfig *config, const char *key, const char *value)
{
  g_autoptr (GError) error = NULL;

  g_assert_false (relais_config_set (config, key, value, &error));
  g_assert_error (error, RELAIS_ERROR, RELAIS_ERROR_INVALID);
  g_assert_nonnull (strstr (error->message, key));
}

static void
test_defaults (void)
{
  g_autoptr (RelaisConfig) config = relais_config_new ();

  for (guint i = 0; i < G_N_ELEMENTS (numbers); i++)
    g_assert_cmpint (get_number (config, i), ==, numbers[i].fallback);
  g_assert_cmpint (config->publisher_conflict, ==, RELAIS_PUBLISHER_CONFLICT_REJECT);
  g_assert_nonnull (config->listen);
  g_assert_null (config->listen[0]);
  g_assert_null (config->tls_certificate);
  g_assert_null (config->tls_key);
}

static void
test_bounds (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (numbers); i++)
    {
      g_autoptr (RelaisConfig) config = relais_config_new ();
      g_autoptr (GError) error = NULL;

      g_assert_true (set_number (config, i, numbers[i].min, &error));
      g_assert_cmpint (get_number (config, i), ==, numbers[i].min);
      g_assert_true (set_number (config, i, numbers[i].max, &error));
      g_assert_cmpint (get_number (config, i), ==, numbers[i].max);
      g_assert_no_error (error);

      g_assert_false (set_number (config, i, numbers[i].max + 1, &error));
      g_assert_error (error, RELAIS_ERROR, RELAIS_ERROR_INVALID);
      g_clear_error (&error);
      g_assert_false (set_number (config, i, numbers[i].min - 1, &error));
      g_assert_error (error, RELAIS_ERROR, RELAIS_ERROR_INVALID);
      g_assert_nonnull (strstr (error->message, numbers[i].key));
      g_assert_cmpint (get_number (config, i), ==, numbers[i].max);

      /* nothing else was touched */
      for (guint k = 0; k < G_N_ELEMENTS (numbers); k++)
        if (k != i)
          g_assert_cmpint (get_number (config, k), ==, numbers[k].fallback);
    }
}

static void
test_not_a_number (void)
{
  static const char *const words[] = { "",
                                       " ",
                                       "many",
                                       "1e3",
                                       "0x10",
                                       "5s",
                                       "1 000",
                                       "+ 5",
                                       "--5",
                                       "5.0",
                                       "99999999999999999999",
                                       "５０",
                                       "50\n" };
  g_autoptr (RelaisConfig) config = relais_config_new ();

  for (guint i = 0; i < G_N_ELEMENTS (words); i++)
    assert_refused (config, "viewer-lag-ms", words[i]);
  g_assert_cmpint (config->viewer_lag_ms, ==, 4000);
}

static void
test_words (void)
{
  g_autoptr (RelaisConfig) config = relais_config_new ();
  g_autoptr (GError) error = NULL;

  g_assert_true (relais_config_set (config, "publisher-conflict", "takeover", &error));
  g_assert_cmpint (config->publisher_conflict, ==, RELAIS_PUBLISHER_CONFLICT_TAKEOVER);
  assert_refused (config, "publisher-conflict", "fight");
  assert_refused (config, "publisher-conflict", "Reject");
  g_assert_cmpint (config->publisher_conflict, ==, RELAIS_PUBLISHER_CONFLICT_TAKEOVER);
  g_assert_true (relais_config_set (config, "publisher-conflict", "reject", &error));
  g_assert_cmpint (config->publisher_conflict, ==, RELAIS_PUBLISHER_CONFLICT_REJECT);

  g_assert_true (relais_config_set (config, "tls-certificate", "a.pem", &error));
  g_assert_true (relais_config_set (config, "tls-certificate", "b.pem", &error));
  g_assert_true (relais_config_set (config, "tls-key", "c.pem", &error));
  g_assert_cmpstr (config->tls_certificate, ==, "b.pem");
  g_assert_cmpstr (config->tls_key, ==, "c.pem");
  g_assert_no_error (error);
}

/* A later list replaces an earlier one. */
static void
test_listen (void)
{
  g_autoptr (RelaisConfig) config = relais_config_new ();
  g_autoptr (GError) error = NULL;

  g_assert_true (relais_config_set (config, "listen", "127.0.0.1:1", &error));
  g_assert_true (relais_config_set (config, "listen", "127.0.0.1:2;[::1]:3", &error));
  g_assert_no_error (error);
  g_assert_cmpuint (g_strv_length (config->listen), ==, 2);
  g_assert_cmpstr (config->listen[0], ==, "127.0.0.1:2");
  g_assert_cmpstr (config->listen[1], ==, "[::1]:3");
}

static void
test_unknown (void)
{
  static const char *const keys[]
      = { "", "viewer-lag", "Viewer-lag-ms", "viewer_lag_ms", "viewer-lag-ms ", "relais" };
  g_autoptr (RelaisConfig) config = relais_config_new ();

  for (guint i = 0; i < G_N_ELEMENTS (keys); i++)
    assert_refused (config, keys[i], "5");
}

/* Files */

static char *
write_file (const char *content)
{
  g_autoptr (GError) error = NULL;
  char *path = NULL;
  int fd = g_file_open_tmp ("relais-config-XXXXXX", &path, &error);

  g_assert_no_error (error);
  g_close (fd, NULL);
  g_file_set_contents (path, content, -1, &error);
  g_assert_no_error (error);
  return path;
}

static void
test_file (void)
{
  g_autoptr (RelaisConfig) config = relais_config_new ();
  g_autoptr (GError) error = NULL;
  g_autofree char *path = write_file ("# a comment\n"
                                      "[relais]\n"
                                      "listen=0.0.0.0:80;[::]:80\n"
                                      "ring-max-ms = 5000\n"
                                      "\n"
                                      "publisher-conflict=takeover\n"
                                      "[other]\n"
                                      "anything=goes\n");

  g_assert_true (relais_config_load_file (config, path, &error));
  g_assert_no_error (error);
  g_assert_cmpint (config->ring_max_ms, ==, 5000);
  g_assert_cmpint (config->publisher_conflict, ==, RELAIS_PUBLISHER_CONFLICT_TAKEOVER);
  g_assert_cmpuint (g_strv_length (config->listen), ==, 2);
  g_assert_cmpint (config->viewer_lag_ms, ==, 4000);
  g_remove (path);
}

static void
test_bad_files (void)
{
  static const char *const contents[] = {
    "",
    "nonsense",
    "ring-max-ms=5000\n",
    "[other]\nring-max-ms=5000\n",
    "[relais]\nring-max-ms=soon\n",
    "[relais]\nring-max-ms=-1\n",
    "[relais]\nring-max-minutes=5\n",
  };

  for (guint i = 0; i < G_N_ELEMENTS (contents); i++)
    {
      g_autoptr (RelaisConfig) config = relais_config_new ();
      g_autoptr (GError) error = NULL;
      g_autofree char *path = write_file (contents[i]);

      g_assert_false (relais_config_load_file (config, path, &error));
      g_assert_nonnull (error);
      g_assert_true (g_str_has_prefix (error->message, path));
      g_remove (path);
      g_clear_error (&error);

      /* and a file that is not there */
      g_assert_false (relais_config_load_file (config, path, &error));
      g_assert_error (error, G_FILE_ERROR, G_FILE_ERROR_NOENT);
      g_assert_true (g_str_has_prefix (error->message, path));
    }
}

/* What --help-config prints is a file that can be loaded, and says every key once. */
static void
test_describe (void)
{
  g_autoptr (RelaisConfig) config = relais_config_new ();
  g_autoptr (GError) error = NULL;
  g_autofree char *text = relais_config_describe ();
  g_autofree char *path = write_file (text);

  g_assert_true (relais_config_load_file (config, path, &error));
  g_assert_no_error (error);
  for (guint i = 0; i < G_N_ELEMENTS (numbers); i++)
    {
      g_autofree char *line
          = g_strdup_printf ("\n%s=%" G_GINT64_FORMAT "\n", numbers[i].key, numbers[i].fallback);

      g_assert_nonnull (strstr (text, line));
      g_assert_cmpint (get_number (config, i), ==, numbers[i].fallback);
    }
  g_assert_nonnull (strstr (text, "\n#tls-certificate=\n"));
  g_assert_nonnull (strstr (text, "\n#tls-key=\n"));
  g_assert_nonnull (strstr (text, "\npublisher-conflict=reject\n"));
  g_assert_nonnull (strstr (text, "\nlisten=127.0.0.1:8080\n"));
  /* the table above knows them all: the keys, the four others, and what is behind a # is none */
  {
    g_auto (GStrv) lines = g_strsplit (text, "\n", -1);
    guint n_keys = 0;

    for (guint i = 0; lines[i] != NULL; i++)
      n_keys += lines[i][0] != '#' && strchr (lines[i], '=') != NULL;
    g_assert_cmpuint (n_keys, ==, G_N_ELEMENTS (numbers) + 2);
  }
  g_remove (path);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/config/defaults", test_defaults);
  g_test_add_func ("/config/bounds", test_bounds);
  g_test_add_func ("/config/not-a-number", test_not_a_number);
  g_test_add_func ("/config/words", test_words);
  g_test_add_func ("/config/listen", test_listen);
  g_test_add_func ("/config/unknown", test_unknown);
  g_test_add_func ("/config/file", test_file);
  g_test_add_func ("/config/bad-files", test_bad_files);
  g_test_add_func ("/config/describe", test_describe);
  return g_test_run ();
}
