/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* AV1's repeat frames, frame by frame: libaom, dav1d and FFmpeg give the same picture for each
 * repeat as for the frame before it, and bit-identical real frames after it, right after key
 * frames, with every size of picture and of superblock. */

#include <aom/aom_decoder.h>
#include <aom/aom_encoder.h>
#include <aom/aomcx.h>
#include <aom/aomdx.h>
#include <dav1d/dav1d.h>
#include <string.h>

#include "relais-av1-obu.h"
#include "relais-repeat-frame.h"
#include "relais-test-repeat.h"

typedef struct
{
  const char *name;
  gboolean realtime; /* as a browser encodes; else looking ahead */
  void (*configure) (aom_codec_enc_cfg_t *config);
  void (*start) (aom_codec_ctx_t *encoder);
  aom_enc_frame_flags_t (*each) (aom_codec_ctx_t *encoder,
                                 aom_codec_enc_cfg_t *config,
                                 guint picture);
  aom_img_fmt_t format; /* 0 is I420 */
  int speed;            /* 0 is what suits the usage */
} Case;

static void
set (aom_codec_ctx_t *encoder, int control, int value)
{
  if (aom_codec_control (encoder, control, value) != AOM_CODEC_OK)
    g_error ("control %d: %s", control, aom_codec_error_detail (encoder));
}

/* With error resilience libaom numbers the frames. */
static void
configure_resilient (aom_codec_enc_cfg_t *config)
{
  config->g_error_resilient = 1;
}

static void
configure_key_frames (aom_codec_enc_cfg_t *config)
{
  config->kf_max_dist = 3;
}

/* Key frames that are decoded hidden and shown later. */
static void
configure_forward_key_frames (aom_codec_enc_cfg_t *config)
{
  config->kf_max_dist = 16;
  config->kf_min_dist = 16;
  config->g_lag_in_frames = 35;
  config->fwd_kf_enabled = 1;
}

static void
configure_no_lag (aom_codec_enc_cfg_t *config)
{
  config->g_lag_in_frames = 0;
}

static void
configure_resize (aom_codec_enc_cfg_t *config)
{
  config->rc_resize_mode = 1; /* fixed */
  config->rc_resize_denominator = 12;
  config->rc_resize_kf_denominator = 11;
}

static void
configure_superres (aom_codec_enc_cfg_t *config)
{
  config->rc_superres_mode = AOM_SUPERRES_FIXED;
  config->rc_superres_denominator = 13;
  config->rc_superres_kf_denominator = 12;
}

static void
configure_profile_1 (aom_codec_enc_cfg_t *config)
{
  config->g_profile = 1;
}

static void
configure_10_bits (aom_codec_enc_cfg_t *config)
{
  config->g_bit_depth = AOM_BITS_10;
  config->g_input_bit_depth = 10;
}

static void
configure_12_bits (aom_codec_enc_cfg_t *config)
{
  config->g_profile = 2;
  config->g_bit_depth = AOM_BITS_12;
  config->g_input_bit_depth = 12;
}

static void
configure_monochrome (aom_codec_enc_cfg_t *config)
{
  config->monochrome = 1;
}

static void
start_cyclic (aom_codec_ctx_t *encoder)
{
  set (encoder, AV1E_SET_AQ_MODE, 3);
  set (encoder, AV1E_SET_SUPERBLOCK_SIZE, AOM_SUPERBLOCK_SIZE_64X64);
}

static void
start_large_superblocks (aom_codec_ctx_t *encoder)
{
  set (encoder, AV1E_SET_SUPERBLOCK_SIZE, AOM_SUPERBLOCK_SIZE_128X128);
}

static void
start_screen (aom_codec_ctx_t *encoder)
{
  set (encoder, AV1E_SET_TUNE_CONTENT, AOM_CONTENT_SCREEN);
}

static void
start_timing (aom_codec_ctx_t *encoder)
{
  set (encoder, AV1E_SET_TIMING_INFO_TYPE, AOM_TIMING_DEC_MODEL);
}

