/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* From caps to the words that viewers, the API and the log use. */

#include "config.h"

#include "stream/relais-track-info.h"

#include <gst/pbutils/pbutils.h>
#include <string.h>

static const struct
{
  const char *media_type;
  const char *word;
  /* What `codecs` says where the caps hold no profile. Chromium and Firefox take both forms of VP9
   * (“vp9” and the long one), but of AV1 only the long one: profile 0, level 3.0 and 8 bit is what
   * isTypeSupported() is asked about elsewhere. */
  const char *mime_fallback;
} codecs[] = {
  { "video/x-vp8", "vp8", "vp8" },           { "video/x-vp9", "vp9", "vp9" },
  { "video/x-av1", "av1", "av01.0.04M.08" }, { "video/x-h264", "h264", "avc1.42E01E" },
  { "audio/x-opus", "opus", "opus" },        { "audio/x-vorbis", "vorbis", "vorbis" },
};

/* AV1 in Matroska carries an av1C (AV1 Codec ISO Media File Format Binding, section 2.3.3); the
 * string is that of its section 5. Returns: whether @caps hold one */
static gboolean
read_av1_mime (const GstStructure *structure, char *mime, gsize size)
{
  const GValue *value = gst_structure_get_value (structure, "codec_data");
  guint8 bytes[3];
  guint depth;

  if (value == NULL
      || gst_buffer_extract (gst_value_get_buffer (value), 0, bytes, sizeof bytes) != sizeof bytes)
    return FALSE;
  depth = (bytes[2] & 0x40) == 0 ? 8 : (bytes[2] & 0x20) == 0 ? 10 : 12;
  g_snprintf (mime, size, "av01.%u.%02u%c.%02u", bytes[1] >> 5, bytes[1] & 0x1f,
              (bytes[2] & 0x80) != 0 ? 'H' : 'M', depth);
  return TRUE;
}

/**
 * relais_track_info_from_caps:
 * @info: (out): the description
 * @caps: fixed caps of a demuxed or parsed pad
 *
 * Returns: whether relais carries the codec
 */
gboolean
relais_track_info_from_caps (RelaisTrackInfo *info, GstCaps *caps)
{
  const GstStructure *structure = gst_caps_get_structure (caps, 0);
  g_autofree char *mime_codec = NULL;
  int width = 0, height = 0, rate = 0, channels = 0;

  *info = (RelaisTrackInfo){ 0 };
  for (guint i = 0; i < G_N_ELEMENTS (codecs); i++)
    {
      if (!gst_structure_has_name (structure, codecs[i].media_type))
        continue;

      info->codec = codecs[i].word;
      info->is_video = g_str_has_prefix (codecs[i].media_type, "video/");
      if (g_str_equal (info->codec, "av1")
          && read_av1_mime (structure, info->mime_codec, sizeof info->mime_codec))
        continue;
      /* Where the caps hold no profile, GStreamer says a bare FourCC, which browsers refuse; so it
       * does for VP8 ("vp08"). */
      mime_codec = gst_codec_utils_caps_get_mime_codec (caps);
      if (mime_codec == NULL || strchr (mime_codec, '.') == NULL)
        g_strlcpy (info->mime_codec, codecs[i].mime_fallback, sizeof info->mime_codec);
      else
        g_strlcpy (info->mime_codec, mime_codec, sizeof info->mime_codec);
    }
  if (info->codec == NULL)
    return FALSE;

  gst_structure_get_int (structure, "width", &width);
  gst_structure_get_int (structure, "height", &height);
  gst_structure_get_int (structure, "rate", &rate);
  gst_structure_get_int (structure, "channels", &channels);
  info->width = (guint) width;
  info->height = (guint) height;
  info->rate = (guint) rate;
  info->channels = (guint) channels;
  return TRUE;
}

/**
 * relais_track_info_make_mime:
 * @tracks: (element-type RelaisTrackInfo): the tracks of an epoch
 * @is_webm: whether the container is WebM, otherwise Matroska
 *
 * Returns: (transfer full): the MIME type for MediaSource.isTypeSupported(), as in `video/webm;
 * codecs="vp8,opus"`
 */
char *
relais_track_info_make_mime (GArray *tracks, gboolean is_webm)
{
  g_autoptr (GString) list = g_string_new (NULL);
  gboolean has_video = FALSE;

  for (guint i = 0; i < tracks->len; i++)
    {
      const RelaisTrackInfo *info = &g_array_index (tracks, RelaisTrackInfo, i);

      has_video |= info->is_video;
      g_string_append_printf (list, "%s%s", i > 0 ? "," : "", info->mime_codec);
    }
  return g_strdup_printf ("%s/%s; codecs=\"%s\"", has_video ? "video" : "audio",
                          is_webm ? "webm" : "x-matroska", list->str);
}

/**
 * relais_track_info_describe:
 * @info: a track
 *
 * Returns: (transfer full): words for the log: `vp8 640x360`, `opus 48000 Hz`
 */
char *
relais_track_info_describe (const RelaisTrackInfo *info)
{
  if (info->is_video)
    return g_strdup_printf ("%s %ux%u", info->codec, info->width, info->height);
  return g_strdup_printf ("%s %u Hz", info->codec, info->rate);
}

/**
 * relais_track_infos_equal:
 * @left: (element-type RelaisTrackInfo): tracks
 * @right: (element-type RelaisTrackInfo): other tracks
 *
 * Returns: whether both hold the same codecs in the same order
 */
gboolean
relais_track_infos_equal (GArray *left, GArray *right)
{
  if (left->len != right->len)
    return FALSE;
  for (guint i = 0; i < left->len; i++)
    if (g_array_index (left, RelaisTrackInfo, i).codec
        != g_array_index (right, RelaisTrackInfo, i).codec)
      return FALSE;
  return TRUE;
}
