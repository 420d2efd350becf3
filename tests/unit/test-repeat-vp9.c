/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* VP9's repeat frames, frame by frame: libvpx and FFmpeg give the same picture for each repeat as
 * for the frame before it, and bit-identical real frames after it, in all profiles, with
 * superframes, hidden frames, layers and changes of size. */

#include <vpx/vp8dx.h>

#include "relais-repeat-frame.h"
#include "relais-test-capture.h"
#include "relais-test-repeat.h"
#include "relais-test-vpx.h"
#include "relais-vp9-header.h"

#define KEEP_NOTHING (VP8_EFLAG_NO_UPD_LAST | VP8_EFLAG_NO_UPD_GF | VP8_EFLAG_NO_UPD_ARF)

static void
set (vpx_codec_ctx_t *encoder, int control, int value)
{
  g_assert_cmpint (vpx_codec_control_ (encoder, control, value), ==, VPX_CODEC_OK);
}

static void
configure_resilient (vpx_codec_enc_cfg_t *config)
{
  config->g_error_resilient = VPX_ERROR_RESILIENT_DEFAULT;
}

static void
configure_key_frames (vpx_codec_enc_cfg_t *config)
{
  config->kf_max_dist = 4;
}

/* A segment that cycles through the picture. */
static void
start_cyclic (vpx_codec_ctx_t *encoder)
{
  set (encoder, VP9E_SET_AQ_MODE, 3);
}

static void
start_variance (vpx_codec_ctx_t *encoder)
{
  set (encoder, VP9E_SET_AQ_MODE, 1);
}

static void
start_complexity (vpx_codec_ctx_t *encoder)
{
  set (encoder, VP9E_SET_AQ_MODE, 2);
  set (encoder, VP8E_SET_ENABLEAUTOALTREF, 1);
}

static void
start_altref (vpx_codec_ctx_t *encoder)
{
  set (encoder, VP8E_SET_ENABLEAUTOALTREF, 6);
  set (encoder, VP9E_SET_MIN_GF_INTERVAL, 4);
}

static void
start_lossless (vpx_codec_ctx_t *encoder)
{
  set (encoder, VP9E_SET_LOSSLESS, 1);
}

static void
start_parallel (vpx_codec_ctx_t *encoder)
{
  set (encoder, VP9E_SET_FRAME_PARALLEL_DECODING, 1);
}

static void
start_screen (vpx_codec_ctx_t *encoder)
{
  set (encoder, VP9E_SET_TUNE_CONTENT, VP9E_CONTENT_SCREEN);
  set (encoder, VP9E_SET_NOISE_SENSITIVITY, 1);
}

static void
configure_profile_1 (vpx_codec_enc_cfg_t *config)
{
  config->g_profile = 1;
}

static void
configure_profile_2 (vpx_codec_enc_cfg_t *config)
{
  config->g_profile = 2;
  config->g_bit_depth = VPX_BITS_10;
  config->g_input_bit_depth = 10;
}

static void
configure_profile_3 (vpx_codec_enc_cfg_t *config)
{
  config->g_profile = 3;
  config->g_bit_depth = VPX_BITS_12;
  config->g_input_bit_depth = 12;
}

/* The picture goes into one slot or another. */
static vpx_enc_frame_flags_t
each_references (vpx_codec_ctx_t *encoder, vpx_codec_enc_cfg_t *config, guint picture)
{
  static const vpx_enc_frame_flags_t flags[] = {
    0,
    VP8_EFLAG_NO_UPD_LAST | VP8_EFLAG_NO_UPD_ARF,
    VP8_EFLAG_NO_UPD_LAST | VP8_EFLAG_NO_UPD_GF,
    VP8_EFLAG_NO_REF_LAST | VP8_EFLAG_NO_UPD_GF,
    VP8_EFLAG_NO_UPD_ENTROPY,
    VP8_EFLAG_NO_REF_LAST | VP8_EFLAG_NO_REF_GF | VP8_EFLAG_NO_UPD_LAST,
  };

  return flags[picture % G_N_ELEMENTS (flags)];
}

/* Every second picture is kept nowhere. */
static vpx_enc_frame_flags_t
each_disposable (vpx_codec_ctx_t *encoder, vpx_codec_enc_cfg_t *config, guint picture)
{
  return picture % 2 == 1 ? KEEP_NOTHING | VP8_EFLAG_NO_UPD_ENTROPY : 0;
}