static void
start_no_tools (aom_codec_ctx_t *encoder)
{
  set (encoder, AV1E_SET_ENABLE_ORDER_HINT, 0);
  set (encoder, AV1E_SET_ENABLE_CDEF, 0);
  set (encoder, AV1E_SET_ENABLE_RESTORATION, 0);
  set (encoder, AV1E_SET_ENABLE_INTERINTRA_COMP, 0);
  set (encoder, AV1E_SET_ENABLE_CHROMA_DELTAQ, 1);
}

static void
start_lossless (aom_codec_ctx_t *encoder)
{
  set (encoder, AV1E_SET_LOSSLESS, 1);
}

static void
start_film_grain (aom_codec_ctx_t *encoder)
{
  set (encoder, AV1E_SET_FILM_GRAIN_TEST_VECTOR, 3);
}

static void
start_render_size (aom_codec_ctx_t *encoder)
{
  int size[2] = { 160, 100 };

  g_assert_cmpint (aom_codec_control (encoder, AV1E_SET_RENDER_SIZE, size), ==, AOM_CODEC_OK);
}

/* The picture goes into one slot or another. */
static aom_enc_frame_flags_t
each_references (aom_codec_ctx_t *encoder, aom_codec_enc_cfg_t *config, guint picture)
{
  static const aom_enc_frame_flags_t flags[] = {
    0,
    AOM_EFLAG_NO_UPD_LAST | AOM_EFLAG_NO_UPD_ARF,
    AOM_EFLAG_NO_UPD_LAST | AOM_EFLAG_NO_UPD_GF,
    AOM_EFLAG_NO_REF_LAST | AOM_EFLAG_NO_UPD_GF,
    AOM_EFLAG_ERROR_RESILIENT,
    AOM_EFLAG_NO_UPD_LAST | AOM_EFLAG_SET_PRIMARY_REF_NONE,
  };

  return flags[picture % G_N_ELEMENTS (flags)];
}

static void
start_forward_key_frames (aom_codec_ctx_t *encoder)
{
  g_assert_cmpint (aom_codec_set_option (encoder, "fwd-kf-dist", "10"), ==, AOM_CODEC_OK);
}

static aom_enc_frame_flags_t
each_switch_frame (aom_codec_ctx_t *encoder, aom_codec_enc_cfg_t *config, guint picture)
{
  return picture % 5 == 4 ? AOM_EFLAG_SET_S_FRAME | AOM_EFLAG_ERROR_RESILIENT : 0;
}

/* Two temporal layers. */
static void
start_layers (aom_codec_ctx_t *encoder)
{
  aom_svc_params_t parameters = {
    .number_spatial_layers = 1,
    .number_temporal_layers = 2,
    .max_quantizers = { 56, 56 },
    .min_quantizers = { 10, 10 },
    .scaling_factor_num = { 1 },
    .scaling_factor_den = { 1 },
    .layer_target_bitrate = { 60, 100 },
    .framerate_factor = { 2, 1 },
  };

  g_assert_cmpint (aom_codec_control (encoder, AV1E_SET_SVC_PARAMS, &parameters), ==, AOM_CODEC_OK);
}

/* The upper layer, every second picture, is kept nowhere. */
static aom_enc_frame_flags_t
each_layers (aom_codec_ctx_t *encoder, aom_codec_enc_cfg_t *config, guint picture)
{
  aom_svc_layer_id_t layer = { .temporal_layer_id = (int) (picture % 2) };
  aom_svc_ref_frame_config_t references = { .reference = { 1 }, .refresh = { picture % 2 == 0 } };

  g_assert_cmpint (aom_codec_control (encoder, AV1E_SET_SVC_LAYER_ID, &layer), ==, AOM_CODEC_OK);
  g_assert_cmpint (aom_codec_control (encoder, AV1E_SET_SVC_REF_FRAME_CONFIG, &references), ==,
                   AOM_CODEC_OK);
  return 0;
}

