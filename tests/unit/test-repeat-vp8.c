/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* VP8's repeat frames, frame by frame: libvpx and FFmpeg give the same picture for each repeat as
 * for the frame before it, and bit-identical real frames after it, whatever the stream does with
 * segments, references, probabilities and filters. */

#include <vpx/vp8dx.h>

#include "relais-bool-coder.h"
#include "relais-repeat-frame.h"
#include "relais-test-capture.h"
#include "relais-test-repeat.h"
#include "relais-test-vpx.h"
#include "relais-vp8-tables.h"

#define KEEP_NOTHING (VP8_EFLAG_NO_UPD_LAST | VP8_EFLAG_NO_UPD_GF | VP8_EFLAG_NO_UPD_ARF)

static void
set (vpx_codec_ctx_t *encoder, int control, int value)
{
  g_assert_cmpint (vpx_codec_control_ (encoder, control, value), ==, VPX_CODEC_OK);
}

static void
configure_resilient (vpx_codec_enc_cfg_t *config)
{
  config->g_error_resilient = VPX_ERROR_RESILIENT_DEFAULT | VPX_ERROR_RESILIENT_PARTITIONS;
}

/* With error resilience libvpx cycles a refreshing segment through the picture. */
static void
configure_cyclic (vpx_codec_enc_cfg_t *config)
{
  config->g_error_resilient = VPX_ERROR_RESILIENT_DEFAULT;
  config->rc_min_quantizer = 2;
  config->rc_max_quantizer = 63;
}

static void
start_cyclic (vpx_codec_ctx_t *encoder)
{
  set (encoder, VP8E_SET_STATIC_THRESHOLD, 100);
  set (encoder, VP8E_SET_NOISE_SENSITIVITY, 1);
  set (encoder, VP8E_SET_SCREEN_CONTENT_MODE, 1);
}

static void
start_partitions (vpx_codec_ctx_t *encoder)
{
  set (encoder, VP8E_SET_TOKEN_PARTITIONS, VP8_EIGHT_TOKENPARTITION);
  set (encoder, VP8E_SET_SHARPNESS, 5);
}

static void
configure_key_frames (vpx_codec_enc_cfg_t *config)
{
  config->kf_max_dist = 4;
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
}

static void
configure_profile_3 (vpx_codec_enc_cfg_t *config)
{
  config->g_profile = 3;
}

static void
start_altref (vpx_codec_ctx_t *encoder)
{
  set (encoder, VP8E_SET_ENABLEAUTOALTREF, 1);
  set (encoder, VP8E_SET_ARNR_MAXFRAMES, 5);
  set (encoder, VP8E_SET_ARNR_STRENGTH, 3);
}

/* Segments with quantizers and filter levels of their own come at picture 2, change, rest and go.
 */
static vpx_enc_frame_flags_t
each_roi (vpx_codec_ctx_t *encoder, vpx_codec_enc_cfg_t *config, guint picture)
{
  guint rows = (config->g_h + 15) / 16;
  guint columns = (config->g_w + 15) / 16;
  g_autofree guint8 *map = g_malloc0 ((gsize) rows * columns);
  vpx_roi_map_t roi = { .roi_map = map,
                        .rows = rows,
                        .cols = columns,
                        .delta_q = { 0, -20, 15, -5 },
                        .delta_lf = { 0, 20, -20, 9 },
                        .static_threshold = { 0, 200, 0, 1000 } };

  if (picture != 2 && picture != 8 && picture != 15)
    return 0;
  for (guint i = 0; i < rows * columns; i++)
    map[i] = (guint8) ((i * 7 + i / columns + picture) % 4);
  if (picture == 15)
    roi.roi_map = NULL;
  g_assert_cmpint (vpx_codec_control (encoder, VP8E_SET_ROI_MAP, &roi), ==, VPX_CODEC_OK);
  return 0;
}

