/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <vpx/vp8cx.h>
#include <vpx/vpx_encoder.h>

G_BEGIN_DECLS

/**
 * RelaisTestVpxCase:
 * @name: what is special about it
 * @realtime: as a browser encodes; else in two passes, looking ahead
 * @configure: (nullable): changes the configuration before the encoder opens
 * @start: (nullable): sets controls
 * @each: (nullable): called before each picture; may change the encoder; returns the picture's
 * flags
 * @format: of the pictures; 0 is I420
 */
typedef struct
{
  const char *name;
  gboolean realtime;
  void (*configure) (vpx_codec_enc_cfg_t *config);
  void (*start) (vpx_codec_ctx_t *encoder);
  vpx_enc_frame_flags_t (*each) (vpx_codec_ctx_t *encoder,
                                 vpx_codec_enc_cfg_t *config,
                                 guint picture);
  vpx_img_fmt_t format;
} RelaisTestVpxCase;

GPtrArray *relais_test_vpx_encode (vpx_codec_iface_t *codec,
                                   const RelaisTestVpxCase *options,
                                   guint width,
                                   guint height,
                                   guint n_pictures);
GPtrArray *relais_test_vpx_decode (vpx_codec_iface_t *codec, GPtrArray *packets);

G_END_DECLS