/* Frames of another size, predicted from scaled references. */
static aom_enc_frame_flags_t
each_smaller (aom_codec_ctx_t *encoder, aom_codec_enc_cfg_t *config, guint picture)
{
  if (picture != 5 && picture != 11)
    return 0;
  config->g_w = picture == 5 ? config->g_w * 3 / 4 : config->g_w + 8;
  config->g_h = picture == 5 ? config->g_h - 3 : config->g_h - 40;
  g_assert_cmpint (aom_codec_enc_config_set (encoder, config), ==, AOM_CODEC_OK);
  return picture == 11 ? AOM_EFLAG_FORCE_KF : 0;
}

static const Case plain = { .name = "plain", .realtime = TRUE, .start = start_cyclic };
static const Case large_superblocks
    = { .name = "128x128", .realtime = TRUE, .start = start_large_superblocks };

/* Only slow encoding uses inter-intra prediction and loop restoration. */
static const Case all_tools = { .name = "all-tools",
                                .realtime = FALSE,
                                .configure = configure_no_lag,
                                .start = start_cyclic,
                                .speed = 1 };
static const Case all_tools_large = { .name = "all-tools-128x128",
                                      .realtime = FALSE,
                                      .configure = configure_no_lag,
                                      .start = start_large_superblocks,
                                      .speed = 1 };

static const Case cases[] = {
  { .name = "key-frames", .realtime = TRUE, .configure = configure_key_frames },
  { .name = "cyclic", .realtime = TRUE, .start = start_cyclic },
  { .name = "screen", .realtime = TRUE, .start = start_screen },
  { .name = "timing", .realtime = TRUE, .start = start_timing },
  { .name = "no-tools", .realtime = TRUE, .start = start_no_tools },
  { .name = "lossless", .realtime = FALSE, .start = start_lossless },
  { .name = "render-size", .realtime = TRUE, .start = start_render_size },
  { .name = "references", .realtime = TRUE, .each = each_references },
  { .name = "smaller", .realtime = TRUE, .each = each_smaller },
  { .name = "good", .realtime = FALSE },
  { .name = "forward-key-frames",
    .realtime = FALSE,
    .configure = configure_forward_key_frames,
    .start = start_forward_key_frames },
  { .name = "switch-frames", .realtime = TRUE, .each = each_switch_frame },
  { .name = "resize", .realtime = FALSE, .configure = configure_resize },
  { .name = "superres", .realtime = FALSE, .configure = configure_superres },
  { .name = "profile-1",
    .realtime = TRUE,
    .configure = configure_profile_1,
    .format = AOM_IMG_FMT_I444 },
  { .name = "10-bits",
    .realtime = TRUE,
    .configure = configure_10_bits,
    .format = AOM_IMG_FMT_I42016 },
  { .name = "12-bits",
    .realtime = FALSE,
    .configure = configure_12_bits,
    .format = AOM_IMG_FMT_I42216 },
  { .name = "monochrome", .realtime = TRUE, .configure = configure_monochrome },
};

static const Case layers
    = { .name = "layers", .realtime = TRUE, .start = start_layers, .each = each_layers };
static const Case frame_ids
    = { .name = "frame-ids", .realtime = TRUE, .configure = configure_resilient };
static const Case film_grain
    = { .name = "film-grain", .realtime = FALSE, .start = start_film_grain };

static aom_image_t *
draw (aom_img_fmt_t format, guint bits, guint width, guint height, guint picture)
{
  aom_image_t *image = aom_img_alloc (NULL, format, width, height, 16);

  g_assert_nonnull (image);
  for (guint i = 0; i < 3; i++)
    {
      guint x_shift = i > 0 ? image->x_chroma_shift : 0;
      guint y_shift = i > 0 ? image->y_chroma_shift : 0;

      relais_test_fill_plane (image->planes[i], (gsize) image->stride[i],
                              (width + (1u << x_shift) - 1) >> x_shift,
                              (height + (1u << y_shift) - 1) >> y_shift, bits, i, picture);
    }
  return image;
}