/* The picture goes into golden or altref only, from which later ones are predicted. */
static vpx_enc_frame_flags_t
each_references (vpx_codec_ctx_t *encoder, vpx_codec_enc_cfg_t *config, guint picture)
{
  static const vpx_enc_frame_flags_t flags[] = {
    0,
    VP8_EFLAG_NO_UPD_LAST | VP8_EFLAG_NO_UPD_ARF | VP8_EFLAG_FORCE_GF,
    VP8_EFLAG_NO_UPD_LAST | VP8_EFLAG_NO_UPD_GF | VP8_EFLAG_FORCE_ARF,
    VP8_EFLAG_NO_REF_LAST | VP8_EFLAG_NO_UPD_GF,
    VP8_EFLAG_NO_UPD_ENTROPY,
    VP8_EFLAG_NO_REF_LAST | VP8_EFLAG_NO_REF_GF | VP8_EFLAG_NO_UPD_LAST | VP8_EFLAG_FORCE_GF,
    VP8_EFLAG_NO_UPD_ENTROPY | VP8_EFLAG_NO_UPD_LAST | VP8_EFLAG_FORCE_ARF,
  };

  return flags[picture % G_N_ELEMENTS (flags)];
}

/* Every second picture is kept nowhere. */
static vpx_enc_frame_flags_t
each_disposable (vpx_codec_ctx_t *encoder, vpx_codec_enc_cfg_t *config, guint picture)
{
  return picture % 2 == 1 ? KEEP_NOTHING | VP8_EFLAG_NO_UPD_ENTROPY : 0;
}

static void
configure_layers (vpx_codec_enc_cfg_t *config)
{
  static const unsigned int layers[] = { 0, 2, 1, 2 };

  config->g_error_resilient = VPX_ERROR_RESILIENT_DEFAULT;
  config->ts_number_layers = 3;
  config->ts_periodicity = 4;
  config->ts_rate_decimator[0] = 4;
  config->ts_rate_decimator[1] = 2;
  config->ts_rate_decimator[2] = 1;
  config->ts_target_bitrate[0] = config->rc_target_bitrate * 4 / 10;
  config->ts_target_bitrate[1] = config->rc_target_bitrate * 6 / 10;
  config->ts_target_bitrate[2] = config->rc_target_bitrate;
  for (guint i = 0; i < G_N_ELEMENTS (layers); i++)
    config->ts_layer_id[i] = layers[i];
}

/* Base layer in last, middle layer in golden, top layer nowhere. */
static vpx_enc_frame_flags_t
each_layers (vpx_codec_ctx_t *encoder, vpx_codec_enc_cfg_t *config, guint picture)
{
  static const vpx_enc_frame_flags_t flags[] = {
    VP8_EFLAG_NO_REF_GF | VP8_EFLAG_NO_REF_ARF | VP8_EFLAG_NO_UPD_GF | VP8_EFLAG_NO_UPD_ARF,
    KEEP_NOTHING | VP8_EFLAG_NO_UPD_ENTROPY,
    VP8_EFLAG_NO_UPD_LAST | VP8_EFLAG_NO_UPD_ARF,
    KEEP_NOTHING | VP8_EFLAG_NO_UPD_ENTROPY,
  };

  set (encoder, VP8E_SET_TEMPORAL_LAYER_ID, (int) config->ts_layer_id[picture % 4]);
  return picture == 0 ? 0 : flags[picture % 4];
}

/* A new size is a new key frame; libvpx allows none above the first. */
static vpx_enc_frame_flags_t
each_resize (vpx_codec_ctx_t *encoder, vpx_codec_enc_cfg_t *config, guint picture)
{
  if (picture != 5 && picture != 11)
    return 0;
  config->g_w = picture == 5 ? config->g_w - 15 : config->g_w + 8;
  config->g_h = picture == 5 ? config->g_h - 3 : config->g_h - 40;
  g_assert_cmpint (vpx_codec_enc_config_set (encoder, config), ==, VPX_CODEC_OK);
  return 0;
}

