/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

/* What one track of an epoch holds, as the demuxed caps say. */
typedef struct
{
  gboolean is_video;
  const char *codec;    /* a short word: vp8, vp9, av1, h264, opus, vorbis (static) */
  char mime_codec[64];  /* for the codecs parameter of a MIME type, RFC 6381 */
  guint width, height;  /* video, in pixels */
  guint rate, channels; /* audio, in Hz */
} RelaisTrackInfo;

gboolean relais_track_info_from_caps (RelaisTrackInfo *info, GstCaps *caps);
char *relais_track_info_make_mime (GArray *tracks, gboolean is_webm);
char *relais_track_info_describe (const RelaisTrackInfo *info);
gboolean relais_track_infos_equal (GArray *left, GArray *right);

G_END_DECLS
