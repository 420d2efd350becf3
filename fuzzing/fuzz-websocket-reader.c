/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The first byte of an input tells how the rest is cut into pieces; whatever it says, the same must
 * be read. */

#include "config.h"

#include <stdint.h>
#include <string.h>

#include "base/relais-websocket-reader.h"

#define LIMIT 4096

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static void
note (GString *log, char what, gconstpointer data, gsize size)
{
  g_string_append_printf (log, "%c%" G_GSIZE_FORMAT ":", what, size);
  g_string_append_len (log, data, size);
}

static void
on_text (const char *text, gsize size, gpointer log)
{
  g_assert_cmpuint (size, <=, LIMIT);
  g_assert_cmpint (text[size], ==, '\0');
  g_assert_true (strlen (text) < size || g_utf8_validate (text, size, NULL));
  note (log, 't', text, size);
}

static void
on_binary (GBytes *message, gpointer log)
{
  gsize size;
  const guint8 *data = g_bytes_get_data (message, &size);

  g_assert_cmpuint (size, <=, LIMIT);
  note (log, 'b', data, size);
}

static void
on_ping (const guint8 *data, gsize size, gpointer log)
{
  g_assert_cmpuint (size, <=, 125);
  note (log, 'i', data, size);
}

static void
on_pong (const guint8 *data, gsize size, gpointer log)
{
  g_assert_cmpuint (size, <=, 125);
  note (log, 'o', data, size);
}

static void
on_close (guint16 code, const char *reason, gpointer log)
{
  g_assert_true (code >= 1000 && code < 5000);
  g_assert_cmpuint (strlen (reason), <=, 123);
  g_assert_true (g_utf8_validate (reason, -1, NULL));
  note (log, 'c', reason, strlen (reason));
}

/* @max: bytes of a piece, put into the reader's room as far as there is one; 0: all at once */
static GString *
read_in_pieces (const guint8 *data, gsize len, gsize max)
{
  static const RelaisWebsocketReaderHandlers handlers
      = { on_text, on_binary, on_ping, on_pong, on_close };
  g_auto (RelaisWebsocketReader) reader;
  GString *log = g_string_new (NULL);
  gboolean good = TRUE;
  guint32 random = max;
  guint16 code;

  relais_websocket_reader_init (&reader, LIMIT);
  for (gsize at = 0, step, in_room; at < len && good; at += step)
    {
      guint8 *room;
      g_autofree guint8 *piece = NULL;

      random = random * 1664525 + 1013904223;
      step = max == 0 ? len : MIN (1 + (random >> 8) % max, len - at);
      piece = g_memdup2 (data + at, step);
      in_room = max == 0 ? 0 : MIN (relais_websocket_reader_get_room (&reader, &room), step);
      if (in_room > 0)
        memcpy (room, piece, in_room);
      good = relais_websocket_reader_feed_room (&reader, in_room, &handlers, log, NULL)
             && relais_websocket_reader_feed (&reader, piece + in_room, step - in_room, &handlers,
                                              log, NULL);
    }

  code = relais_websocket_reader_get_close_code (&reader);
  g_assert_true (good ? code == 0 : code == 1002 || code == 1007 || code == 1009);
  g_string_append_printf (log, "%u", code);
  return log;
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  GString *whole, *pieces;

  if (size < 2)
    return 0;
  whole = read_in_pieces (data + 1, size - 1, 0);
  pieces = read_in_pieces (data + 1, size - 1, 1 + data[0] % 64);
  g_assert_true (g_string_equal (whole, pieces));
  g_string_free (whole, TRUE);
  g_string_free (pieces, TRUE);
  return 0;
}
