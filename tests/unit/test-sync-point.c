/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "relais-sync-point.h"

#include <string.h>

#include "relais-test-capture.h"

/* Where ffmpeg 5.1 decodes an intra picture, frame by frame (ffprobe -show_entries
 * frame=pict_type). */
static const struct
{
  const char *name;
  const char *codec_id;
  RelaisCodec codec;
  guint n_frames;
  guint sync_points[16];
  guint n_sync_points;
} captures[] = {
  { "chrome-vp8-720p.webm", "V_VP8", RELAIS_CODEC_VP8, 296, { 0, 101, 202 }, 3 },
  { "chrome-vp8-opus.webm", "V_VP8", RELAIS_CODEC_VP8, 240, { 0, 101, 202 }, 3 },
  { "chrome-vp8-videostop.webm", "V_VP8", RELAIS_CODEC_VP8, 50, { 0 }, 1 },
  { "chrome-vp8.webm", "V_VP8", RELAIS_CODEC_VP8, 120, { 0, 101 }, 2 },
  { "chrome-vp9-opus.webm",
    "V_VP9",
    RELAIS_CODEC_VP9,
    160,
    { 0, 12, 24, 36, 48, 60, 72, 84, 96, 101, 108, 120, 132, 144, 156 },
    15 },
  { "firefox-vp8-opus.webm", "V_VP8", RELAIS_CODEC_VP8, 301, { 0, 226 }, 2 },
  { "chrome-h264-opus.mkv", "V_MPEG4/ISO/AVC", RELAIS_CODEC_H264, 159, { 0, 101 }, 2 },
};

/* Copies to the heap, so that a sanitizer or valgrind sees a read past the end. */
static gboolean
check (RelaisCodec codec, guint nal_length_size, const void *data, gsize size)
{
  g_autofree guint8 *copy = g_memdup2 (data, size);

  return relais_sync_point_check (codec, nal_length_size, copy, size);
}

static void
test_captures (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (captures); i++)
    {
      g_autoptr (GPtrArray) frames
          = relais_test_capture_read (captures[i].name, captures[i].codec_id);
      guint next = 0;

      g_assert_cmpuint (frames->len, ==, captures[i].n_frames);
      for (guint f = 0; f < frames->len; f++)
        {
          gsize size;
          const guint8 *data = g_bytes_get_data (g_ptr_array_index (frames, f), &size);
          gboolean expected
              = next < captures[i].n_sync_points && captures[i].sync_points[next] == f;

          if (check (captures[i].codec, 0, data, size) != expected)
            g_error ("%s: frame %u should %sbe a sync point", captures[i].name, f,
                     expected ? "" : "not ");
          if (expected)
            next++;
        }
      g_assert_cmpuint (next, ==, captures[i].n_sync_points);
    }
}

/* Each beginning of each capture's first frames: TRUE for enough of a sync point's, never for
 * another frame's. */
static void
test_truncated (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (captures); i++)
    {
      g_autoptr (GPtrArray) frames
          = relais_test_capture_read (captures[i].name, captures[i].codec_id);

      for (guint f = 0; f < 2; f++)
        {
          gsize size;
          const guint8 *data = g_bytes_get_data (g_ptr_array_index (frames, f), &size);
          gboolean before = FALSE;

          for (gsize part = 0; part < MIN (size, 200); part++)
            {
              gboolean now = check (captures[i].codec, 0, data, part);

              g_assert_true (now || !before);
              g_assert_false (now && f != 0);
              before = now;
            }
          g_assert_false (check (captures[i].codec, 0, data, 0));
        }
    }
}

