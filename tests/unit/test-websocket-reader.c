/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <string.h>

#include "base/relais-error.h"
#include "base/relais-websocket-frame.h"
#include "base/relais-websocket-reader.h"

#define LIMIT      4096
#define FIN        0x80
#define LITERAL(s) s, sizeof s - 1

/* What the reader reports, one line an event: "text:…", "binary:…", "ping:…", "pong:…", "close
 * 1000:…", "fail 1002". */
static void
note (GString *log, const char *what, gconstpointer data, gsize size)
{
  g_string_append (log, what);
  g_string_append_c (log, ':');
  g_string_append_len (log, data, size);
  g_string_append_c (log, '\n');
}

static void
on_text (const char *text, gsize size, gpointer log)
{
  g_assert_cmpint (text[size], ==, '\0');
  note (log, "text", text, size);
}

static void
on_binary (GBytes *message, gpointer log)
{
  gsize size;
  const guint8 *data = g_bytes_get_data (message, &size);

  note (log, "binary", data, size);
}

static void
on_ping (const guint8 *data, gsize size, gpointer log)
{
  note (log, "ping", data, size);
}

static void
on_pong (const guint8 *data, gsize size, gpointer log)
{
  note (log, "pong", data, size);
}

static void
on_close (guint16 code, const char *reason, gpointer log)
{
  g_autofree char *what = g_strdup_printf ("close %u", code);

  note (log, what, reason, strlen (reason));
}

static const RelaisWebsocketReaderHandlers handlers
    = { on_text, on_binary, on_ping, on_pong, on_close };

/* A frame as a client sends it, with the length in the fewest bytes or in @length_bytes (0, 2, 8).
 */
static void
add_frame_as (GByteArray *out, guint8 first, gconstpointer payload, gsize size, gint length_bytes)
{
  static guint8 seed;
  guint8 mask[4] = { 0x37, 0xFA, ++seed, 0x00 };
  guint8 header[14] = { first, 0x80 };
  gsize at = 2;

  if (length_bytes < 0)
    length_bytes = size < 126 ? 0 : size < 65536 ? 2 : 8;
  header[1] |= length_bytes == 0 ? size : length_bytes == 2 ? 126 : 127;
  for (gint i = length_bytes - 1; i >= 0; i--)
    header[at++] = (guint64) size >> (8 * i) & 0xFF;
  memcpy (header + at, mask, 4);
  g_byte_array_append (out, header, at + 4);
  for (gsize i = 0; i < size; i++)
    {
      guint8 byte = ((const guint8 *) payload)[i] ^ mask[i % 4];

      g_byte_array_append (out, &byte, 1);
    }
}

static void
add_frame (GByteArray *out, guint8 first, gconstpointer payload, gsize size)
{
  add_frame_as (out, first, payload, size, -1);
}

/* What belongs into the reader's room goes there, the rest behind it. */
static gboolean
feed_with_room (RelaisWebsocketReader *reader,
                const guint8 *data,
                gsize size,
                GString *log,
                GError **error)
{
  guint8 *room;
  gsize in_room = MIN (relais_websocket_reader_get_room (reader, &room), size);

  if (in_room > 0)
    memcpy (room, data, in_room);
  return relais_websocket_reader_feed_room (reader, in_room, &handlers, log, error)
         && relais_websocket_reader_feed (reader, data + in_room, size - in_room, &handlers, log,
                                          error);
}

/* Feeds in pieces of @step bytes. Returns: the events. */
static char *
read_all (const guint8 *data, gsize size, gsize step, gboolean with_room)
{
  g_auto (RelaisWebsocketReader) reader;
  g_autoptr (GError) error = NULL;
  GString *log = g_string_new (NULL);

  relais_websocket_reader_init (&reader, LIMIT);
  for (gsize at = 0; at < size; at += step)
    {
      /* A copy of its own, so that a sanitizer sees a read past its end. */
      gsize len = MIN (step, size - at);
      g_autofree guint8 *piece = g_memdup2 (data + at, len);

      if (!(with_room ? feed_with_room (&reader, piece, len, log, &error)
                      : relais_websocket_reader_feed (&reader, piece, len, &handlers, log, &error)))
        {
          guint16 code = relais_websocket_reader_get_close_code (&reader);

          g_assert_error (error, RELAIS_ERROR,
                          (code == 1009 ? RELAIS_ERROR_TOO_LARGE : RELAIS_ERROR_PROTOCOL));
          g_string_append_printf (log, "fail %u\n", code);
          g_assert_null (reader.message);
          g_assert_null (reader.control);
          /* It stays so. */
          g_assert_false (relais_websocket_reader_feed (&reader, piece, len, &handlers, log, NULL));
          g_assert_cmpuint (relais_websocket_reader_get_close_code (&reader), ==, code);
          break;
        }
      g_assert_cmpuint (relais_websocket_reader_get_close_code (&reader), ==, 0);
    }
  return g_string_free (log, FALSE);
}

