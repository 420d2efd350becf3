/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <string.h>

#include "base/relais-ebml-scanner.h"
#include "base/relais-error.h"

#define MAX_HEADER 65536

static const guint8 magic[4] = { 0x1A, 0x45, 0xDF, 0xA3 };
static const guint8 cluster_id[4] = { 0x1F, 0x43, 0xB6, 0x75 };

/* EBML header, a Segment of unknown size, and an Info and Tracks that hold nothing of interest. */
#define EBML_HEADER                                                                                \
  "\x1A\x45\xDF\xA3\x9F\x42\x86\x81\x01\x42\xF7\x81\x01\x42\xF2\x81\x04\x42\xF3\x81\x08"           \
  "\x42\x82\x84webm\x42\x87\x81\x04\x42\x85\x81\x02"
#define SEGMENT       "\x18\x53\x80\x67\x01\xFF\xFF\xFF\xFF\xFF\xFF\xFF"
#define INFO          "\x15\x49\xA9\x66\x87\x2A\xD7\xB1\x83\x0F\x42\x40"
#define TRACKS        "\x16\x54\xAE\x6B\x84\xAE\x82\xD7\x01"
#define CLUSTER       "\x1F\x43\xB6\x75\xFF\xE7\x81\x05"
#define CLUSTER_OF_10 "\x1F\x43\xB6\x75\x8A\xE7\x81\x05"
#define BLOCK         "\xA3\x85\x81\x01\x01\x80x"
#define VOID          "\xEC\x82zz"
#define GOOD          EBML_HEADER SEGMENT TRACKS CLUSTER BLOCK
#define LITERAL(s)    s, sizeof s - 1

typedef struct
{
  GByteArray *bytes; /* all spans joined */
  GArray *marks;     /* Mark */
  guint spans;
  GBytes *last;
  RelaisEbmlScanner *scanner;
} Sink;

typedef struct
{
  gsize at; /* in bytes */
  RelaisEbmlSpanKind kind;
} Mark;

static void
sink_init (Sink *sink)
{
  sink->bytes = g_byte_array_new ();
  sink->marks = g_array_new (FALSE, FALSE, sizeof (Mark));
  sink->spans = 0;
  sink->last = NULL;
  sink->scanner = relais_ebml_scanner_new (MAX_HEADER);
}

static void
sink_clear (Sink *sink)
{
  g_byte_array_unref (sink->bytes);
  g_array_unref (sink->marks);
  g_clear_pointer (&sink->last, g_bytes_unref);
  relais_ebml_scanner_free (sink->scanner);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Sink, sink_clear)

static void
on_span (GBytes *span, RelaisEbmlSpanKind kind, gpointer user_data)
{
  Sink *sink = user_data;
  gsize len;
  const guint8 *data = g_bytes_get_data (span, &len);
  Mark mark = { sink->bytes->len, kind };

  g_assert_cmpuint (len, >, 0);
  if (kind == RELAIS_EBML_SPAN_NEW_RECORDING)
    g_assert_cmpmem (data, MIN (len, 4), magic, 4);
  if (kind == RELAIS_EBML_SPAN_RESYNC)
    {
      g_assert_cmpmem (data, MIN (len, 4), cluster_id, 4);
      g_assert_nonnull (relais_ebml_scanner_get_header (sink->scanner));
    }
  if (kind != RELAIS_EBML_SPAN_DATA)
    g_array_append_val (sink->marks, mark);
  g_byte_array_append (sink->bytes, data, len);
  g_clear_pointer (&sink->last, g_bytes_unref);
  sink->last = g_bytes_ref (span);
  sink->spans++;
}

static gboolean
sink_feed (Sink *sink, gconstpointer data, gsize len, GError **error)
{
  g_autoptr (GBytes) chunk = g_bytes_new (data, len);

  return relais_ebml_scanner_feed (sink->scanner, chunk, on_span, sink, error);
}

static void
sink_take (Sink *sink, gconstpointer data, gsize len)
{
  g_autoptr (GError) error = NULL;

  sink_feed (sink, data, len, &error);
  g_assert_no_error (error);
}

static guint
sink_count (Sink *sink, RelaisEbmlSpanKind kind)
{
  guint count = 0;

  for (guint i = 0; i < sink->marks->len; i++)
    count += g_array_index (sink->marks, Mark, i).kind == kind;
  return count;
}

