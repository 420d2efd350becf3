/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "stream/relais-track-linker.h"

#include <gst/pbutils/pbutils.h>

#include "base/relais-error.h"
#include "base/relais-log.h"
#include "stream/relais-track-info.h"

static void fail (RelaisTrackLinker *self, RelaisError code, const char *format, ...)
    G_GNUC_PRINTF (3, 4);

static void
fail (RelaisTrackLinker *self, RelaisError code, const char *format, ...)
{
  va_list arguments;

  va_start (arguments, format);
  self->fail (g_error_new_valist (RELAIS_ERROR, code, format, arguments), self->user_data);
  va_end (arguments);
}

/* Chromium's H.264 is one access unit a block, which matroskademux does not say; without it
 * h264parse would wait for the next frame to know where this one ends. */
static GstPadProbeReturn
add_alignment (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  GstEvent *event = GST_PAD_PROBE_INFO_EVENT (info);
  GstCaps *caps;

  if (GST_EVENT_TYPE (event) != GST_EVENT_CAPS)
    return GST_PAD_PROBE_OK;
  gst_event_parse_caps (event, &caps);
  caps = gst_caps_copy (caps);
  gst_caps_set_simple (caps, "alignment", G_TYPE_STRING, "au", NULL);
  GST_PAD_PROBE_INFO_DATA (info) = gst_event_new_caps (caps);
  gst_event_unref (event);
  gst_caps_unref (caps);
  return GST_PAD_PROBE_OK;
}

static GstElement *
make_h264_parser (RelaisTrackLinker *self, GstPad *pad)
{
  GstElement *parser = gst_element_factory_make ("h264parse", NULL);

  if (parser == NULL)
    {
      fail (
          self, RELAIS_ERROR_UNSUPPORTED_CODEC,
          "h264 needs the GStreamer element h264parse (Debian: gstreamer1.0-plugins-bad), which is "
          "not installed");
      return NULL;
    }
  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, add_alignment, NULL, NULL);
  gst_bin_add (self->bin, parser);
  gst_element_sync_state_with_parent (parser);
  return parser;
}

/* A track that relais leaves out: its data goes nowhere. */
static void
discard_track (RelaisTrackLinker *self, GstPad *pad, const char *media_type)
{
  GstElement *sink = gst_element_factory_make ("fakesink", NULL);
  g_autoptr (GstPad) sink_pad = gst_element_get_static_pad (sink, "sink");

  relais_log_warning (self->stream_id,
                      "one video and one audio track are carried; %s track %s is left out",
                      media_type, GST_PAD_NAME (pad));
  g_object_set (sink, "sync", FALSE, "async", FALSE, NULL);
  gst_bin_add (self->bin, sink);
  gst_pad_link (pad, sink_pad);
  gst_element_sync_state_with_parent (sink);
}

static void
refuse_codec (RelaisTrackLinker *self, GstCaps *caps)
{
  const GstStructure *structure = gst_caps_get_structure (caps, 0);
  const char *codec_id = gst_structure_get_string (structure, "codec-id");
  /* matroskademux hands on the CodecID of what it does not know. */
  g_autofree char *description
      = codec_id != NULL ? g_strdup (codec_id) : gst_pb_utils_get_codec_description (caps);

  fail (self, RELAIS_ERROR_UNSUPPORTED_CODEC,
        "a track is %s (%s); VP8, VP9, AV1 and H.264 with Opus, Vorbis or no audio are carried",
        description, gst_structure_get_name (structure));
}

/**
 * relais_track_linker_take_pad:
 * @self: a linker
 * @pad: a pad that the demuxer has added, before the first frame
 *
 * Links it to the muxer. A further track of a kind, and what is neither video nor audio, is left
 * out; a codec that is not carried ends the recording.
 */