static void
test_vp8 (void)
{
  guint8 frame[] = { 0x10, 0, 0, 0x9d, 0x01, 0x2a, 0x40, 0x01, 0xf0, 0x00 };

  g_assert_true (check (RELAIS_CODEC_VP8, 0, frame, sizeof frame));
  g_assert_false (check (RELAIS_CODEC_VP8, 0, frame, sizeof frame - 1));
  g_assert_false (check (RELAIS_CODEC_VP9, 0, frame, sizeof frame));
  g_assert_false (check (RELAIS_CODEC_UNKNOWN, 0, frame, sizeof frame));

  frame[0] |= 1; /* an inter frame */
  g_assert_false (check (RELAIS_CODEC_VP8, 0, frame, sizeof frame));
  frame[0] &= 0xfe;
  frame[4] = 0x02; /* start code */
  g_assert_false (check (RELAIS_CODEC_VP8, 0, frame, sizeof frame));
  frame[4] = 0x01;
  frame[6] = 0; /* width 0; the two upper bits are the scale */
  frame[7] = 0xc0;
  g_assert_false (check (RELAIS_CODEC_VP8, 0, frame, sizeof frame));
  frame[7] = 0x01;
  frame[8] = 0; /* height 0 */
  frame[9] = 0x40;
  g_assert_false (check (RELAIS_CODEC_VP8, 0, frame, sizeof frame));
}

static void
test_vp9 (void)
{
  /* Profile 0, shown, 8-bit BT.601, 320x240. */
  static const guint8 key[] = { 0x82, 0x49, 0x83, 0x42, 0x20, 0x13, 0xf0, 0x0e, 0xf0 };
  static const guint8 hidden_key[] = { 0x80, 0x49, 0x83, 0x42, 0x20, 0x13, 0xf0, 0x0e, 0xf0 };
  static const guint8 bad_sync[] = { 0x82, 0x49, 0x83, 0x43, 0x20, 0x13, 0xf0, 0x0e, 0xf0 };
  static const guint8 bad_marker[] = { 0x42, 0x49, 0x83, 0x42, 0x20, 0x13, 0xf0, 0x0e, 0xf0 };
  static const guint8 show_existing[] = { 0x8a };
  static const guint8 inter[] = { 0x86, 0x00, 0x40, 0x92, 0x9c, 0x00, 0x00, 0x00, 0x00 };
  /* RGB is not for profile 0. */
  static const guint8 rgb[] = { 0x82, 0x49, 0x83, 0x42, 0xe0, 0x13, 0xf0, 0x0e, 0xf0 };
  /* Profile 1 (0xa2): 4:4:4 as subsampling 0 0. */
  static const guint8 profile1[] = { 0xa2, 0x49, 0x83, 0x42, 0x20, 0x02, 0x7e, 0x01, 0xde, 0 };
  /* Profile 3 has a reserved bit. */
  static const guint8 profile3[]
      = { 0xb1, 0x24, 0xc1, 0xa1, 0x10, 0x00, 0x9f, 0x80, 0x77, 0x80, 0x00 };

  g_assert_true (check (RELAIS_CODEC_VP9, 0, key, sizeof key));
  g_assert_false (check (RELAIS_CODEC_VP9, 0, key, sizeof key - 1));
  g_assert_true (check (RELAIS_CODEC_VP9, 0, hidden_key, sizeof hidden_key));
  g_assert_true (check (RELAIS_CODEC_VP9, 0, profile1, sizeof profile1));
  g_assert_true (check (RELAIS_CODEC_VP9, 0, profile3, sizeof profile3));
  g_assert_false (check (RELAIS_CODEC_VP9, 0, bad_sync, sizeof bad_sync));
  g_assert_false (check (RELAIS_CODEC_VP9, 0, bad_marker, sizeof bad_marker));
  g_assert_false (check (RELAIS_CODEC_VP9, 0, show_existing, sizeof show_existing));
  g_assert_false (check (RELAIS_CODEC_VP9, 0, inter, sizeof inter));
  g_assert_false (check (RELAIS_CODEC_VP9, 0, rgb, sizeof rgb));
}

static void
append_superframe (GByteArray *array,
                   const guint8 *first,
                   guint8 first_size,
                   const guint8 *second,
                   guint8 second_size)
{
  /* Marker: two frames, sizes of one byte. */
  const guint8 index[] = { 0xc1, first_size, second_size, 0xc1 };

  g_byte_array_set_size (array, 0);
  g_byte_array_append (array, first, first_size);
  g_byte_array_append (array, second, second_size);
  g_byte_array_append (array, index, sizeof index);
}