/* One recording came through unchanged, and its header is what stands before its first Cluster. */
static void
sink_assert_recording (Sink *sink, const guint8 *data, gsize len)
{
  const guint8 *cluster = memmem (data, len, cluster_id, 4);
  GBytes *header = relais_ebml_scanner_get_header (sink->scanner);

  g_assert_cmpmem (sink->bytes->data, sink->bytes->len, data, len);
  g_assert_cmpuint (sink->marks->len, ==, 1);
  g_assert_cmpuint (g_array_index (sink->marks, Mark, 0).at, ==, 0);
  g_assert_cmpint (g_array_index (sink->marks, Mark, 0).kind, ==, RELAIS_EBML_SPAN_NEW_RECORDING);
  g_assert_true (relais_ebml_scanner_has_header (sink->scanner));
  g_assert_cmpmem (g_bytes_get_data (header, NULL), g_bytes_get_size (header), data,
                   cluster - data);
  g_assert_cmpuint (relais_ebml_scanner_get_skipped (sink->scanner), ==, 0);
}

static char *
capture_path (const char *name)
{
  return g_test_build_filename (G_TEST_DIST, "data", "captures", name, NULL);
}

static GBytes *
load_capture (const char *name)
{
  g_autofree char *path = capture_path (name);
  g_autoptr (GError) error = NULL;
  char *data;
  gsize len;

  g_file_get_contents (path, &data, &len, &error);
  g_assert_no_error (error);
  return g_bytes_new_take (data, len);
}

/* The sizes of the messages in which a browser delivered the capture. */
static GArray *
load_chunks (const char *name)
{
  g_autofree char *file = g_strconcat (name, ".chunks", NULL);
  g_autofree char *path = capture_path (file);
  g_autoptr (GError) error = NULL;
  g_autofree char *text = NULL;
  g_auto (GStrv) lines = NULL;
  GArray *sizes = g_array_new (FALSE, FALSE, sizeof (gsize));

  g_file_get_contents (path, &text, NULL, &error);
  g_assert_no_error (error);
  lines = g_strsplit (g_strstrip (text), "\n", -1);
  for (gsize i = 0; lines[i] != NULL; i++)
    {
      gsize size = g_ascii_strtoull (strchr (lines[i], ' '), NULL, 10);

      g_array_append_val (sizes, size);
    }
  return sizes;
}

static void
test_capture_whole (gconstpointer name)
{
  g_autoptr (GBytes) capture = load_capture (name);
  g_auto (Sink) sink = { 0 };
  gsize len;
  const guint8 *data = g_bytes_get_data (capture, &len);

  sink_init (&sink);
  g_assert_true (relais_ebml_scanner_feed (sink.scanner, capture, on_span, &sink, NULL));
  sink_assert_recording (&sink, data, len);
  g_assert_cmpuint (sink.spans, ==, 1);
  g_assert_true (sink.last == capture);
}

static void
test_capture_bytes (gconstpointer name)
{
  g_autoptr (GBytes) capture = load_capture (name);
  g_auto (Sink) sink = { 0 };
  gsize len;
  const guint8 *data = g_bytes_get_data (capture, &len);

  sink_init (&sink);
  for (gsize i = 0; i < len; i++)
    sink_take (&sink, data + i, 1);
  sink_assert_recording (&sink, data, len);
}

static void
test_capture_random (gconstpointer name)
{
  g_autoptr (GBytes) capture = load_capture (name);
  gsize len;
  const guint8 *data = g_bytes_get_data (capture, &len);

  for (guint round = 0; round < 20; round++)
    {
      g_auto (Sink) sink = { 0 };
      gsize max = 1 << g_test_rand_int_range (1, 17);

      sink_init (&sink);
      for (gsize at = 0; at < len;)
        {
          gsize size = g_test_rand_int_range (0, max);

          size = MIN (size, len - at);
          sink_take (&sink, data + at, size);
          at += size;
        }
      sink_assert_recording (&sink, data, len);
    }
}

static void
test_capture_chunks (gconstpointer name)
{
  g_autoptr (GBytes) capture = load_capture (name);
  g_autoptr (GArray) sizes = load_chunks (name);
  g_auto (Sink) sink = { 0 };
  gsize len;
  const guint8 *data = g_bytes_get_data (capture, &len);
  gsize at = 0;

  sink_init (&sink);
  for (guint i = 0; i < sizes->len; i++)
    {
      gsize size = g_array_index (sizes, gsize, i);

      sink_take (&sink, data + at, size);
      at += size;
    }
  g_assert_cmpuint (at, ==, len);
  sink_assert_recording (&sink, data, len);
}

