/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "base/relais-error.h"

#include <gio/gio.h>
#include <json-glib/json-glib.h>

#include "base/relais-message.h"

/* What peers see, as docs/PROTOCOL.md says it. */
static const struct
{
  RelaisError error;
  const char *word;
  guint16 close_code;
} codes[] = {
  { RELAIS_ERROR_NOT_MATROSKA, "not-matroska", 1003 },
  { RELAIS_ERROR_NO_HEADER, "no-header", 1003 },
  { RELAIS_ERROR_HEADER_TOO_LARGE, "header-too-large", 1003 },
  { RELAIS_ERROR_HEADER_TIMEOUT, "header-timeout", 1003 },
  { RELAIS_ERROR_CORRUPT, "corrupt", 1003 },
  { RELAIS_ERROR_UNSUPPORTED_CODEC, "unsupported-codec", 1003 },
  { RELAIS_ERROR_TOO_LARGE, "too-large", 1009 },
  { RELAIS_ERROR_BUSY, "busy", 1008 },
  { RELAIS_ERROR_LIMIT, "limit", 1013 },
  { RELAIS_ERROR_NOT_FOUND, "not-found", 1008 },
  { RELAIS_ERROR_INVALID, "invalid", 1008 },
  { RELAIS_ERROR_PROTOCOL, "protocol", 1002 },
  { RELAIS_ERROR_TIMEOUT, "timeout", 1008 },
  { RELAIS_ERROR_INTERNAL, "internal", 1011 },
};

static void
test_codes (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (codes); i++)
    {
      g_autoptr (GError) error = g_error_new (RELAIS_ERROR, codes[i].error, "why");

      g_assert_cmpint (codes[i].error, ==, i); /* the table is complete and in order */
      g_assert_cmpstr (relais_error_get_code (error), ==, codes[i].word);
      g_assert_cmpuint (relais_error_get_close_code (error), ==, codes[i].close_code);
    }
  g_assert_cmpuint (G_N_ELEMENTS (codes), ==, RELAIS_ERROR_INTERNAL + 1);
}

/* What is not ours is our fault. */
static void
test_foreign (void)
{
  g_autoptr (GError) foreign = g_error_new (G_IO_ERROR, G_IO_ERROR_FAILED, "why");
  g_autoptr (GError) beyond = g_error_new (RELAIS_ERROR, RELAIS_ERROR_INTERNAL + 1, "why");
  g_autoptr (GError) below = g_error_new (RELAIS_ERROR, -1, "why");

  g_assert_cmpstr (relais_error_get_code (foreign), ==, "internal");
  g_assert_cmpuint (relais_error_get_close_code (foreign), ==, 1011);
  g_assert_cmpstr (relais_error_get_code (beyond), ==, "internal");
  g_assert_cmpuint (relais_error_get_close_code (beyond), ==, 1011);
  g_assert_cmpstr (relais_error_get_code (below), ==, "internal");
  g_assert_cmpuint (relais_error_get_close_code (below), ==, 1011);
}

/* The message is JSON whatever the words are. */
static void
test_message (void)
{
  static const char *const words[]
      = { "plain",     "",         "“quoted”", "a \"b\" \\ c", "line\nbreak\ttab",
          "</script>", "\x01\x1f", "日本 😀" };

  for (guint i = 0; i < G_N_ELEMENTS (words); i++)
    {
      g_autoptr (GError) error = g_error_new_literal (RELAIS_ERROR, RELAIS_ERROR_BUSY, words[i]);
      g_autofree char *text = relais_message_new_error (error);
      g_autoptr (GError) parse_error = NULL;
      g_autoptr (JsonNode) root = json_from_string (text, &parse_error);
      JsonObject *object;

      g_assert_no_error (parse_error);
      object = json_node_get_object (root);
      g_assert_cmpuint (json_object_get_size (object), ==, 3);
      g_assert_cmpstr (json_object_get_string_member (object, "type"), ==, "error");
      g_assert_cmpstr (json_object_get_string_member (object, "code"), ==, "busy");
      g_assert_cmpstr (json_object_get_string_member (object, "message"), ==, words[i]);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/error/codes", test_codes);
  g_test_add_func ("/error/foreign", test_foreign);
  g_test_add_func ("/error/message", test_message);
  return g_test_run ();
}
