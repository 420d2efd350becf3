/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <string.h>

#include "base/relais-websocket-frame.h"

static void
assert_frame (GBytes *frame, gconstpointer expected, gsize size)
{
  g_assert_cmpmem (g_bytes_get_data (frame, NULL), g_bytes_get_size (frame), expected, size);
  g_bytes_unref (frame);
}

/* The frames of RFC 6455 section 5.7 that a server may send. */
static void
test_examples (void)
{
  guint8 header[RELAIS_WEBSOCKET_MAX_HEADER];

  assert_frame (relais_websocket_frame_new_text ("Hello"), "\x81\x05Hello", 7);
  assert_frame (relais_websocket_frame_new_ping ("Hello", 5), "\x89\x05Hello", 7);
  assert_frame (relais_websocket_frame_new_pong ("Hello", 5), "\x8A\x05Hello", 7);
  g_assert_cmpuint (relais_websocket_frame_header (header, RELAIS_WEBSOCKET_OPCODE_BINARY, 256), ==,
                    4);
  g_assert_cmpmem (header, 4, "\x82\x7E\x01\x00", 4);
  g_assert_cmpuint (relais_websocket_frame_header (header, RELAIS_WEBSOCKET_OPCODE_BINARY, 65536),
                    ==, 10);
  g_assert_cmpmem (header, 10, "\x82\x7F\0\0\0\0\0\1\0\0", 10);
}

static void
test_lengths (void)
{
  static const struct
  {
    guint64 size;
    const char *header;
    gsize header_size;
  } lengths[] = {
    { 0, "\x82\x00", 2 },
    { 125, "\x82\x7D", 2 },
    { 126, "\x82\x7E\x00\x7E", 4 },
    { 65535, "\x82\x7E\xFF\xFF", 4 },
    { 65536, "\x82\x7F\0\0\0\0\0\1\0\0", 10 },
    { G_GUINT64_CONSTANT (0x0123456789ABCDEF), "\x82\x7F\x01\x23\x45\x67\x89\xAB\xCD\xEF", 10 },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (lengths); i++)
    {
      guint8 header[RELAIS_WEBSOCKET_MAX_HEADER];
      gsize size
          = relais_websocket_frame_header (header, RELAIS_WEBSOCKET_OPCODE_BINARY, lengths[i].size);

      g_assert_cmpmem (header, size, lengths[i].header, lengths[i].header_size);
    }
}

static void
test_binary (void)
{
  g_autoptr (GBytes) payload = g_bytes_new_static ("\0\1\2", 3);
  g_autoptr (GBytes) empty = g_bytes_new_static (NULL, 0);

  assert_frame (relais_websocket_frame_new_binary (payload), "\x82\x03\0\1\2", 5);
  assert_frame (relais_websocket_frame_new_binary (empty), "\x82\x00", 2);
  assert_frame (relais_websocket_frame_new_ping (NULL, 0), "\x89\x00", 2);
  assert_frame (relais_websocket_frame_new_text (""), "\x81\x00", 2);
}

/* The reason never ends in the middle of a character, and the frame is never longer than a control
 * frame may be. */
static void
test_close (void)
{
  static const char *characters[] = { "x", "é", "€", "😀" };

  assert_frame (relais_websocket_frame_new_close (0, "ignored"), "\x88\x00", 2);
  assert_frame (relais_websocket_frame_new_close (1000, NULL), "\x88\x02\x03\xE8", 4);
  assert_frame (relais_websocket_frame_new_close (1012, "bye"),
                "\x88\x05\x03\xF4"
                "bye",
                7);
  assert_frame (relais_websocket_frame_new_close (1000, "a\xFFz"),
                "\x88\x07\x03\xE8"
                "a\uFFFDz",
                9);

  for (gsize i = 0; i < G_N_ELEMENTS (characters); i++)
    {
      gsize width = strlen (characters[i]);

      for (gsize before = 0; before < 130; before++)
        {
          g_autoptr (GString) reason = g_string_new (NULL);
          g_autoptr (GBytes) frame = NULL;
          gsize size, expected;
          const guint8 *data;

          for (gsize j = 0; j < before; j++)
            g_string_append_c (reason, 'a');
          for (gsize j = 0; j < 3; j++)
            g_string_append (reason, characters[i]);
          frame = relais_websocket_frame_new_close (1008, reason->str);
          data = g_bytes_get_data (frame, &size);

          expected = MIN (before, 123);
          for (gsize j = 0; j < 3 && expected + width <= 123 && before <= 123; j++)
            expected += width;
          g_assert_cmpuint (size, ==, 4 + expected);
          g_assert_cmpuint (data[1], ==, 2 + expected);
          g_assert_cmpmem (data + 4, expected, reason->str, expected);
        }
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/websocket-frame/examples", test_examples);
  g_test_add_func ("/websocket-frame/lengths", test_lengths);
  g_test_add_func ("/websocket-frame/binary", test_binary);
  g_test_add_func ("/websocket-frame/close", test_close);
  return g_test_run ();
}