/* What a publisher's page does whose socket was closed for a moment: one message is missing. */
static void
test_capture_dropped (gconstpointer name)
{
  g_autoptr (GBytes) capture = load_capture (name);
  g_autoptr (GArray) sizes = load_chunks (name);
  gsize len;
  const guint8 *data = g_bytes_get_data (capture, &len);
  guint resyncs = 0;

  for (guint dropped = 2; dropped < sizes->len - 1; dropped++)
    {
      g_auto (Sink) sink = { 0 };
      gsize at = 0, fed = 0;

      sink_init (&sink);
      for (guint i = 0; i < sizes->len; i++)
        {
          gsize size = g_array_index (sizes, gsize, i);

          if (i != dropped)
            {
              sink_take (&sink, data + at, size);
              fed += size;
            }
          at += size;
        }
      g_assert_cmpuint (sink_count (&sink, RELAIS_EBML_SPAN_NEW_RECORDING), ==, 1);
      g_assert_cmpuint (sink.bytes->len + relais_ebml_scanner_get_skipped (sink.scanner), <=, fed);
      resyncs += sink_count (&sink, RELAIS_EBML_SPAN_RESYNC) > 0;
      /* From the last resync on, the spans are the end of the capture again. */
      if (sink.marks->len > 1)
        {
          Mark *mark = &g_array_index (sink.marks, Mark, sink.marks->len - 1);
          gsize rest = sink.bytes->len - mark->at;

          g_assert_cmpmem (sink.bytes->data + mark->at, rest, data + len - rest, rest);
        }
    }
  g_test_message ("%s: %u of %u drops of one chunk end in a resync", (const char *) name, resyncs,
                  sizes->len - 3);
}

/* Bytes are missing from any place to any other. */
static void
test_capture_cut (gconstpointer name)
{
  g_autoptr (GBytes) capture = load_capture (name);
  gsize len;
  const guint8 *data = g_bytes_get_data (capture, &len);
  guint resyncs = 0;

  for (guint round = 0; round < 200; round++)
    {
      g_auto (Sink) sink = { 0 };
      gsize from = g_test_rand_int_range (1000, len / 2);
      gsize to = from + g_test_rand_int_range (1, len / 4);
      Mark *mark;
      gsize rest;

      sink_init (&sink);
      sink_take (&sink, data, from);
      sink_take (&sink, data + to, len - to);
      g_assert_cmpuint (sink.bytes->len + relais_ebml_scanner_get_skipped (sink.scanner), <=,
                        from + len - to);
      if (sink_count (&sink, RELAIS_EBML_SPAN_RESYNC) == 0)
        continue;
      mark = &g_array_index (sink.marks, Mark, sink.marks->len - 1);
      rest = sink.bytes->len - mark->at;
      g_assert_cmpmem (sink.bytes->data + mark->at, rest, data + len - rest, rest);
      resyncs++;
    }
  g_test_message ("%s: %u of 200 cuts end in a resync", (const char *) name, resyncs);
  g_assert_cmpuint (resyncs, >, 50);
}

static void
test_capture_flipped (gconstpointer name)
{
  g_autoptr (GBytes) capture = load_capture (name);
  g_autofree guint8 *copy = NULL;
  gsize len;
  const guint8 *data = g_bytes_get_data (capture, &len);

  copy = g_memdup2 (data, len);
  for (guint round = 0; round < 100; round++)
    {
      g_auto (Sink) sink = { 0 };
      gsize at = g_test_rand_int_range (0, len);
      g_autoptr (GError) error = NULL;

      sink_init (&sink);
      copy[at] ^= 1 << g_test_rand_int_range (0, 8);
      if (!sink_feed (&sink, copy, len, &error))
        g_assert_true (error->domain == RELAIS_ERROR);
      else
        g_assert_cmpuint (sink.bytes->len + relais_ebml_scanner_get_skipped (sink.scanner), <=,
                          len);
      copy[at] = data[at];
    }
}

