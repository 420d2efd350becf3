/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* libvpx as the tests of VP8's and VP9's repeat frames need it: streams made with a given setting,
 * and each packet's picture as a hash. */

#include "relais-test-vpx.h"

#include <vpx/vp8dx.h>
#include <vpx/vpx_decoder.h>

#include "relais-test-repeat.h"

static vpx_image_t *
draw (vpx_img_fmt_t format, guint bits, guint width, guint height, guint picture)
{
  vpx_image_t *image = vpx_img_alloc (NULL, format, width, height, 16);

  g_assert_nonnull (image);
  image->bit_depth = bits;
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

/* Statistics of a first pass go into @statistics. */
static gboolean
take_packets (vpx_codec_ctx_t *encoder, GPtrArray *packets, GByteArray *statistics)
{
  vpx_codec_iter_t iter = NULL;
  const vpx_codec_cx_pkt_t *packet;
  gboolean any = FALSE;

  while ((packet = vpx_codec_get_cx_data (encoder, &iter)) != NULL)
    {
      if (packet->kind == VPX_CODEC_STATS_PKT)
        {
          g_byte_array_append (statistics, packet->data.twopass_stats.buf,
                               (guint) packet->data.twopass_stats.sz);
          any = TRUE;
        }
      if (packet->kind != VPX_CODEC_CX_FRAME_PKT)
        continue;
      g_ptr_array_add (packets, g_bytes_new (packet->data.frame.buf, packet->data.frame.sz));
      any = TRUE;
    }
  return any;
}

static void
run_pass (vpx_codec_iface_t *codec,
          const RelaisTestVpxCase *options,
          vpx_codec_enc_cfg_t config,
          guint n_pictures,
          GPtrArray *packets,
          GByteArray *statistics)
{
  vpx_img_fmt_t format = options->format != 0 ? options->format : VPX_IMG_FMT_I420;
  vpx_codec_flags_t high = format & VPX_IMG_FMT_HIGHBITDEPTH ? VPX_CODEC_USE_HIGHBITDEPTH : 0;
  unsigned long deadline = options->realtime ? VPX_DL_REALTIME : VPX_DL_GOOD_QUALITY;
  vpx_codec_ctx_t encoder;

  g_assert_cmpint (vpx_codec_enc_init (&encoder, codec, &config, high), ==, VPX_CODEC_OK);
  g_assert_cmpint (vpx_codec_control (&encoder, VP8E_SET_CPUUSED, options->realtime ? 8 : 5), ==,
                   VPX_CODEC_OK);
  if (options->start != NULL)
    options->start (&encoder);

  for (guint i = 0; i < n_pictures; i++)
    {
      vpx_enc_frame_flags_t flags = 0;
      vpx_image_t *image;

      if (options->each != NULL)
        flags = options->each (&encoder, &config, i);
      image = draw (format, config.g_input_bit_depth, config.g_w, config.g_h, i);
      if (vpx_codec_encode (&encoder, image, (vpx_codec_pts_t) i, 1, flags, deadline)
          != VPX_CODEC_OK)
        g_error ("%s: %s", options->name, vpx_codec_error_detail (&encoder));
      vpx_img_free (image);
      take_packets (&encoder, packets, statistics);
    }
  do
    {
      g_assert_cmpint (vpx_codec_encode (&encoder, NULL, 0, 1, 0, deadline), ==, VPX_CODEC_OK);
    }
  while (take_packets (&encoder, packets, statistics));
  vpx_codec_destroy (&encoder);
}

/**
 * relais_test_vpx_encode:
 * @codec: an encoder
 * @options: the setting
 * @width: of the first picture
 * @height: of the first picture
 * @n_pictures: how many
 *
 * Returns: (transfer full) (element-type GBytes): the packets
 */
GPtrArray *
relais_test_vpx_encode (vpx_codec_iface_t *codec,
                        const RelaisTestVpxCase *options,
                        guint width,
                        guint height,
                        guint n_pictures)
{
  GPtrArray *packets = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
  g_autoptr (GByteArray) statistics = g_byte_array_new ();
  vpx_codec_enc_cfg_t config;

  g_assert_cmpint (vpx_codec_enc_config_default (codec, &config, 0), ==, VPX_CODEC_OK);
  config.g_w = width;
  config.g_h = height;
  config.g_timebase.num = 1;
  config.g_timebase.den = 30;
  config.g_threads = 1;
  config.g_lag_in_frames = options->realtime ? 0 : 16;
  config.rc_end_usage = options->realtime ? VPX_CBR : VPX_VBR;
  config.rc_target_bitrate = MAX (100, width * height / 250);
  config.rc_dropframe_thresh = 0;
  config.kf_max_dist = 1000;
  if (options->configure != NULL)
    options->configure (&config);
  if (!options->realtime)
    {
      config.g_pass = VPX_RC_FIRST_PASS;
      run_pass (codec, options, config, n_pictures, packets, statistics);
      g_assert_cmpuint (packets->len, ==, 0);
      config.g_pass = VPX_RC_LAST_PASS;
      config.rc_twopass_stats_in.buf = statistics->data;
      config.rc_twopass_stats_in.sz = statistics->len;
    }
  run_pass (codec, options, config, n_pictures, packets, statistics);
  return packets;
}

static char *
hash_image (const vpx_image_t *image)
{
  guint sample_bytes = image->fmt & VPX_IMG_FMT_HIGHBITDEPTH ? 2 : 1;
  const guint8 *planes[3];
  gssize strides[3];
  guint widths[3];
  guint heights[3];

  for (guint i = 0; i < 3; i++)
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

/**
 * relais_test_vpx_decode:
 * @codec: a decoder
 * @packets: (element-type GBytes): a stream
 *
 * Decodes; the decoder must not complain.
 *
 * Returns: (transfer full) (element-type utf8): for each packet the MD5 of its picture, or %NULL
 */
GPtrArray *
relais_test_vpx_decode (vpx_codec_iface_t *codec, GPtrArray *packets)
{
  GPtrArray *hashes = g_ptr_array_new_with_free_func (g_free);
  vpx_codec_dec_cfg_t config = { .threads = 1 };
  vpx_codec_ctx_t decoder;

  g_assert_cmpint (vpx_codec_dec_init (&decoder, codec, &config, 0), ==, VPX_CODEC_OK);
  for (guint i = 0; i < packets->len; i++)
    {
      gsize size;
      const guint8 *data = g_bytes_get_data (g_ptr_array_index (packets, i), &size);
      vpx_codec_iter_t iter = NULL;
      const vpx_image_t *image;
      int corrupted = 0;

      if (vpx_codec_decode (&decoder, data, (guint) size, NULL, 0) != VPX_CODEC_OK)
        g_error ("packet %u: %s", i, vpx_codec_error_detail (&decoder));
      image = vpx_codec_get_frame (&decoder, &iter);
      g_ptr_array_add (hashes, image != NULL ? hash_image (image) : NULL);
      if (image == NULL)
        continue;
      g_assert_null (vpx_codec_get_frame (&decoder, &iter));
      g_assert_cmpint (vpx_codec_control (&decoder, VP8D_GET_FRAME_CORRUPTED, &corrupted), ==,
                       VPX_CODEC_OK);
      g_assert_cmpint (corrupted, ==, 0);
    }
  vpx_codec_destroy (&decoder);
  return hashes;
}