/* Frames of another size are predicted from scaled references, without a key frame. */
static vpx_enc_frame_flags_t
each_resize (vpx_codec_ctx_t *encoder, vpx_codec_enc_cfg_t *config, guint picture)
{
  if (picture != 5 && picture != 11)
    return 0;
  config->g_w = picture == 5 ? config->g_w * 3 / 4 : config->g_w + 8;
  config->g_h = picture == 5 ? config->g_h - 3 : config->g_h - 40;
  g_assert_cmpint (vpx_codec_enc_config_set (encoder, config), ==, VPX_CODEC_OK);
  return 0;
}

static const RelaisTestVpxCase plain = { .name = "plain", .realtime = TRUE };

static const RelaisTestVpxCase cases[] = {
  { .name = "resilient", .realtime = TRUE, .configure = configure_resilient },
  { .name = "key-frames", .realtime = TRUE, .configure = configure_key_frames },
  { .name = "cyclic", .realtime = TRUE, .start = start_cyclic },
  { .name = "variance", .realtime = FALSE, .start = start_variance },
  { .name = "complexity", .realtime = FALSE, .start = start_complexity },
  { .name = "altref", .realtime = FALSE, .start = start_altref },
  { .name = "lossless", .realtime = TRUE, .start = start_lossless },
  { .name = "parallel", .realtime = TRUE, .start = start_parallel },
  { .name = "screen", .realtime = TRUE, .start = start_screen },
  { .name = "profile-1",
    .realtime = TRUE,
    .configure = configure_profile_1,
    .format = VPX_IMG_FMT_I444 },
  { .name = "profile-2",
    .realtime = TRUE,
    .configure = configure_profile_2,
    .format = VPX_IMG_FMT_I42016 },
  { .name = "profile-3",
    .realtime = TRUE,
    .configure = configure_profile_3,
    .format = VPX_IMG_FMT_I44416 },
  { .name = "references", .realtime = TRUE, .each = each_references },
  { .name = "resize", .realtime = TRUE, .each = each_resize },
};

static const RelaisTestVpxCase disposable
    = { .name = "disposable", .realtime = TRUE, .each = each_disposable };

static void
prove (const RelaisTestVpxCase *options, GPtrArray *packets, const RelaisTestRepeats *repeats)
{
  g_assert_cmpuint (repeats->n_repeats, >, 0);
  g_test_message ("%s: %u real frames, %u repeats, %u refused", options->name, packets->len,
                  repeats->n_repeats, repeats->n_refused);
  {
    g_autoptr (GPtrArray) before = relais_test_vpx_decode (vpx_codec_vp9_dx (), packets);
    g_autoptr (GPtrArray) after = relais_test_vpx_decode (vpx_codec_vp9_dx (), repeats->packets);
    g_autofree char *what = g_strdup_printf ("libvpx, %s", options->name);

    relais_test_repeats_compare (repeats, before, after, what);
  }
  {
    g_autoptr (GPtrArray) before = relais_test_decode_ffmpeg ("VP90", "vp9", packets);
    g_autoptr (GPtrArray) after = relais_test_decode_ffmpeg ("VP90", "vp9", repeats->packets);
    g_autofree char *what = g_strdup_printf ("ffmpeg, %s", options->name);

    relais_test_repeats_compare (repeats, before, after, what);
  }
}

/* Returns how many repeats could not be made. */
static guint
insert_and_prove (const RelaisTestVpxCase *options, GPtrArray *packets, guint pattern)
{
  g_autoptr (RelaisTestRepeats) repeats
      = relais_test_repeats_new (RELAIS_CODEC_VP9, packets, pattern);

  prove (options, packets, repeats);
  return repeats->n_refused;
}

static void
test_sizes (void)
{
  static const guint sizes[][2] = { { 16, 16 },   { 17, 33 },    { 175, 143 },  { 640, 360 },
                                    { 641, 359 }, { 1279, 719 }, { 1920, 1080 } };

  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      g_autoptr (GPtrArray) packets
          = relais_test_vpx_encode (vpx_codec_vp9_cx (), &plain, sizes[i][0], sizes[i][1], 6);

      g_assert_cmpuint (insert_and_prove (&plain, packets, 1), ==, 0);
    }
}

static void
test_case (gconstpointer data)
{
  const RelaisTestVpxCase *options = data;
  g_autoptr (GPtrArray) packets = relais_test_vpx_encode (vpx_codec_vp9_cx (), options, 175, 143,
                                                          options->realtime ? 20 : 40);

  for (guint pattern = 1; pattern < 3; pattern++)
    g_assert_cmpuint (insert_and_prove (options, packets, pattern), ==, 0);
}