/* As Matroska holds it: without the temporal delimiter. */
static gboolean
take_packets (aom_codec_ctx_t *encoder, GPtrArray *packets)
{
  aom_codec_iter_t iter = NULL;
  const aom_codec_cx_pkt_t *packet;
  gboolean any = FALSE;

  while ((packet = aom_codec_get_cx_data (encoder, &iter)) != NULL)
    {
      const guint8 *data = packet->data.frame.buf;
      gsize size = packet->data.frame.sz;
      RelaisAv1Obu obu;

      if (packet->kind != AOM_CODEC_CX_FRAME_PKT)
        continue;
      g_assert_true (relais_av1_obu_next (&data, &size, &obu));
      g_assert_cmpuint (obu.type, ==, RELAIS_AV1_OBU_TEMPORAL_DELIMITER);
      g_ptr_array_add (packets, g_bytes_new (data, size));
      any = TRUE;
    }
  return any;
}

static GPtrArray *
encode (const Case *options, guint width, guint height, guint n_pictures)
{
  GPtrArray *packets = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
  aom_img_fmt_t format = options->format != 0 ? options->format : AOM_IMG_FMT_I420;
  aom_codec_enc_cfg_t config;
  aom_codec_ctx_t encoder;

  g_assert_cmpint (aom_codec_enc_config_default (aom_codec_av1_cx (), &config,
                                                 options->realtime ? AOM_USAGE_REALTIME
                                                                   : AOM_USAGE_GOOD_QUALITY),
                   ==, AOM_CODEC_OK);
  config.g_w = width;
  config.g_h = height;
  config.g_timebase.num = 1;
  config.g_timebase.den = 30;
  config.g_threads = 1;
  config.g_lag_in_frames = options->realtime ? 0 : 16;
  config.rc_end_usage = options->realtime ? AOM_CBR : AOM_VBR;
  config.rc_target_bitrate = MAX (100, width * height / 250);
  config.kf_max_dist = 1000;
  if (options->configure != NULL)
    options->configure (&config);
  g_assert_cmpint (aom_codec_enc_init (&encoder, aom_codec_av1_cx (), &config,
                                       format & AOM_IMG_FMT_HIGHBITDEPTH
                                           ? AOM_CODEC_USE_HIGHBITDEPTH
                                           : 0),
                   ==, AOM_CODEC_OK);
  set (&encoder, AOME_SET_CPUUSED,
       options->speed != 0 ? options->speed
       : options->realtime ? 10
                           : 6);
  if (options->start != NULL)
    options->start (&encoder);

  for (guint i = 0; i < n_pictures; i++)
    {
      aom_enc_frame_flags_t flags = 0;
      aom_image_t *image;

      if (options->each != NULL)
        flags = options->each (&encoder, &config, i);
      image = draw (format, config.g_input_bit_depth, config.g_w, config.g_h, i);
      if (aom_codec_encode (&encoder, image, (aom_codec_pts_t) i, 1, flags) != AOM_CODEC_OK)
        g_error ("%s: %s", options->name, aom_codec_error_detail (&encoder));
      aom_img_free (image);
      take_packets (&encoder, packets);
    }
  do
    {
      g_assert_cmpint (aom_codec_encode (&encoder, NULL, 0, 1, 0), ==, AOM_CODEC_OK);
    }
  while (take_packets (&encoder, packets));

  aom_codec_destroy (&encoder);
  return packets;
}

static char *
hash_aom_image (const aom_image_t *image)
{
  guint sample_bytes = image->fmt & AOM_IMG_FMT_HIGHBITDEPTH ? 2 : 1;
  const guint8 *planes[3] = { NULL };
  gssize strides[3] = { 0 };
  guint widths[3] = { 0 };
  guint heights[3] = { 0 };

  for (guint i = 0; i < (image->monochrome ? 1 : 3); i++)
    {
      guint x_shift = i > 0 ? image->x_chroma_shift : 0;
      guint y_shift = i > 0 ? image->y_chroma_shift : 0;

      planes[i] = image->planes[i];
      strides[i] = image->stride[i];
      widths[i] = ((image->d_w + (1u << x_shift) - 1) >> x_shift) * sample_bytes;
      heights[i] = (image->d_h + (1u << y_shift) - 1) >> y_shift;
    }
  return relais_test_hash_planes (planes, strides, widths, heights);
}

