/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "stream/relais-track-info.h"

/* The codec strings are those that isTypeSupported() of Chromium and Firefox take. */
static const struct
{
  const char *caps;
  const char *codec;
  const char *mime_codec;
  const char *words;
} tracks[] = {
  { "video/x-vp8, width=640, height=360", "vp8", "vp8", "vp8 640x360" },
  { "video/x-vp8", "vp8", "vp8", "vp8 0x0" },
  { "video/x-vp9, width=1280, height=720", "vp9", "vp9", "vp9 1280x720" },
  { "video/x-av1, width=1920, height=1080", "av1", "av01.0.04M.08", "av1 1920x1080" },
  /* av1C: marker and version, profile 0 level 8 (4.0), Main tier, 8 bit */
  { "video/x-av1, codec_data=(buffer)81080c00", "av1", "av01.0.08M.08", "av1 0x0" },
  /* High tier, 10 bit */
  { "video/x-av1, codec_data=(buffer)810dcc00", "av1", "av01.0.13H.10", "av1 0x0" },
  /* profile 2, 12 bit */
  { "video/x-av1, codec_data=(buffer)81486c00", "av1", "av01.2.08M.12", "av1 0x0" },
  /* cut off: what is asked for elsewhere */
  { "video/x-av1, codec_data=(buffer)8108", "av1", "av01.0.04M.08", "av1 0x0" },
  { "video/x-h264, stream-format=avc, codec_data=(buffer)0142c01effe1000467420042010002684e",
    "h264", "avc1.42C01E", "h264 0x0" },
  { "video/x-h264", "h264", "avc1.42E01E", "h264 0x0" },
  { "audio/x-opus, rate=48000, channels=2", "opus", "opus", "opus 48000 Hz" },
  { "audio/x-opus", "opus", "opus", "opus 0 Hz" },
  { "audio/x-vorbis, rate=44100, channels=2", "vorbis", "vorbis", "vorbis 44100 Hz" },
};

static RelaisTrackInfo
make_info (const char *text)
{
  g_autoptr (GstCaps) caps = gst_caps_from_string (text);
  RelaisTrackInfo info;

  g_assert_true (relais_track_info_from_caps (&info, caps));
  return info;
}

static void
test_from_caps (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (tracks); i++)
    {
      RelaisTrackInfo info = make_info (tracks[i].caps);
      g_autofree char *words = relais_track_info_describe (&info);

      g_assert_cmpstr (info.codec, ==, tracks[i].codec);
      g_assert_cmpint (info.is_video, ==, g_str_has_prefix (tracks[i].caps, "video/"));
      g_test_message ("%s", tracks[i].caps);
      g_assert_cmpstr (info.mime_codec, ==, tracks[i].mime_codec);
      g_assert_cmpstr (words, ==, tracks[i].words);
    }
}

static void
test_channels (void)
{
  RelaisTrackInfo info = make_info ("audio/x-opus, rate=48000, channels=6");

  g_assert_cmpuint (info.channels, ==, 6);
  g_assert_cmpuint (info.rate, ==, 48000);
  g_assert_cmpuint (info.width, ==, 0);
}

static void
test_not_carried (void)
{
  static const char *const caps_texts[] = {
    "video/x-theora",
    "video/x-h265",
    "video/mpeg, mpegversion=4",
    "audio/mpeg, mpegversion=4",
    "audio/x-flac",
    "audio/x-raw",
    "text/x-raw",
    "application/x-ass",
  };

  for (guint i = 0; i < G_N_ELEMENTS (caps_texts); i++)
    {
      g_autoptr (GstCaps) caps = gst_caps_from_string (caps_texts[i]);
      RelaisTrackInfo info;

      g_assert_false (relais_track_info_from_caps (&info, caps));
    }
}

static char *
make_mime (const char *first, const char *second, gboolean is_webm)
{
  g_autoptr (GArray) infos = g_array_new (FALSE, FALSE, sizeof (RelaisTrackInfo));
  RelaisTrackInfo info;

  if (first != NULL)
    {
      info = make_info (first);
      g_array_append_val (infos, info);
    }
  if (second != NULL)
    {
      info = make_info (second);
      g_array_append_val (infos, info);
    }
  return relais_track_info_make_mime (infos, is_webm);
}

static void
test_mime (void)
{
  static const struct
  {
    const char *first;
    const char *second;
    gboolean is_webm;
    const char *mime;
  } cases[] = {
    { "video/x-vp8", "audio/x-opus", TRUE, "video/webm; codecs=\"vp8,opus\"" },
    { "video/x-vp9", NULL, TRUE, "video/webm; codecs=\"vp9\"" },
    { "audio/x-opus", NULL, TRUE, "audio/webm; codecs=\"opus\"" },
    { "audio/x-opus", "video/x-vp8", TRUE, "video/webm; codecs=\"opus,vp8\"" },
    { "video/x-h264", "audio/x-opus", FALSE, "video/x-matroska; codecs=\"avc1.42E01E,opus\"" },
    { "audio/x-vorbis", NULL, FALSE, "audio/x-matroska; codecs=\"vorbis\"" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *mime = make_mime (cases[i].first, cases[i].second, cases[i].is_webm);

      g_assert_cmpstr (mime, ==, cases[i].mime);
    }
}

static void
test_equal (void)
{
  RelaisTrackInfo vp8 = make_info ("video/x-vp8, width=640, height=360");
  RelaisTrackInfo small_vp8 = make_info ("video/x-vp8, width=64, height=36");
  RelaisTrackInfo vp9 = make_info ("video/x-vp9");
  RelaisTrackInfo opus = make_info ("audio/x-opus");
  RelaisTrackInfo lists[][2] = { { vp8, opus }, { small_vp8, opus }, { vp9, opus }, { opus, vp8 } };
  g_autoptr (GArray) left = g_array_new (FALSE, FALSE, sizeof (RelaisTrackInfo));

  g_array_append_vals (left, lists[0], 2);
  for (guint i = 0; i < G_N_ELEMENTS (lists); i++)
    {
      g_autoptr (GArray) right = g_array_new (FALSE, FALSE, sizeof (RelaisTrackInfo));

      g_array_append_vals (right, lists[i], 1);
      g_assert_false (relais_track_infos_equal (left, right));
      g_array_append_vals (right, lists[i] + 1, 1);
      g_assert_cmpint (relais_track_infos_equal (left, right), ==, i < 2);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  /* No element is needed, so no plugin is looked for. */
  g_setenv ("GST_REGISTRY_DISABLE", "yes", TRUE);
  gst_init (NULL, NULL);
  g_test_add_func ("/track-info/from-caps", test_from_caps);
  g_test_add_func ("/track-info/channels", test_channels);
  g_test_add_func ("/track-info/not-carried", test_not_carried);
  g_test_add_func ("/track-info/mime", test_mime);
  g_test_add_func ("/track-info/equal", test_equal);
  return g_test_run ();
}