/* What was shown is kept in no slot: there is no repeat, until there is. */
static void
test_nowhere (void)
{
  g_autoptr (GPtrArray) packets
      = relais_test_vpx_encode (vpx_codec_vp9_cx (), &disposable, 175, 143, 24);

  g_assert_cmpuint (insert_and_prove (&disposable, packets, 0), ==, 12);
}

/* Superframes taken apart: behind a hidden frame there is no repeat. */
static void
test_hidden (void)
{
  static const RelaisTestVpxCase options
      = { .name = "hidden", .realtime = FALSE, .start = start_altref };
  g_autoptr (GPtrArray) packets
      = relais_test_vpx_encode (vpx_codec_vp9_cx (), &options, 175, 143, 40);
  g_autoptr (GPtrArray) single = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
  guint n_hidden = 0;

  for (guint i = 0; i < packets->len; i++)
    {
      RelaisVp9Frame frames[RELAIS_VP9_MAX_FRAMES];
      gsize size;
      const guint8 *data = g_bytes_get_data (g_ptr_array_index (packets, i), &size);
      guint count = relais_vp9_split_superframe (data, size, frames);

      g_assert_cmpuint (count, >, 0);
      n_hidden += count - 1;
      for (guint f = 0; f < count; f++)
        g_ptr_array_add (single, g_bytes_new (frames[f].data, frames[f].size));
    }
  g_assert_cmpuint (n_hidden, >, 1);
  g_assert_cmpuint (insert_and_prove (&options, single, 0), ==, n_hidden);
}

/* What a frame that is cut off or damaged does is not known: there is no repeat until the next key
 * frame. */
static void
test_damage (void)
{
  g_autoptr (GPtrArray) packets = relais_test_vpx_encode (vpx_codec_vp9_cx (), &plain, 64, 48, 2);
  g_autoptr (RelaisRepeatFrame) repeat = relais_repeat_frame_new (RELAIS_CODEC_VP9);
  gsize key_size;
  gsize inter_size;
  const guint8 *key = g_bytes_get_data (g_ptr_array_index (packets, 0), &key_size);
  const guint8 *inter = g_bytes_get_data (g_ptr_array_index (packets, 1), &inter_size);
  /* A superframe whose first frame is longer than itself. */
  static const guint8 overlong[] = { 0x86, 0x00, 0xc0, 0xff, 0xc0 };
  guint64 duration;
  gsize size;
  g_autofree guint8 *made = NULL;

  g_assert_null (relais_repeat_frame_make (repeat, &size, &duration));
  relais_repeat_frame_observe (repeat, inter, inter_size);
  g_assert_null (relais_repeat_frame_make (repeat, &size, &duration));

  relais_repeat_frame_observe (repeat, key, key_size);
  relais_repeat_frame_observe (repeat, inter, 1);
  g_assert_null (relais_repeat_frame_make (repeat, &size, &duration));
  relais_repeat_frame_observe (repeat, inter, inter_size);
  g_assert_null (relais_repeat_frame_make (repeat, &size, &duration));

  relais_repeat_frame_observe (repeat, key, key_size);
  relais_repeat_frame_observe (repeat, overlong, sizeof overlong);
  g_assert_null (relais_repeat_frame_make (repeat, &size, &duration));

  /* An empty frame is one that the encoder dropped. */
  relais_repeat_frame_observe (repeat, key, key_size);
  relais_repeat_frame_observe (repeat, NULL, 0);
  made = relais_repeat_frame_make (repeat, &size, &duration);
  g_assert_nonnull (made);
}

static void
test_capture (void)
{
  static const RelaisTestVpxCase capture = { .name = "capture" };
  g_autoptr (GPtrArray) packets = relais_test_capture_read ("chrome-vp9-opus.webm", "V_VP9");

  g_assert_cmpuint (insert_and_prove (&capture, packets, 1), ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/repeat-vp9/sizes", test_sizes);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *path = g_strdup_printf ("/repeat-vp9/case/%s", cases[i].name);

      g_test_add_data_func (path, &cases[i], test_case);
    }
  g_test_add_func ("/repeat-vp9/nowhere", test_nowhere);
  g_test_add_func ("/repeat-vp9/hidden", test_hidden);
  g_test_add_func ("/repeat-vp9/damage", test_damage);
  g_test_add_func ("/repeat-vp9/capture", test_capture);

  return g_test_run ();
}