static GPtrArray *
decode_aom (GPtrArray *packets)
{
  GPtrArray *hashes = g_ptr_array_new_with_free_func (g_free);
  aom_codec_dec_cfg_t config = { .threads = 1, .allow_lowbitdepth = 1 };
  aom_codec_ctx_t decoder;

  g_assert_cmpint (aom_codec_dec_init (&decoder, aom_codec_av1_dx (), &config, 0), ==,
                   AOM_CODEC_OK);
  for (guint i = 0; i < packets->len; i++)
    {
      gsize size;
      const guint8 *data = g_bytes_get_data (g_ptr_array_index (packets, i), &size);
      aom_codec_iter_t iter = NULL;
      const aom_image_t *image;
      int corrupted = 0;

      if (aom_codec_decode (&decoder, data, size, NULL) != AOM_CODEC_OK)
        g_error ("packet %u: %s: %s", i, aom_codec_error (&decoder),
                 aom_codec_error_detail (&decoder));
      image = aom_codec_get_frame (&decoder, &iter);
      g_ptr_array_add (hashes, image != NULL ? hash_aom_image (image) : NULL);
      g_assert_null (aom_codec_get_frame (&decoder, &iter));
      g_assert_cmpint (aom_codec_control (&decoder, AOMD_GET_FRAME_CORRUPTED, &corrupted), ==,
                       AOM_CODEC_OK);
      g_assert_cmpint (corrupted, ==, 0);
    }
  aom_codec_destroy (&decoder);
  return hashes;
}

static char *
hash_dav1d_picture (const Dav1dPicture *picture)
{
  guint sample_bytes = picture->p.bpc > 8 ? 2 : 1;
  guint x_shift = picture->p.layout != DAV1D_PIXEL_LAYOUT_I444 ? 1 : 0;
  guint y_shift = picture->p.layout == DAV1D_PIXEL_LAYOUT_I420 ? 1 : 0;
  gboolean mono = picture->p.layout == DAV1D_PIXEL_LAYOUT_I400;
  guint width = (guint) picture->p.w;
  guint height = (guint) picture->p.h;
  guint chroma_width = ((width + x_shift) >> x_shift) * sample_bytes;
  guint chroma_height = (height + y_shift) >> y_shift;
  const guint8 *planes[3]
      = { picture->data[0], mono ? NULL : picture->data[1], mono ? NULL : picture->data[2] };
  const gssize strides[3] = { picture->stride[0], picture->stride[1], picture->stride[1] };
  const guint widths[3] = { width * sample_bytes, chroma_width, chroma_width };
  const guint heights[3] = { height, chroma_height, chroma_height };

  return relais_test_hash_planes (planes, strides, widths, heights);
}

static GPtrArray *
decode_dav1d (GPtrArray *packets)
{
  GPtrArray *hashes = g_ptr_array_new_with_free_func (g_free);
  Dav1dSettings settings;
  Dav1dContext *decoder;

  dav1d_default_settings (&settings);
  settings.n_threads = 1;
  settings.max_frame_delay = 1;
  g_assert_cmpint (dav1d_open (&decoder, &settings), ==, 0);
  for (guint i = 0; i < packets->len; i++)
    {
      gsize size;
      const guint8 *content = g_bytes_get_data (g_ptr_array_index (packets, i), &size);
      Dav1dData data = { 0 };
      Dav1dPicture picture = { 0 };
      int result;

      memcpy (dav1d_data_create (&data, size), content, size);
      result = dav1d_send_data (decoder, &data);
      if (result != 0)
        g_error ("packet %u: dav1d says %d", i, result);
      g_assert_cmpuint (data.sz, ==, 0);
      result = dav1d_get_picture (decoder, &picture);
      g_assert_true (result == 0 || result == DAV1D_ERR (EAGAIN));
      g_ptr_array_add (hashes, result == 0 ? hash_dav1d_picture (&picture) : NULL);
      if (result == 0)
        dav1d_picture_unref (&picture);
    }
  dav1d_close (&decoder);
  return hashes;
}