static void
test_two_recordings (void)
{
  g_autoptr (GBytes) first = load_capture ("firefox-vp8-opus.webm");
  g_autoptr (GBytes) second = load_capture ("chrome-opus.webm");
  gsize first_len = g_bytes_get_size (first), len = first_len + g_bytes_get_size (second);
  g_autofree guint8 *data = g_malloc (len);

  memcpy (data, g_bytes_get_data (first, NULL), first_len);
  memcpy (data + first_len, g_bytes_get_data (second, NULL), len - first_len);
  for (gsize cut = first_len - 64; cut < first_len + 64; cut++)
    {
      for (gsize middle = 0; middle < 6; middle++)
        {
          g_auto (Sink) sink = { 0 };

          sink_init (&sink);
          sink_take (&sink, data, cut);
          for (gsize i = 0; i < middle; i++)
            sink_take (&sink, data + cut + i, 1);
          sink_take (&sink, data + cut + middle, len - cut - middle);
          g_assert_cmpmem (sink.bytes->data, sink.bytes->len, data, len);
          g_assert_cmpuint (sink.marks->len, ==, 2);
          g_assert_cmpuint (g_array_index (sink.marks, Mark, 1).at, ==, first_len);
          g_assert_cmpint (g_array_index (sink.marks, Mark, 1).kind, ==,
                           RELAIS_EBML_SPAN_NEW_RECORDING);
          g_assert_true (relais_ebml_scanner_has_header (sink.scanner));
        }
    }
}

/* The recorder was restarted and the end of the first recording never came. */
static void
test_truncated_recording (void)
{
  g_autoptr (GBytes) first = load_capture ("chrome-vp8-opus.webm");
  g_autoptr (GBytes) second = load_capture ("chrome-h264-opus.mkv");
  const guint8 *a = g_bytes_get_data (first, NULL), *b = g_bytes_get_data (second, NULL);
  gsize second_len = g_bytes_get_size (second);

  for (guint round = 0; round < 300; round++)
    {
      g_auto (Sink) sink = { 0 };
      gsize cut = g_test_rand_int_range (1000, g_bytes_get_size (first));
      gsize pieces = round % 3 == 0 ? 0 : round % 3 == 1 ? 1 : 50;

      sink_init (&sink);
      sink_take (&sink, a, cut);
      for (gsize i = 0; i < pieces; i++)
        sink_take (&sink, b + i, 1);
      sink_take (&sink, b + pieces, second_len - pieces);
      g_assert_cmpuint (sink.marks->len, ==, 2);
      g_assert_cmpuint (g_array_index (sink.marks, Mark, 1).at, ==, cut);
      g_assert_cmpmem (sink.bytes->data + cut, sink.bytes->len - cut, b, second_len);
      g_assert_cmpuint (relais_ebml_scanner_get_skipped (sink.scanner), ==, 0);
    }
}

/* Data that only looks for a while as if a recording began goes on as data. */
static void
test_false_recording (void)
{
  static const char body[] = EBML_HEADER SEGMENT INFO TRACKS CLUSTER
      "\xA3\xA8"
      "\x81\x01\x01\x80\x1A\x1A\x1A\x45\xDF\xA3\x9F\x42\x86\x81\x01\x42\xF7\x81\x01"
      "\x1A\x45\xDF\xA3\x9F\x42\x86\x81\x01\x42\xF7\x81\x01\x00\x00\x1A\x45\xDF\xA3\x1A\x45" BLOCK;
  gsize len = sizeof body - 1;

  for (gsize from = 0; from < len; from++)
    {
      g_auto (Sink) sink = { 0 };

      sink_init (&sink);
      sink_take (&sink, body, from);
      for (gsize at = from; at < len; at++)
        sink_take (&sink, body + at, 1);
      sink_assert_recording (&sink, (const guint8 *) body, len);
    }
}

static void
test_structures (void)
{
  static const struct
  {
    const char *data;
    gsize len;
  } good[] = {
    { LITERAL (EBML_HEADER SEGMENT INFO TRACKS CLUSTER BLOCK CLUSTER BLOCK BLOCK) },
    { LITERAL (
        EBML_HEADER VOID SEGMENT VOID INFO VOID TRACKS VOID CLUSTER VOID BLOCK VOID CLUSTER) },
    /* CRC-32 first, Cues and Tags between Clusters of known and unknown size, BlockGroup, PrevSize
     */
    { LITERAL (EBML_HEADER SEGMENT
               "\xBF\x84"
               "abcd" TRACKS CLUSTER_OF_10 BLOCK "\x1C\x53\xBB\x6B\x81x" CLUSTER BLOCK
               "\x12\x54\xC3\x67\x80" CLUSTER_OF_10 BLOCK CLUSTER
               "\xBF\x84zzzz\xAB\x81\x07\xA0\x87\xA1\x85\x81\x01\x01\x80x" BLOCK) },
    /* A Segment of known size, then Void */
    { LITERAL (EBML_HEADER
               "\x18\x53\x80\x67\x9A" TRACKS
               "\x1F\x43\xB6\x75\xFF\xE7\x81\x05\xA3\x85\x81\x01\x01\x80x\xEC\x80" VOID) },
    /* Sizes longer than they need be, a DocType padded with zeros */
    { LITERAL ("\x1A\x45\xDF\xA3\x01\x00\x00\x00\x00\x00\x00\x0D\x42\x82\x40\x09matroska\0" SEGMENT
                   TRACKS CLUSTER "\xA3\x10\x00\x00\x05\x81\x01\x01\x80x" BLOCK) },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (good); i++)
    {
      for (gsize cut = 0; cut < good[i].len; cut++)
        {
          g_auto (Sink) sink = { 0 };

          sink_init (&sink);
          sink_take (&sink, good[i].data, cut);
          sink_take (&sink, good[i].data + cut, good[i].len - cut);
          sink_assert_recording (&sink, (const guint8 *) good[i].data, good[i].len);
        }
    }
}