static void
assert_events (GByteArray *data, const char *expected)
{
  static const gsize steps[] = { 1, 2, 3, 5, 7, 13, 64, G_MAXSSIZE };

  for (gsize i = 0; i < G_N_ELEMENTS (steps); i++)
    {
      g_autofree char *events = read_all (data->data, data->len, steps[i], FALSE);
      g_autofree char *with_room = read_all (data->data, data->len, steps[i], TRUE);

      g_assert_cmpstr (events, ==, expected);
      g_assert_cmpstr (with_room, ==, expected);
    }
}

/* The frames of RFC 6455 section 5.7 that a client may send. */
static void
test_examples (void)
{
  static const guint8 masked[]
      = { 0x81, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58 };
  static const guint8 pong[] = { 0x8A, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58 };
  g_autoptr (GByteArray) data = g_byte_array_new ();

  g_byte_array_append (data, masked, sizeof masked);
  g_byte_array_append (data, pong, sizeof pong);
  assert_events (data, "text:Hello\npong:Hello\n");
}

static void
test_messages (void)
{
  g_autoptr (GByteArray) data = g_byte_array_new ();
  g_autofree char *long_text = g_strnfill (300, 'y');
  g_autofree char *expected = NULL;

  add_frame (data, FIN | RELAIS_WEBSOCKET_OPCODE_TEXT, LITERAL ("{\"type\":\"hello\"}"));
  add_frame (data, FIN | RELAIS_WEBSOCKET_OPCODE_TEXT, "", 0);
  add_frame (data, FIN | RELAIS_WEBSOCKET_OPCODE_BINARY, LITERAL ("\xFF\xFE"));
  add_frame (data, FIN | RELAIS_WEBSOCKET_OPCODE_PING, "", 0);
  add_frame (data, FIN | RELAIS_WEBSOCKET_OPCODE_PING, long_text, 125);
  add_frame (data, FIN | RELAIS_WEBSOCKET_OPCODE_TEXT, long_text, 126);
  add_frame (data, FIN | RELAIS_WEBSOCKET_OPCODE_TEXT, long_text, 300);
  add_frame (data, FIN | RELAIS_WEBSOCKET_OPCODE_PONG, LITERAL ("p"));
  expected = g_strdup_printf (
      "text:{\"type\":\"hello\"}\ntext:\nbinary:\xFF\xFE\nping:\nping:%.125s\ntext:%.126s\n"
      "text:%s\npong:p\n",
      long_text, long_text, long_text);
  assert_events (data, expected);
}

/* Fragments, with control frames between them, a character cut in two, and empty ones. */
static void
test_fragments (void)
{
  g_autoptr (GByteArray) data = g_byte_array_new ();

  add_frame (data, RELAIS_WEBSOCKET_OPCODE_TEXT, LITERAL ("caf\xC3"));
  add_frame (data, FIN | RELAIS_WEBSOCKET_OPCODE_PING, LITERAL ("1"));
  add_frame (data, RELAIS_WEBSOCKET_OPCODE_CONTINUATION, "", 0);
  add_frame (data, RELAIS_WEBSOCKET_OPCODE_CONTINUATION, LITERAL ("\xA9 \xF0\x9F"));
  add_frame (data, FIN | RELAIS_WEBSOCKET_OPCODE_PONG, "", 0);
  add_frame (data, FIN | RELAIS_WEBSOCKET_OPCODE_CONTINUATION, LITERAL ("\x98\x80"));
  add_frame (data, RELAIS_WEBSOCKET_OPCODE_BINARY, "", 0);
  add_frame (data, FIN | RELAIS_WEBSOCKET_OPCODE_CONTINUATION, "", 0);
  add_frame (data, FIN | RELAIS_WEBSOCKET_OPCODE_CLOSE, LITERAL ("\x03\xE8"));
  assert_events (data, "ping:1\npong:\ntext:café 😀\nbinary:\nclose 1000:\n");
}

/* U+0000 is a character like others. */
static void
test_zero_character (void)
{
  g_auto (RelaisWebsocketReader) reader;
  g_autoptr (GByteArray) data = g_byte_array_new ();
  g_autoptr (GString) log = g_string_new (NULL);

  add_frame (data, FIN | RELAIS_WEBSOCKET_OPCODE_TEXT, LITERAL ("\0a\0\0é\0"));
  relais_websocket_reader_init (&reader, LIMIT);
  g_assert_true (
      relais_websocket_reader_feed (&reader, data->data, data->len, &handlers, log, NULL));
  g_assert_cmpmem (log->str, log->len, "text:\0a\0\0é\0\n", 13);
}