static GPtrArray *
decode_ffmpeg (GPtrArray *packets)
{
  return relais_test_decode_ffmpeg ("AV01", "libdav1d", packets);
}

/* FFmpeg's decoder is dav1d once more, so one pattern of repeats is enough for it. Returns how many
 * repeats could not be made. */
static guint
prove (const Case *options, GPtrArray *packets, guint pattern)
{
  static const struct
  {
    const char *name;
    GPtrArray *(*decode) (GPtrArray *packets);
  } decoders[]
      = { { "libaom", decode_aom }, { "dav1d", decode_dav1d }, { "ffmpeg", decode_ffmpeg } };
  g_autoptr (RelaisTestRepeats) repeats
      = relais_test_repeats_new (RELAIS_CODEC_AV1, packets, pattern);

  g_assert_cmpuint (repeats->n_repeats, >, 0);
  g_test_message ("%s: %u real frames, %u repeats, %u refused", options->name, packets->len,
                  repeats->n_repeats, repeats->n_refused);
  for (guint i = 0; i < (pattern == 1 ? 3 : 2); i++)
    {
      g_autoptr (GPtrArray) before = decoders[i].decode (packets);
      g_autoptr (GPtrArray) after = decoders[i].decode (repeats->packets);
      g_autofree char *what = g_strdup_printf ("%s, %s", decoders[i].name, options->name);

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
      /* A browser's encoder chooses; libaom takes the large superblocks for large pictures when it
       * has the time. */
      const Case *options = i % 2 == 0 ? &plain : &large_superblocks;
      g_autoptr (GPtrArray) packets = encode (options, sizes[i][0], sizes[i][1], 3);

      g_assert_cmpuint (prove (options, packets, 1), ==, 0);
    }
}

static void
prove_edge (const Case *options, guint width, guint height)
{
  g_autoptr (GPtrArray) packets = encode (options, width, height, 2);
  g_autoptr (RelaisTestRepeats) repeats = relais_test_repeats_new (RELAIS_CODEC_AV1, packets, 0);
  g_autoptr (GPtrArray) before = decode_aom (packets);
  g_autoptr (GPtrArray) after = decode_aom (repeats->packets);
  g_autoptr (GPtrArray) before_dav1d = decode_dav1d (packets);
  g_autoptr (GPtrArray) after_dav1d = decode_dav1d (repeats->packets);

  g_assert_cmpuint (repeats->n_repeats, ==, 2);
  relais_test_repeats_compare (repeats, before, after, "libaom, edges");
  relais_test_repeats_compare (repeats, before_dav1d, after_dav1d, "dav1d, edges");
}

/* Superblocks hang over the right and the bottom edge by any multiple of 8 samples, by the same at
 * both and by different ones. */
static void
test_edges (void)
{
  for (guint width = 72; width <= 128; width += 8)
    prove_edge (&all_tools, width, width);
  for (guint width = 16; width <= 136; width += 8)
    prove_edge (&all_tools, width, 152 - width);
}

/* Many halves in a row, so that the smallest error in their probability shows. */
static void
test_edges_long (void)
{
  prove_edge (&plain, 24, 2048);
  prove_edge (&plain, 2048, 24);
  prove_edge (&large_superblocks, 48, 2048);
  prove_edge (&large_superblocks, 2048, 48);
}

static void
test_edges_large (void)
{
  for (guint width = 144; width <= 192; width += 16)
    prove_edge (&all_tools_large, width, width);
  for (guint width = 16; width <= 272; width += 32)
    prove_edge (&all_tools_large, width, 288 - width);
}

/* Looking ahead, libaom keeps some of the pictures that are shown nowhere; as browsers encode it
 * never does. */