static void
test_vp9_superframe (void)
{
  static const guint8 key[] = { 0x82, 0x49, 0x83, 0x42, 0x20, 0x13, 0xf0, 0x0e, 0xf0 };
  static const guint8 inter[] = { 0x86, 0x00, 0x40, 0x92, 0x9c };
  g_autoptr (GByteArray) array = g_byte_array_new ();

  append_superframe (array, key, sizeof key, inter, sizeof inter);
  g_assert_true (check (RELAIS_CODEC_VP9, 0, array->data, array->len));
  append_superframe (array, inter, sizeof inter, key, sizeof key);
  g_assert_false (check (RELAIS_CODEC_VP9, 0, array->data, array->len));

  /* An index that claims more than there is. */
  append_superframe (array, key, sizeof key, inter, sizeof inter);
  array->data[array->len - 3] = 200;
  g_assert_false (check (RELAIS_CODEC_VP9, 0, array->data, array->len));

  /* An empty frame is skipped. */
  append_superframe (array, NULL, 0, key, sizeof key);
  g_assert_true (check (RELAIS_CODEC_VP9, 0, array->data, array->len));

  /* No matching first marker: not a superframe, but a frame with such a last byte. */
  append_superframe (array, key, sizeof key, inter, sizeof inter);
  array->data[array->len - 4] = 0xc2;
  g_assert_true (check (RELAIS_CODEC_VP9, 0, array->data, array->len));
}