static void
test_close (void)
{
  static const struct
  {
    const char *payload;
    gsize size;
    const char *expected;
  } closes[] = {
    { LITERAL (""), "close 1005:\n" },
    { LITERAL ("\x03\xE8"), "close 1000:\n" },
    { LITERAL ("\x03\xE9going"), "close 1001:going\n" },
    { LITERAL ("\x03\xF6"), "close 1014:\n" },
    { LITERAL ("\x0B\xB8"), "close 3000:\n" },
    { LITERAL ("\x13\x87é"), "close 4999:é\n" },
    { LITERAL ("\x03"), "fail 1002\n" },
    { LITERAL ("\x00\x00"), "fail 1002\n" },
    { LITERAL ("\x03\xE7"), "fail 1002\n" }, /* 999 */
    { LITERAL ("\x03\xEC"), "fail 1002\n" }, /* 1004 */
    { LITERAL ("\x03\xED"), "fail 1002\n" }, /* 1005 */
    { LITERAL ("\x03\xEE"), "fail 1002\n" }, /* 1006 */
    { LITERAL ("\x03\xF7"), "fail 1002\n" }, /* 1015 */
    { LITERAL ("\x0B\xB7"), "fail 1002\n" }, /* 2999 */
    { LITERAL ("\x13\x88"), "fail 1002\n" }, /* 5000 */
    { LITERAL ("\x03\xE8\xC3"), "fail 1007\n" },
    { LITERAL ("\x03\xE8\xED\xA0\x80"), "fail 1007\n" }, /* a surrogate */
  };

  for (gsize i = 0; i < G_N_ELEMENTS (closes); i++)
    {
      g_autoptr (GByteArray) data = g_byte_array_new ();

      /* Within a fragmented message, and with something after it that is not looked at. */
      add_frame (data, RELAIS_WEBSOCKET_OPCODE_TEXT, LITERAL ("x"));
      add_frame (data, FIN | RELAIS_WEBSOCKET_OPCODE_CLOSE, closes[i].payload, closes[i].size);
      g_byte_array_append (data, (const guint8 *) LITERAL ("\xFF\xFF\xFF"));
      assert_events (data, closes[i].expected);
    }
}

static void
test_bad_headers (void)
{
  static const struct
  {
    const char *data;
    gsize size; /* the last of these bytes tells */
    guint16 code;
  } bad[] = {
    { LITERAL ("\x81\x05"), 1002 }, /* unmasked */
    { LITERAL ("\x88\x00"), 1002 },
    { LITERAL ("\xC1"), 1002 }, /* RSV1 */
    { LITERAL ("\xA1"), 1002 }, /* RSV2 */
    { LITERAL ("\x99"), 1002 }, /* RSV3 */
    { LITERAL ("\x83"), 1002 }, /* opcodes */
    { LITERAL ("\x87"), 1002 },
    { LITERAL ("\x8B"), 1002 },
    { LITERAL ("\x8F"), 1002 },
    { LITERAL ("\x08"), 1002 }, /* control frames in fragments */
    { LITERAL ("\x09"), 1002 },
    { LITERAL ("\x0A"), 1002 },
    { LITERAL ("\x89\xFE"), 1002 }, /* control frames too long */
    { LITERAL ("\x88\xFF"), 1002 },
    { LITERAL ("\x00"), 1002 }, /* a continuation of nothing */
    { LITERAL ("\x80"), 1002 },
    { LITERAL ("\x01\x81zzzzz\x01"), 1002 }, /* a message in a message */
    { LITERAL ("\x01\x81zzzzz\x82"), 1002 },
    { LITERAL ("\x82\xFE\x00\x7D"), 1002 }, /* longer than it need be */
    { LITERAL ("\x82\xFF\x00\x00\x00\x00\x00\x00\x00\x01"), 1002 },
    { LITERAL ("\x82\xFF\x00\x00\x00\x00\x00\x00\xFF\xFF"), 1002 },
    { LITERAL ("\x82\xFF\x80\x00\x00\x00\x00\x00\x00\x00"), 1002 }, /* bit 63 */
    { LITERAL ("\x82\xFF\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF"), 1009 },
    { LITERAL ("\x82\xFF\x00\x00\x00\x01\x00\x00\x00\x00"), 1009 },
    { LITERAL ("\x82\xFE\x10\x01"), 1009 },
    { LITERAL ("\x01\x81zzzzz\x80\xFE\x10\x00"), 1009 },
    { LITERAL ("\x01\x81zzzzz\x00\xFE\x10\x00"), 1009 },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (GByteArray) data = g_byte_array_new ();
      g_autofree char *expected = g_strdup_printf ("fail %u\n", bad[i].code);
      g_autofree char *early = NULL;

      g_byte_array_append (data, (const guint8 *) bad[i].data, bad[i].size);
      assert_events (data, expected);
      early = read_all (data->data, data->len - 1, 1, FALSE);
      g_assert_cmpstr (early, ==, "");
    }
}