static void
test_damage (void)
{
  static const struct
  {
    const char *damage;
    gsize len;
  } bad[] = {
    { LITERAL ("\x00") },
    { LITERAL ("\x08\x81x") },
    { LITERAL ("\xA3\x00") },
    { LITERAL ("\xC1\x81x") },                     /* not known */
    { LITERAL ("\x15\x49\xA9\x66\x81") },          /* nothing but damage if what follows is none */
    { LITERAL ("\xA3\x14\x00\x00\x01") },          /* 64 MiB and one */
    { LITERAL ("\xA3\xFF") },                      /* unknown size */
    { LITERAL ("\xE7\x89") },                      /* a number of 9 bytes */
    { LITERAL ("\x18\x53\x80\x67\xFF") },          /* a second Segment */
    { LITERAL ("\x1F\x43\xB6\x75\x83\xA3\x82x") }, /* larger than its parent */
    { LITERAL ("\x1F\x43\xB6\x75\x83\xE7\x81\x01") },         /* a whole Cluster, */
    { LITERAL ("\x1F\x43\xB6\x75\x90\xE7\x81\x01") },         /* and one that another interrupts */
    { LITERAL ("\x1F\x43\xB6\x75\x1F\x43\xB6\x1F\x43") },     /* no Cluster */
    { LITERAL ("\x00\x1F\x43\xB6\x75\x83\xEC\x82\xE7") },     /* no Timestamp in the Cluster */
    { LITERAL ("\x00\x1A\x45\xDF\xA3\x87\x42\x82\x84mkvx") }, /* no recording of ours */
    { LITERAL ("\x00\x1F\x43\xB6\x75\x84\xEC\x82zz\xE7\x81\x05") }, /* Timestamp outside */
  };
  static const char end[]
      = "\x1F\x43\xB6\x75\xFF\xBF\x84zzzz\xEC\x80\xE7\x81\x05" BLOCK CLUSTER BLOCK;

  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (GByteArray) data = g_byte_array_new ();
      gsize whole = i == 4 || i == 10;

      g_byte_array_append (data, (const guint8 *) LITERAL (GOOD));
      g_byte_array_append (data, (const guint8 *) bad[i].damage, bad[i].len);
      g_byte_array_append (data, (const guint8 *) LITERAL (end));
      for (gsize cut = 0; cut < data->len; cut++)
        {
          g_auto (Sink) sink = { 0 };
          Mark *mark;

          sink_init (&sink);
          sink_take (&sink, data->data, cut);
          for (gsize at = cut; at < MIN (cut + 24, data->len); at++)
            sink_take (&sink, data->data + at, 1);
          if (cut + 24 < data->len)
            sink_take (&sink, data->data + cut + 24, data->len - cut - 24);
          g_assert_cmpuint (sink.bytes->len + relais_ebml_scanner_get_skipped (sink.scanner), ==,
                            data->len);
          if (whole && sink.marks->len == 1)
            continue;
          g_assert_cmpuint (sink.marks->len, ==, 2);
          mark = &g_array_index (sink.marks, Mark, 1);
          g_assert_cmpint (mark->kind, ==, RELAIS_EBML_SPAN_RESYNC);
          if (i != 4)
            g_assert_cmpmem (sink.bytes->data + mark->at, sink.bytes->len - mark->at, end,
                             sizeof end - 1);
        }
    }
}

/* What goes past the end of a Segment of known size is damage, and after that its end is forgotten.
 */