static void
test_case (gconstpointer data)
{
  const Case *options = data;
  g_autoptr (GPtrArray) packets = encode (options, 175, 143, options->realtime ? 20 : 40);

  for (guint pattern = 1; pattern < 3; pattern++)
    {
      guint refused = prove (options, packets, pattern);

      g_assert_cmpuint (refused, <=, options->realtime ? 0 : 4);
    }
}

/* What was shown is kept in no slot: there is no repeat, until there is. */
static void
test_nowhere (void)
{
  g_autoptr (GPtrArray) packets = encode (&layers, 175, 143, 24);

  g_assert_cmpuint (prove (&layers, packets, 0), ==, 12);
}

/* Where there is no skip frame, the key frame cannot be repeated; the frames after it can, by being
 * shown again. */
static void
test_not_key_frame (gconstpointer data)
{
  g_autoptr (GPtrArray) packets = encode (data, 175, 143, 24);

  g_assert_cmpuint (prove (data, packets, 0), ==, 1);
}

static void
test_two_tiles (void)
{
  g_autoptr (GPtrArray) packets = encode (&plain, 4104, 24, 4);

  g_assert_cmpuint (prove (&plain, packets, 0), ==, 1);
}

/* What a frame that is cut off or damaged does is not known: there is no repeat until the next key
 * frame. */
static void
test_damage (void)
{
  g_autoptr (GPtrArray) packets = encode (&plain, 64, 48, 2);
  g_autoptr (RelaisRepeatFrame) repeat = relais_repeat_frame_new (RELAIS_CODEC_AV1);
  gsize key_size;
  gsize inter_size;
  const guint8 *key = g_bytes_get_data (g_ptr_array_index (packets, 0), &key_size);
  const guint8 *inter = g_bytes_get_data (g_ptr_array_index (packets, 1), &inter_size);
  g_autofree guint8 *made = NULL;
  guint64 duration;
  gsize size;

  g_assert_null (relais_repeat_frame_make (repeat, &size, &duration));
  relais_repeat_frame_observe (repeat, inter, inter_size);
  g_assert_null (relais_repeat_frame_make (repeat, &size, &duration));

  for (gsize cut = 1; cut < 6; cut++)
    {
      g_autofree guint8 *part = g_memdup2 (inter, cut);
      g_autofree guint8 *after_key = NULL;

      relais_repeat_frame_observe (repeat, key, key_size);
      after_key = relais_repeat_frame_make (repeat, &size, &duration);
      g_assert_nonnull (after_key);
      relais_repeat_frame_observe (repeat, part, cut);
      g_assert_null (relais_repeat_frame_make (repeat, &size, &duration));
      relais_repeat_frame_observe (repeat, inter, inter_size);
      g_assert_null (relais_repeat_frame_make (repeat, &size, &duration));
    }

  /* An empty frame is one that the encoder dropped. */
  relais_repeat_frame_observe (repeat, key, key_size);
  relais_repeat_frame_observe (repeat, NULL, 0);
  made = relais_repeat_frame_make (repeat, &size, &duration);
  g_assert_nonnull (made);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/repeat-av1/sizes", test_sizes);
  g_test_add_func ("/repeat-av1/edges/64x64", test_edges);
  g_test_add_func ("/repeat-av1/edges/long", test_edges_long);
  g_test_add_func ("/repeat-av1/edges/128x128", test_edges_large);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *path = g_strdup_printf ("/repeat-av1/case/%s", cases[i].name);

      g_test_add_data_func (path, &cases[i], test_case);
    }
  g_test_add_func ("/repeat-av1/nowhere", test_nowhere);
  g_test_add_data_func ("/repeat-av1/not-key-frame/film-grain", &film_grain, test_not_key_frame);
  g_test_add_data_func ("/repeat-av1/not-key-frame/frame-ids", &frame_ids, test_not_key_frame);
  g_test_add_func ("/repeat-av1/not-key-frame/two-tiles", test_two_tiles);
  g_test_add_func ("/repeat-av1/damage", test_damage);

  return g_test_run ();
}