static void
test_av1 (void)
{
  /* Temporal delimiter, sequence header (its first byte matters only), frame with
   * show_existing_frame 0, KEY_FRAME, shown. */
  static const guint8 unit[] = { 0x12, 0x00, 0x0a, 0x02, 0x00, 0x00, 0x32, 0x02, 0x10, 0x00 };
  static const guint8 no_sequence[] = { 0x12, 0x00, 0x32, 0x02, 0x10, 0x00 };
  static const guint8 inter[] = { 0x0a, 0x02, 0x00, 0x00, 0x32, 0x02, 0x30, 0x00 };
  static const guint8 intra_only[] = { 0x0a, 0x02, 0x00, 0x00, 0x32, 0x02, 0x50, 0x00 };
  static const guint8 hidden[] = { 0x0a, 0x02, 0x00, 0x00, 0x32, 0x02, 0x00, 0x00 };
  static const guint8 show_existing[] = { 0x0a, 0x02, 0x00, 0x00, 0x1a, 0x01, 0x88 };
  static const guint8 reduced[] = { 0x0a, 0x02, 0x18, 0x00, 0x32, 0x02, 0x40, 0x00 };
  static const guint8 frame_header[] = { 0x0a, 0x01, 0x00, 0x1a, 0x01, 0x10 };
  /* The last OBU fills the rest; each has an extension. */
  static const guint8 no_size[] = { 0x0e, 0x08, 0x01, 0x00, 0x34, 0x08, 0x10 };
  static const guint8 overlong[] = { 0x0a, 0x02, 0x00, 0x00, 0x32, 0x7f, 0x10, 0x00 };
  static const guint8 endless_size[]
      = { 0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
  static const guint8 forbidden[] = { 0x8a, 0x01, 0x00, 0x32, 0x02, 0x10, 0x00 };

  g_assert_true (check (RELAIS_CODEC_AV1, 0, unit, sizeof unit));
  g_assert_true (check (RELAIS_CODEC_AV1, 0, reduced, sizeof reduced));
  g_assert_true (check (RELAIS_CODEC_AV1, 0, frame_header, sizeof frame_header));
  g_assert_true (check (RELAIS_CODEC_AV1, 0, no_size, sizeof no_size));
  g_assert_false (check (RELAIS_CODEC_AV1, 0, no_sequence, sizeof no_sequence));
  g_assert_false (check (RELAIS_CODEC_AV1, 0, inter, sizeof inter));
  g_assert_false (check (RELAIS_CODEC_AV1, 0, intra_only, sizeof intra_only));
  g_assert_false (check (RELAIS_CODEC_AV1, 0, hidden, sizeof hidden));
  g_assert_false (check (RELAIS_CODEC_AV1, 0, show_existing, sizeof show_existing));
  g_assert_false (check (RELAIS_CODEC_AV1, 0, overlong, sizeof overlong));
  g_assert_false (check (RELAIS_CODEC_AV1, 0, endless_size, sizeof endless_size));
  g_assert_false (check (RELAIS_CODEC_AV1, 0, forbidden, sizeof forbidden));
  for (gsize part = 0; part < 8; part++)
    g_assert_false (check (RELAIS_CODEC_AV1, 0, unit, part));
}

static void
test_h264 (void)
{
  static const guint8 annex_b[] = { 0,    0, 0, 1, 0x09, 0x10, 0, 0, 0, 1,    0x67,
                                    0x42, 0, 0, 1, 0x68, 0xce, 0, 0, 1, 0x65, 0x88 };
  static const guint8 annex_b_inter[] = { 0, 0, 0, 1, 0x09, 0x10, 0, 0, 1, 0x41, 0x9a };
  /* Only the first slice counts: this is damage, or two pictures. */
  static const guint8 annex_b_late[] = { 0, 0, 1, 0x41, 0x9a, 0, 0, 1, 0x65, 0x88 };
  static const guint8 prefix4[] = { 0, 0, 0, 2, 0x06, 0x05, 0, 0, 0, 2, 0x65, 0x88 };
  static const guint8 prefix4_inter[] = { 0, 0, 0, 2, 0x06, 0x05, 0, 0, 0, 2, 0x41, 0x88 };
  static const guint8 prefix4_overlong[] = { 0, 0, 0, 2, 0x06, 0x05, 0, 0, 1, 2, 0x65, 0x88 };
  static const guint8 prefix4_huge[] = { 0xff, 0xff, 0xff, 0xff, 0x65, 0x88 };
  static const guint8 prefix1[] = { 2, 0x65, 0x88 };
  static const guint8 prefix2[] = { 0, 2, 0x25, 0x88 };

  g_assert_true (check (RELAIS_CODEC_H264, 0, annex_b, sizeof annex_b));
  g_assert_false (check (RELAIS_CODEC_H264, 4, annex_b, sizeof annex_b));
  g_assert_false (check (RELAIS_CODEC_H264, 0, annex_b_inter, sizeof annex_b_inter));
  g_assert_false (check (RELAIS_CODEC_H264, 0, annex_b_late, sizeof annex_b_late));
  g_assert_true (check (RELAIS_CODEC_H264, 4, prefix4, sizeof prefix4));
  g_assert_false (check (RELAIS_CODEC_H264, 0, prefix4, sizeof prefix4));
  g_assert_false (check (RELAIS_CODEC_H264, 5, prefix4, sizeof prefix4));
  g_assert_false (check (RELAIS_CODEC_H264, 4, prefix4_inter, sizeof prefix4_inter));
  g_assert_false (check (RELAIS_CODEC_H264, 4, prefix4_overlong, sizeof prefix4_overlong));
  g_assert_false (check (RELAIS_CODEC_H264, 4, prefix4_huge, sizeof prefix4_huge));
  g_assert_true (check (RELAIS_CODEC_H264, 1, prefix1, sizeof prefix1));
  g_assert_true (check (RELAIS_CODEC_H264, 2, prefix2, sizeof prefix2));
  for (gsize part = 0; part < sizeof prefix4; part++)
    g_assert_false (check (RELAIS_CODEC_H264, 4, prefix4, part));
}

static void
test_audio (void)
{
  g_assert_true (check (RELAIS_CODEC_OPUS, 0, "\xfc\xff\xfe", 3));
  g_assert_true (check (RELAIS_CODEC_OPUS, 0, NULL, 0));
  g_assert_true (check (RELAIS_CODEC_VORBIS, 0, "\x00", 1));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/sync-point/captures", test_captures);
  g_test_add_func ("/sync-point/truncated", test_truncated);
  g_test_add_func ("/sync-point/vp8", test_vp8);
  g_test_add_func ("/sync-point/vp9", test_vp9);
  g_test_add_func ("/sync-point/vp9-superframe", test_vp9_superframe);
  g_test_add_func ("/sync-point/av1", test_av1);
  g_test_add_func ("/sync-point/h264", test_h264);
  g_test_add_func ("/sync-point/audio", test_audio);

  return g_test_run ();
}