static void
test_known_segment (void)
{
#define KNOWN EBML_HEADER "\x18\x53\x80\x67\x98" TRACKS CLUSTER BLOCK
  static const struct
  {
    const char *damage;
    gsize len;
  } bad[] = {
    { LITERAL (BLOCK) },
    { LITERAL (SEGMENT TRACKS) },
    { LITERAL ("\xBF\x84zzzz") },
  };
  static const char end[] = CLUSTER BLOCK BLOCK BLOCK;
  static const char narrow[] = EBML_HEADER "\x18\x53\x80\x67\x80" TRACKS CLUSTER;

  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_auto (Sink) sink = { 0 };

      sink_init (&sink);
      sink_take (&sink, LITERAL (KNOWN));
      sink_take (&sink, bad[i].damage, bad[i].len);
      sink_take (&sink, end, sizeof end - 1);
      g_assert_cmpuint (sink.marks->len, ==, 2);
      g_assert_cmpuint (g_array_index (sink.marks, Mark, 1).at, ==, sizeof KNOWN - 1);
      g_assert_cmpmem (sink.bytes->data + sizeof KNOWN - 1, sink.bytes->len - sizeof KNOWN + 1, end,
                       sizeof end - 1);
      g_assert_cmpuint (relais_ebml_scanner_get_skipped (sink.scanner), ==, bad[i].len);
    }

  /* A Cluster of unknown size of which not even the header fits. */
  for (guint8 room = 0; room < 5; room++)
    {
      g_autofree char *data = g_memdup2 (narrow, sizeof narrow);
      g_auto (Sink) sink = { 0 };

      data[40] = (char) (0x80 + sizeof TRACKS CLUSTER - 1 + room);
      sink_init (&sink);
      sink_take (&sink, data, sizeof narrow - 1);
      sink_take (&sink, LITERAL (CLUSTER));
      g_assert_cmpuint (sink.marks->len, ==, 2);
      g_assert_cmpuint (g_array_index (sink.marks, Mark, 1).at, ==, sizeof narrow - 1);
      g_assert_cmpuint (relais_ebml_scanner_get_skipped (sink.scanner), ==, 0);
    }
}

/* The limits, from both sides. */
static void
test_limits (void)
{
  static const char before[] = EBML_HEADER SEGMENT TRACKS;
  g_autofree guint8 *zeros = g_malloc0 (5 << 20);
  g_auto (Sink) sink = { 0 };

  for (gsize over = 0; over < 2; over++)
    {
      gsize fill = MAX_HEADER - (sizeof before - 1) - 4 + over;
      guint8 header[4] = { 0xEC, 0x20 | fill >> 16, fill >> 8 & 0xFF, fill & 0xFF };
      g_auto (Sink) large = { 0 };
      g_autoptr (GError) error = NULL;

      sink_init (&large);
      sink_take (&large, before, sizeof before - 1);
      if (over > 0)
        {
          g_assert_false (sink_feed (&large, header, sizeof header, &error));
          g_assert_error (error, RELAIS_ERROR, RELAIS_ERROR_HEADER_TOO_LARGE);
          continue;
        }
      sink_take (&large, header, sizeof header);
      sink_take (&large, zeros, fill);
      sink_take (&large, LITERAL (CLUSTER));
      g_assert_cmpuint (g_bytes_get_size (relais_ebml_scanner_get_header (large.scanner)), ==,
                        MAX_HEADER);
    }

  /* Each search has its own 8 MiB. */
  sink_init (&sink);
  sink_take (&sink, LITERAL (GOOD));
  for (guint i = 1; i <= 3; i++)
    {
      sink_take (&sink, zeros, 5 << 20);
      sink_take (&sink, LITERAL (CLUSTER BLOCK));
      g_assert_cmpuint (sink_count (&sink, RELAIS_EBML_SPAN_RESYNC), ==, i);
      g_assert_cmpuint (relais_ebml_scanner_get_skipped (sink.scanner), ==, i * (5 << 20));
    }
}