static const RelaisTestVpxCase plain = { .name = "plain", .realtime = TRUE };

static const RelaisTestVpxCase cases[] = {
  { .name = "resilient", .realtime = TRUE, .configure = configure_resilient },
  { .name = "cyclic", .realtime = TRUE, .configure = configure_cyclic, .start = start_cyclic },
  { .name = "partitions", .realtime = TRUE, .start = start_partitions },
  { .name = "key-frames", .realtime = TRUE, .configure = configure_key_frames },
  { .name = "profile-1", .realtime = TRUE, .configure = configure_profile_1 },
  { .name = "profile-2", .realtime = TRUE, .configure = configure_profile_2 },
  { .name = "profile-3", .realtime = TRUE, .configure = configure_profile_3 },
  { .name = "roi", .realtime = TRUE, .each = each_roi },
  { .name = "references", .realtime = TRUE, .each = each_references },
  { .name = "good", .realtime = FALSE },
  { .name = "altref", .realtime = FALSE, .start = start_altref },
  { .name = "resize", .realtime = TRUE, .each = each_resize },
};

static const RelaisTestVpxCase disposable
    = { .name = "disposable", .realtime = TRUE, .each = each_disposable };
static const RelaisTestVpxCase layers
    = { .name = "layers", .realtime = TRUE, .configure = configure_layers, .each = each_layers };

/* Returns how many repeats could not be made. */
static guint
prove (const RelaisTestVpxCase *options, GPtrArray *packets, guint pattern)
{
  g_autoptr (RelaisTestRepeats) repeats
      = relais_test_repeats_new (RELAIS_CODEC_VP8, packets, pattern);

  g_assert_cmpuint (repeats->n_repeats, >, 0);
  g_test_message ("%s: %u real frames, %u repeats, %u refused", options->name, packets->len,
                  repeats->n_repeats, repeats->n_refused);
  {
    g_autoptr (GPtrArray) before = relais_test_vpx_decode (vpx_codec_vp8_dx (), packets);
    g_autoptr (GPtrArray) after = relais_test_vpx_decode (vpx_codec_vp8_dx (), repeats->packets);
    g_autofree char *what = g_strdup_printf ("libvpx, %s", options->name);

    relais_test_repeats_compare (repeats, before, after, what);
  }
  {
    g_autoptr (GPtrArray) before = relais_test_decode_ffmpeg ("VP80", "vp8", packets);
    g_autoptr (GPtrArray) after = relais_test_decode_ffmpeg ("VP80", "vp8", repeats->packets);
    g_autofree char *what = g_strdup_printf ("ffmpeg, %s", options->name);

    relais_test_repeats_compare (repeats, before, after, what);
  }
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
          = relais_test_vpx_encode (vpx_codec_vp8_cx (), &plain, sizes[i][0], sizes[i][1], 6);

      g_assert_cmpuint (prove (&plain, packets, 1), ==, 0);
    }
}

static void
test_case (gconstpointer data)
{
  const RelaisTestVpxCase *options = data;
  g_autoptr (GPtrArray) packets
      = relais_test_vpx_encode (vpx_codec_vp8_cx (), options, 175, 143, 24);

  for (guint pattern = 1; pattern < 3; pattern++)
    g_assert_cmpuint (prove (options, packets, pattern), ==, 0);
}

/* What was shown is kept in no reference: there is no repeat, until there is. */
static void
test_nowhere (gconstpointer data)
{
  const RelaisTestVpxCase *options = data;
  g_autoptr (GPtrArray) packets
      = relais_test_vpx_encode (vpx_codec_vp8_cx (), options, 175, 143, 24);

  g_assert_cmpuint (prove (options, packets, 0), ==, 12);
}

/* A frame that libvpx's encoder would never make: all macroblocks from @reference with a zero
 * vector, and any reference flags. */
