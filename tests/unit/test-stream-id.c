/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "base/relais-stream-id.h"

#include <string.h>

static void
test_valid (void)
{
  static const char *const ids[] = { "a",
                                     "Z",
                                     "0",
                                     "_",
                                     "-",
                                     "demo",
                                     "my.stream",
                                     "a..b",
                                     "...",
                                     ".a",
                                     "a.",
                                     "-_.",
                                     "2024-01-01_talk.1" };
  char longest[RELAIS_STREAM_ID_MAX + 1] = { 0 };

  for (guint i = 0; i < G_N_ELEMENTS (ids); i++)
    if (!relais_stream_id_is_valid (ids[i]))
      g_error ("“%s” should be valid", ids[i]);
  memset (longest, 'x', RELAIS_STREAM_ID_MAX);
  g_assert_true (relais_stream_id_is_valid (longest));
}

static void
test_invalid (void)
{
  static const char *const ids[]
      = { "",     ".",    "..",  " ",   "a b", "a/b", "/a",   "../a", "a\\b", "a%20b", "é",
          "日本", "a\n",  "a\t", "a?b", "a#b", "a&b", "a=b",  "a+b",  "a:b",  "a;b",   "a,b",
          "a'b",  "a\"b", "<a>", "a~b", "a*b", "a@b", "\x7f", "\xff", "a\x01" };
  char too_long[RELAIS_STREAM_ID_MAX + 2] = { 0 };

  for (guint i = 0; i < G_N_ELEMENTS (ids); i++)
    if (relais_stream_id_is_valid (ids[i]))
      g_error ("“%s” should not be valid", ids[i]);
  memset (too_long, 'x', RELAIS_STREAM_ID_MAX + 1);
  g_assert_false (relais_stream_id_is_valid (too_long));
}

/* Every byte alone: exactly the 65 characters of the rule, but for the dot. */
static void
test_bytes (void)
{
  guint n = 0;

  for (guint byte = 1; byte < 256; byte++)
    {
      char id[2] = { (char) byte, '\0' };

      n += relais_stream_id_is_valid (id);
    }
  g_assert_cmpuint (n, ==, 26 + 26 + 10 + 2);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/stream-id/valid", test_valid);
  g_test_add_func ("/stream-id/invalid", test_invalid);
  g_test_add_func ("/stream-id/bytes", test_bytes);
  return g_test_run ();
}