/* After damage a recording may begin as well, in a chunk or at its start. */
static void
test_damage_then_recording (void)
{
  static const char data[] = GOOD "\x00garbage\x1A\x45" GOOD BLOCK;
  gsize at = sizeof GOOD - 1 + 10;

  for (gsize cut = sizeof GOOD - 1; cut < sizeof data - 1; cut++)
    {
      g_auto (Sink) sink = { 0 };
      Mark *mark;

      sink_init (&sink);
      sink_take (&sink, data, cut);
      sink_take (&sink, data + cut, sizeof data - 1 - cut);
      g_assert_cmpuint (sink.marks->len, ==, 2);
      mark = &g_array_index (sink.marks, Mark, 1);
      g_assert_cmpint (mark->kind, ==, RELAIS_EBML_SPAN_NEW_RECORDING);
      g_assert_cmpmem (sink.bytes->data + mark->at, sink.bytes->len - mark->at, data + at,
                       sizeof data - 1 - at);
      g_assert_cmpuint (relais_ebml_scanner_get_skipped (sink.scanner), ==, 10);
    }
}

static void
test_errors (void)
{
  static const struct
  {
    const char *data;
    gsize len;
    gsize early; /* after this many bytes at the latest */
    RelaisError code;
    const char *words;
  } bad[] = {
    { LITERAL ("x"), 1, RELAIS_ERROR_NOT_MATROSKA, "78" },
    { LITERAL ("\0\0\0\0\0\0\0\0\0\0"), 5, RELAIS_ERROR_NOT_MATROSKA, "00 00 00 00 00" },
    { LITERAL ("\0\0\0\x18"
               "ftypmp42"),
      8, RELAIS_ERROR_NOT_MATROSKA, "MP4" },
    { LITERAL ("OggS\0\2"), 4, RELAIS_ERROR_NOT_MATROSKA, "Ogg" },
    { LITERAL ("Olaf"), 2, RELAIS_ERROR_NOT_MATROSKA, "4f 6c" },
    { LITERAL ("\x1A\x45\xDF\xA4"), 4, RELAIS_ERROR_NOT_MATROSKA, "1a 45 df a4" },
    { LITERAL ("\x1A\x45\xDF\xA3\xFF\x42"), 5, RELAIS_ERROR_NOT_MATROSKA, "1a 45 df a3 ff" },
    { LITERAL ("\x1A\x45\xDF\xA3\x87\x42\x82\x84mkvx"), 12, RELAIS_ERROR_NOT_MATROSKA, "DocType" },
    { LITERAL ("\x1A\x45\xDF\xA3\x84\x42\x86\x81\x01" SEGMENT), 9, RELAIS_ERROR_NOT_MATROSKA,
      "without DocType" },
    { LITERAL ("\x1A\x45\xDF\xA3\x8A\x42\x82\x84webm\xEC\x82zz"), 14, RELAIS_ERROR_NOT_MATROSKA,
      "damaged" },
    { LITERAL (CLUSTER BLOCK), 4, RELAIS_ERROR_NO_HEADER, "1f 43 b6 75" },
    { LITERAL (BLOCK BLOCK), 1, RELAIS_ERROR_NO_HEADER, "a3" },
    { LITERAL (SEGMENT TRACKS), 4, RELAIS_ERROR_NO_HEADER, "18 53 80 67" },
    { LITERAL (EBML_HEADER SEGMENT CLUSTER BLOCK), 53, RELAIS_ERROR_NO_HEADER, "Tracks" },
    { LITERAL (EBML_HEADER SEGMENT "\0\0\0"), 49, RELAIS_ERROR_CORRUPT, "at byte 48, found 00" },
    { LITERAL (EBML_HEADER SEGMENT INFO "\xA3\x81x"), 62, RELAIS_ERROR_CORRUPT,
      "at byte 60, found a3 81" },
    { LITERAL (EBML_HEADER "\x18\x53\x80\x67\x81" INFO), 46, RELAIS_ERROR_CORRUPT, "at byte 41" },
    { LITERAL (EBML_HEADER SEGMENT INFO "\xEC\x23\x00\x00\xAA"), 64, RELAIS_ERROR_HEADER_TOO_LARGE,
      "65536" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_auto (Sink) whole = { 0 };
      g_auto (Sink) bytes = { 0 };
      g_autoptr (GError) error = NULL;
      g_autoptr (GError) again = NULL;
      gsize at = 0;

      g_test_message ("error %" G_GSIZE_FORMAT, i);
      sink_init (&whole);
      g_assert_false (sink_feed (&whole, bad[i].data, bad[i].len, &error));
      g_test_message ("%s", error->message);
      g_assert_error (error, RELAIS_ERROR, (int) bad[i].code);
      g_assert_nonnull (strstr (error->message, bad[i].words));
      g_assert_false (sink_feed (&whole, LITERAL (EBML_HEADER), &again));
      g_assert_cmpstr (again->message, ==, error->message);

      g_clear_error (&error);
      sink_init (&bytes);
      while (at < bad[i].len && sink_feed (&bytes, bad[i].data + at, 1, &error))
        at++;
      g_assert_error (error, RELAIS_ERROR, (int) bad[i].code);
      g_assert_cmpuint (at + 1, ==, bad[i].early);
    }
}

static void
test_endless_header (void)
{
  static const struct
  {
    const char *data;
    gsize len;
  } endless[] = {
    { LITERAL (INFO) },
    { LITERAL ("\xEC\x80") },
    { LITERAL (EBML_HEADER) },
    { LITERAL (EBML_HEADER SEGMENT TRACKS) },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (endless); i++)
    {
      g_auto (Sink) sink = { 0 };
      g_autoptr (GError) error = NULL;
      gsize fed = sizeof EBML_HEADER SEGMENT - 1;

      sink_init (&sink);
      sink_take (&sink, EBML_HEADER SEGMENT, fed);
      while (sink_feed (&sink, endless[i].data, endless[i].len, &error))
        {
          fed += endless[i].len;
          g_assert_cmpuint (fed, <=, MAX_HEADER + endless[i].len);
        }
      g_assert_error (error, RELAIS_ERROR, RELAIS_ERROR_HEADER_TOO_LARGE);
      g_assert_null (relais_ebml_scanner_get_header (sink.scanner));
    }
}

/* 100 MB of zeros at the start, and after a good header. */
static void
test_zeros (void)
{
  g_autofree guint8 *zeros = g_malloc0 (65536);
  g_auto (Sink) sink = { 0 };
  g_auto (Sink) late = { 0 };
  g_autoptr (GError) error = NULL;
  gsize fed = 0;

  sink_init (&sink);
  g_assert_false (sink_feed (&sink, zeros, 65536, &error));
  g_assert_error (error, RELAIS_ERROR, RELAIS_ERROR_NOT_MATROSKA);
  g_clear_error (&error);

  sink_init (&late);
  sink_take (&late, LITERAL (GOOD));
  while (sink_feed (&late, zeros, 65536, &error))
    {
      fed += 65536;
      g_assert_cmpuint (fed, <=, 8 << 20);
    }
  g_assert_error (error, RELAIS_ERROR, RELAIS_ERROR_CORRUPT);
  g_test_message ("%s", error->message);
  g_assert_cmpuint (fed, ==, 8 << 20);
  g_assert_cmpmem (late.bytes->data, late.bytes->len, GOOD, sizeof GOOD - 1);
}

int
main (int argc, char **argv)
{
  static const char *captures[] = {
    "chrome-h264-opus.mkv", "chrome-opus.webm",          "chrome-vp8-720p.webm",
    "chrome-vp8-opus.webm", "chrome-vp8-videostop.webm", "chrome-vp8.webm",
    "chrome-vp9-opus.webm", "firefox-vp8-opus.webm",
  };
  static const struct
  {
    const char *name;
    GTestDataFunc func;
  } ways[] = {
    { "whole", test_capture_whole },     { "bytes", test_capture_bytes },
    { "random", test_capture_random },   { "chunks", test_capture_chunks },
    { "dropped", test_capture_dropped }, { "flipped", test_capture_flipped },
    { "cut", test_capture_cut },
  };

  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (captures); i++)
    {
      for (gsize j = 0; j < G_N_ELEMENTS (ways); j++)
        {
          g_autofree char *path
              = g_strdup_printf ("/ebml-scanner/%s/%s", captures[i], ways[j].name);

          g_test_add_data_func (path, captures[i], ways[j].func);
        }
    }
  g_test_add_func ("/ebml-scanner/two-recordings", test_two_recordings);
  g_test_add_func ("/ebml-scanner/truncated-recording", test_truncated_recording);
  g_test_add_func ("/ebml-scanner/false-recording", test_false_recording);
  g_test_add_func ("/ebml-scanner/structures", test_structures);
  g_test_add_func ("/ebml-scanner/damage", test_damage);
  g_test_add_func ("/ebml-scanner/known-segment", test_known_segment);
  g_test_add_func ("/ebml-scanner/limits", test_limits);
  g_test_add_func ("/ebml-scanner/damage-then-recording", test_damage_then_recording);
  g_test_add_func ("/ebml-scanner/errors", test_errors);
  g_test_add_func ("/ebml-scanner/endless-header", test_endless_header);
  g_test_add_func ("/ebml-scanner/zeros", test_zeros);
  return g_test_run ();
}