static GBytes *
craft_frame (guint columns, guint rows, GRand *random)
{
  static const guint8 zero_vector[] = { 7, 14, 135, 60, 159, 234 };
  GByteArray *frame = g_byte_array_new ();
  guint reference = (guint) g_rand_int_range (random, 0, 3);
  gboolean show = g_rand_int_range (random, 0, 3) != 0;
  gboolean refresh_golden = g_rand_int_range (random, 0, 4) == 0;
  gboolean refresh_altref = g_rand_int_range (random, 0, 4) == 0;
  RelaisBoolEncoder encoder;
  guint32 tag;

  g_byte_array_set_size (frame, 3);
  relais_bool_encoder_init (&encoder, frame);
  relais_bool_encoder_write_literal (&encoder, 1, 0);  /* segmentation_enabled */
  relais_bool_encoder_write_literal (&encoder, 11, 0); /* the loop filter */
  relais_bool_encoder_write_literal (&encoder, 14, 0); /* partitions, quantizers */
  relais_bool_encoder_write (&encoder, 128, refresh_golden);
  relais_bool_encoder_write (&encoder, 128, refresh_altref);
  if (!refresh_golden)
    relais_bool_encoder_write_literal (&encoder, 2, (guint) g_rand_int_range (random, 0, 3));
  if (!refresh_altref)
    relais_bool_encoder_write_literal (&encoder, 2, (guint) g_rand_int_range (random, 0, 3));
  relais_bool_encoder_write_literal (&encoder, 2, (guint) g_rand_int_range (random, 0, 4));
  relais_bool_encoder_write (&encoder, 128, FALSE); /* refresh_entropy_probs */
  relais_bool_encoder_write (&encoder, 128, g_rand_int_range (random, 0, 4) == 0);
  for (guint i = 0; i < RELAIS_VP8_N_TOKEN_PROBABILITIES; i++)
    relais_bool_encoder_write (&encoder, relais_vp8_token_update_probabilities[i], FALSE);
  relais_bool_encoder_write_literal (&encoder, 9, 0x180); /* mb_no_coeff_skip, prob_skip_false */
  relais_bool_encoder_write_literal (&encoder, 24, 0x808080);
  relais_bool_encoder_write_literal (&encoder, 2, 0);
  for (guint i = 0; i < RELAIS_VP8_N_VECTOR_PROBABILITIES; i++)
    relais_bool_encoder_write (&encoder, relais_vp8_vector_update_probabilities[i], FALSE);
  for (guint row = 0; row < rows; row++)
    {
      for (guint column = 0; column < columns; column++)
        {
          relais_bool_encoder_write_literal (&encoder, 2, 3); /* skipped, inter */
          relais_bool_encoder_write_literal (&encoder, reference > 0 ? 2 : 1,
                                             reference > 0 ? 1 + reference : 0);
          relais_bool_encoder_write (&encoder,
                                     zero_vector[(row > 0 ? 2 : 0) + (column > 0 ? 2 : 0)
                                                 + (row > 0 && column > 0 ? 1 : 0)],
                                     FALSE);
        }
    }
  relais_bool_encoder_finish (&encoder);
  tag = 1 | (show ? 1u << 4 : 0) | (frame->len - 3) << 5;
  for (guint i = 0; i < 3; i++)
    frame->data[i] = (guint8) (tag >> (i * 8));
  g_byte_array_append (frame, (const guint8 *) "", 1);
  return g_byte_array_free_to_bytes (frame);
}

/* References are copied and replaced in every way there is, by frames that are shown and that are
 * not. */
