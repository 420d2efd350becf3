/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * RelaisCodec:
 * @RELAIS_CODEC_UNKNOWN: none of these
 * @RELAIS_CODEC_VP8: V_VP8
 * @RELAIS_CODEC_VP9: V_VP9
 * @RELAIS_CODEC_AV1: V_AV1
 * @RELAIS_CODEC_H264: V_MPEG4/ISO/AVC, with length prefixes or as Annex B
 * @RELAIS_CODEC_OPUS: A_OPUS
 * @RELAIS_CODEC_VORBIS: A_VORBIS
 *
 * What a track holds.
 */
typedef enum
{
  RELAIS_CODEC_UNKNOWN,
  RELAIS_CODEC_VP8,
  RELAIS_CODEC_VP9,
  RELAIS_CODEC_AV1,
  RELAIS_CODEC_H264,
  RELAIS_CODEC_OPUS,
  RELAIS_CODEC_VORBIS,
} RelaisCodec;

gboolean
relais_sync_point_check (RelaisCodec codec, guint nal_length_size, const guint8 *data, gsize size);

G_END_DECLS