void
relais_track_linker_take_pad (RelaisTrackLinker *self, GstPad *pad)
{
  g_autoptr (GstCaps) caps = gst_pad_get_current_caps (pad);
  const char *media_type;
  g_autoptr (GstPad) mux_pad = NULL;
  GstElement *parser = NULL;
  RelaisTrackInfo info;
  gboolean *has_kind;
  GstPadLinkReturn linked;

  if (caps == NULL)
    caps = gst_pad_query_caps (pad, NULL);
  if (gst_caps_is_empty (caps) || gst_caps_is_any (caps))
    return;
  media_type = gst_structure_get_name (gst_caps_get_structure (caps, 0));
  if (!g_str_has_prefix (media_type, "video/") && !g_str_has_prefix (media_type, "audio/"))
    {
      discard_track (self, pad, media_type);
      return;
    }
  if (!relais_track_info_from_caps (&info, caps))
    {
      refuse_codec (self, caps);
      return;
    }
  has_kind = info.is_video ? &self->has_video : &self->has_audio;
  if (*has_kind)
    {
      discard_track (self, pad, media_type);
      return;
    }

  if (g_str_equal (info.codec, "h264") && (parser = make_h264_parser (self, pad)) == NULL)
    return;
  mux_pad = gst_element_request_pad_simple (self->mux, info.is_video ? "video_%u" : "audio_%u");
  if (mux_pad == NULL)
    {
      fail (self, RELAIS_ERROR_INTERNAL, "the muxer takes no %s track", media_type);
      return;
    }
  *has_kind = TRUE;

  if (parser != NULL)
    {
      g_autoptr (GstPad) parser_sink = gst_element_get_static_pad (parser, "sink");
      g_autoptr (GstPad) parser_src = gst_element_get_static_pad (parser, "src");

      linked = gst_pad_link (parser_src, mux_pad);
      if (linked == GST_PAD_LINK_OK)
        linked = gst_pad_link (pad, parser_sink);
    }
  else
    linked = gst_pad_link (pad, mux_pad);
  if (linked != GST_PAD_LINK_OK)
    fail (self, RELAIS_ERROR_UNSUPPORTED_CODEC, "a %s track is of a form that cannot be carried",
          info.codec);
}

static void
list_track (RelaisTrackLinker *self, const char *pad_name, GArray *tracks)
{
  g_autoptr (GstPad) pad = gst_element_get_static_pad (self->mux, pad_name);
  g_autoptr (GstPad) target = gst_ghost_pad_get_target (GST_GHOST_PAD (pad));
  g_autoptr (GstCaps) caps = gst_pad_get_current_caps (pad);
  RelaisTrackInfo info;

  if (target != NULL && caps != NULL && relais_track_info_from_caps (&info, caps))
    g_array_append_val (tracks, info);
}

/**
 * relais_track_linker_list_tracks:
 * @self: a linker
 *
 * Only behind the parsers, when the first block comes out, do the caps hold all they ever will (the
 * profile of H.264). A pad without a target has left the epoch. The muxer's statistics cannot be
 * asked then: it is inside its lock.
 *
 * Returns: (transfer full) (element-type RelaisTrackInfo): the epoch's tracks
 */
GArray *
relais_track_linker_list_tracks (RelaisTrackLinker *self)
{
  GArray *tracks = g_array_new (FALSE, FALSE, sizeof (RelaisTrackInfo));

  if (self->has_video)
    list_track (self, "video_0", tracks);
  if (self->has_audio)
    list_track (self, "audio_0", tracks);
  return tracks;
}

/**
 * relais_track_linker_get_main_pad:
 * @self: a linker
 *
 * Returns: (transfer full) (nullable): the muxer's pad for the video, else for the audio
 */
GstPad *
relais_track_linker_get_main_pad (RelaisTrackLinker *self)
{
  if (!self->has_video && !self->has_audio)
    return NULL;
  return gst_element_get_static_pad (self->mux, self->has_video ? "video_0" : "audio_0");
}
