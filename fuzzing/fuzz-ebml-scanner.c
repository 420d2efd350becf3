/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The first byte of an input tells how the rest is cut into chunks: 0 not at all, 1 into bytes,
 * others at random. */

#include "config.h"

#include <stdint.h>
#include <string.h>

#include "base/relais-ebml-scanner.h"
#include "base/relais-error.h"

#define MAX_HEADER 4096
/* See the head of relais-ebml-scanner.c. */
#define MAX_HELD 2560

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

typedef struct
{
  RelaisEbmlScanner *scanner;
  const guint8 *data;
  gsize emitted;
  gboolean begun;
} Run;

static gboolean
begins_with (const guint8 *data, gsize size, const char *id)
{
  return size >= 4 && memcmp (data, id, 4) == 0;
}

/* Spans are what was fed, in order, without what was skipped. */
static void
on_span (GBytes *span, RelaisEbmlSpanKind kind, gpointer user_data)
{
  Run *run = user_data;
  gsize size;
  const guint8 *bytes = g_bytes_get_data (span, &size);

  g_assert_cmpuint (size, >, 0);
  g_assert_true (run->begun || kind == RELAIS_EBML_SPAN_NEW_RECORDING);
  run->begun = TRUE;
  if (kind == RELAIS_EBML_SPAN_NEW_RECORDING)
    g_assert_true (begins_with (bytes, size, "\x1A\x45\xDF\xA3"));
  if (kind == RELAIS_EBML_SPAN_RESYNC)
    {
      g_assert_true (begins_with (bytes, size, "\x1F\x43\xB6\x75"));
      g_assert_true (relais_ebml_scanner_has_header (run->scanner));
    }
  g_assert_true (memcmp (bytes,
                         run->data + run->emitted + relais_ebml_scanner_get_skipped (run->scanner),
                         size)
                 == 0);
  run->emitted += size;
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  Run run = { 0 };
  gboolean good = TRUE;
  GBytes *header;
  guint32 random;
  gsize max, len;

  if (size == 0)
    return 0;
  run.data = data + 1;
  len = size - 1;
  random = data[0];
  max = 1 << random % 12;

  run.scanner = relais_ebml_scanner_new (MAX_HEADER);
  for (gsize at = 0, step; at < len && good; at += step)
    {
      g_autoptr (GBytes) chunk = NULL;
      g_autoptr (GError) error = NULL;
      gsize taken;

      random = random * 1664525 + 1013904223;
      step = data[0] == 0 ? len : data[0] == 1 ? 1 : 1 + (random >> 8) % max;
      step = MIN (step, len - at);
      chunk = g_bytes_new (run.data + at, step);
      good = relais_ebml_scanner_feed (run.scanner, chunk, on_span, &run, &error);
      g_assert_true (good == (error == NULL));
      g_assert_true (good || error->domain == RELAIS_ERROR);

      taken = run.emitted + relais_ebml_scanner_get_skipped (run.scanner);
      g_assert_cmpuint (taken, <=, at + step);
      if (good)
        g_assert_cmpuint (at + step - taken, <=, MAX_HELD);
    }

  header = relais_ebml_scanner_get_header (run.scanner);
  g_assert_true (relais_ebml_scanner_has_header (run.scanner) == (header != NULL));
  if (header != NULL)
    {
      g_assert_true (begins_with (g_bytes_get_data (header, NULL), g_bytes_get_size (header),
                                  "\x1A\x45\xDF\xA3"));
      g_assert_cmpuint (g_bytes_get_size (header), <=, MAX_HEADER);
    }
  relais_ebml_scanner_free (run.scanner);
  return 0;
}