static void
test_copies (void)
{
  static const RelaisTestVpxCase options
      = { .name = "copies", .realtime = TRUE, .each = each_references };
  guint refused = 0;

  for (guint seed = 1; seed <= 4; seed++)
    {
      g_autoptr (GPtrArray) packets
          = relais_test_vpx_encode (vpx_codec_vp8_cx (), &options, 64, 48, 60);
      g_autoptr (GRand) random = g_rand_new_with_seed (seed);

      for (guint i = packets->len - 1; i > 0; i--)
        {
          for (guint n = (guint) g_rand_int_range (random, 0, 5); n > 0; n--)
            g_ptr_array_insert (packets, (int) i, craft_frame (4, 3, random));
        }
      refused += prove (&options, packets, seed % 2);
    }
  g_assert_cmpuint (refused, >, 0);
}

/* What a frame that is cut off or damaged does is not known: there is no repeat until the next key
 * frame. */
static void
test_damage (void)
{
  g_autoptr (GPtrArray) packets = relais_test_vpx_encode (vpx_codec_vp8_cx (), &plain, 64, 48, 2);
  g_autoptr (RelaisRepeatFrame) repeat = relais_repeat_frame_new (RELAIS_CODEC_VP8);
  gsize key_size;
  gsize inter_size;
  const guint8 *key = g_bytes_get_data (g_ptr_array_index (packets, 0), &key_size);
  const guint8 *inter = g_bytes_get_data (g_ptr_array_index (packets, 1), &inter_size);
  guint64 duration;
  gsize size;

  g_assert_null (relais_repeat_frame_make (repeat, &size, &duration));
  relais_repeat_frame_observe (repeat, inter, inter_size);
  g_assert_null (relais_repeat_frame_make (repeat, &size, &duration));

  for (gsize cut = 1; cut < 20; cut++)
    {
      g_autofree guint8 *part = g_memdup2 (inter, cut);
      g_autofree guint8 *made = NULL;

      relais_repeat_frame_observe (repeat, key, key_size);
      made = relais_repeat_frame_make (repeat, &size, &duration);
      g_assert_nonnull (made);
      relais_repeat_frame_observe (repeat, part, cut);
      g_assert_null (relais_repeat_frame_make (repeat, &size, &duration));
      relais_repeat_frame_observe (repeat, inter, inter_size);
      g_assert_null (relais_repeat_frame_make (repeat, &size, &duration));
    }

  /* An empty frame is one that the encoder dropped. */
  relais_repeat_frame_observe (repeat, key, key_size);
  relais_repeat_frame_observe (repeat, NULL, 0);
  {
    g_autofree guint8 *made = relais_repeat_frame_make (repeat, &size, &duration);

    g_assert_nonnull (made);
  }
}

static void
test_capture (gconstpointer data)
{
  static const RelaisTestVpxCase capture = { .name = "capture" };
  g_autoptr (GPtrArray) packets = relais_test_capture_read (data, "V_VP8");

  g_ptr_array_remove_range (packets, 50, packets->len - 50);
  g_assert_cmpuint (prove (&capture, packets, 1), ==, 0);
}

int
main (int argc, char **argv)
{
  static const char *const captures[]
      = { "chrome-vp8-720p.webm", "chrome-vp8-opus.webm", "firefox-vp8-opus.webm" };

  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/repeat-vp8/sizes", test_sizes);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *path = g_strdup_printf ("/repeat-vp8/case/%s", cases[i].name);

      g_test_add_data_func (path, &cases[i], test_case);
    }
  g_test_add_data_func ("/repeat-vp8/nowhere/disposable", &disposable, test_nowhere);
  g_test_add_data_func ("/repeat-vp8/nowhere/layers", &layers, test_nowhere);
  g_test_add_func ("/repeat-vp8/copies", test_copies);
  g_test_add_func ("/repeat-vp8/damage", test_damage);
  for (guint i = 0; i < G_N_ELEMENTS (captures); i++)
    {
      g_autofree char *path = g_strdup_printf ("/repeat-vp8/capture/%s", captures[i]);

      g_test_add_data_func (path, captures[i], test_capture);
    }

  return g_test_run ();
}