static void
test_bad_text (void)
{
  static const char *bad[] = {
    "\x80",             /* no start */
    "\xC3",             /* no end */
    "a\xC0\xAF",        /* longer than it need be */
    "\xED\xBF\xBF",     /* a surrogate */
    "\xF4\x90\x80\x80", /* above U+10FFFF */
    "\xFF",
    "ok\xE2\x82",
  };

  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (GByteArray) whole = g_byte_array_new ();
      g_autoptr (GByteArray) fragments = g_byte_array_new ();
      gsize size = strlen (bad[i]);

      add_frame (whole, FIN | RELAIS_WEBSOCKET_OPCODE_TEXT, bad[i], size);
      assert_events (whole, "fail 1007\n");
      add_frame (fragments, RELAIS_WEBSOCKET_OPCODE_TEXT, bad[i], 1);
      add_frame (fragments, FIN | RELAIS_WEBSOCKET_OPCODE_CONTINUATION, bad[i] + 1, size - 1);
      assert_events (fragments, "fail 1007\n");
    }
}

static void
test_limit (void)
{
  g_autofree char *text = g_strnfill (LIMIT, 'x');
  g_autofree char *expected = g_strdup_printf ("text:%s\ntext:%s\ntext:%s\n", text, text, text);
  g_autofree char *and_fail = g_strdup_printf ("%sfail 1009\n", expected);
  g_autoptr (GByteArray) data = g_byte_array_new ();

  /* In one frame, in two, and byte by byte; then one more. */
  add_frame (data, FIN | RELAIS_WEBSOCKET_OPCODE_TEXT, text, LIMIT);
  add_frame (data, RELAIS_WEBSOCKET_OPCODE_TEXT, text, LIMIT - 100);
  add_frame (data, FIN | RELAIS_WEBSOCKET_OPCODE_CONTINUATION, text, 100);
  add_frame (data, RELAIS_WEBSOCKET_OPCODE_TEXT, "", 0);
  for (gsize i = 0; i < LIMIT; i++)
    add_frame (data, RELAIS_WEBSOCKET_OPCODE_CONTINUATION, "x", 1);
  add_frame (data, FIN | RELAIS_WEBSOCKET_OPCODE_CONTINUATION, "", 0);
  assert_events (data, expected);

  add_frame (data, RELAIS_WEBSOCKET_OPCODE_BINARY, text, LIMIT);
  add_frame (data, FIN | RELAIS_WEBSOCKET_OPCODE_CONTINUATION, "x", 1);
  assert_events (data, and_fail);
}

/* What is not asked for is passed over. An idle reader holds no memory. */
static void
test_no_handlers (void)
{
  static const RelaisWebsocketReaderHandlers none = { 0 };
  g_auto (RelaisWebsocketReader) reader;
  g_autoptr (GByteArray) data = g_byte_array_new ();

  add_frame (data, FIN | RELAIS_WEBSOCKET_OPCODE_TEXT, LITERAL ("text"));
  add_frame (data, FIN | RELAIS_WEBSOCKET_OPCODE_BINARY, LITERAL ("binary"));
  add_frame (data, FIN | RELAIS_WEBSOCKET_OPCODE_PING, LITERAL ("ping"));
  add_frame (data, FIN | RELAIS_WEBSOCKET_OPCODE_PONG, LITERAL ("pong"));
  relais_websocket_reader_init (&reader, LIMIT);
  for (gsize i = 0; i < 3; i++)
    {
      g_assert_true (
          relais_websocket_reader_feed (&reader, data->data, data->len, &none, NULL, NULL));
      g_assert_null (reader.message);
      g_assert_null (reader.control);
    }
  add_frame (data, FIN | RELAIS_WEBSOCKET_OPCODE_CLOSE, "", 0);
  g_assert_true (relais_websocket_reader_feed (&reader, data->data, data->len, &none, NULL, NULL));
  g_assert_cmpuint (sizeof reader, <, 64);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/websocket-reader/examples", test_examples);
  g_test_add_func ("/websocket-reader/messages", test_messages);
  g_test_add_func ("/websocket-reader/fragments", test_fragments);
  g_test_add_func ("/websocket-reader/zero-character", test_zero_character);
  g_test_add_func ("/websocket-reader/close", test_close);
  g_test_add_func ("/websocket-reader/bad-headers", test_bad_headers);
  g_test_add_func ("/websocket-reader/bad-text", test_bad_text);
  g_test_add_func ("/websocket-reader/limit", test_limit);
  g_test_add_func ("/websocket-reader/no-handlers", test_no_handlers);
  return g_test_run ();
}
