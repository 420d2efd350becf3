/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What livematroskamux knows of one track: its codec, whether a frame is a sync point, how a filler
 * is made, what was counted. It moves no data; the bin serialises all calls under its lock. */

#include "config.h"

#include "relais-mux-track.h"

static const struct
{
  const char *media_type;
  RelaisCodec codec;
} media_types[] = {
  { "video/x-vp8", RELAIS_CODEC_VP8 },   { "video/x-vp9", RELAIS_CODEC_VP9 },
  { "video/x-av1", RELAIS_CODEC_AV1 },   { "video/x-h264", RELAIS_CODEC_H264 },
  { "audio/x-opus", RELAIS_CODEC_OPUS }, { "audio/x-vorbis", RELAIS_CODEC_VORBIS },
};

/**
 * relais_mux_track_new:
 * @pad: the bin's ghost pad
 * @is_video: whether it is a video pad
 *
 * Returns: (transfer full): a track with no codec yet
 */
RelaisMuxTrack *
relais_mux_track_new (GstPad *pad, gboolean is_video)
{
  RelaisMuxTrack *self = g_new0 (RelaisMuxTrack, 1);

  self->pad = pad;
  self->is_video = is_video;
  relais_sound_clock_init (&self->sound);
  gst_segment_init (&self->segment, GST_FORMAT_TIME);
  return self;
}

void
relais_mux_track_free (RelaisMuxTrack *self)
{
  g_clear_pointer (&self->repeat, relais_repeat_frame_free);
  gst_clear_object (&self->target);
  gst_clear_event (&self->new_caps);
  g_free (self);
}

/* "avcC", ISO/IEC 14496-15 section 5.3.3.1: the low two bits of byte 4 are lengthSizeMinusOne. */
static guint
read_nal_length_size (const GstStructure *structure)
{
  const GValue *value = gst_structure_get_value (structure, "codec_data");
  guint8 byte;

  if (g_strcmp0 (gst_structure_get_string (structure, "stream-format"), "byte-stream") == 0)
    return 0;
  if (value == NULL || gst_buffer_extract (gst_value_get_buffer (value), 4, &byte, 1) != 1)
    return 4;
  return (byte & 3) + 1;
}

/* OpusHead, RFC 7845 section 5.1: the pre-skip stands at byte 10, in samples of 48 kHz, little
 * endian. */
static guint64
read_codec_delay (const GstStructure *structure)
{
  const GValue *headers = gst_structure_get_value (structure, "streamheader");
  guint8 bytes[2];

  if (headers == NULL || gst_value_array_get_size (headers) == 0
      || gst_buffer_extract (gst_value_get_buffer (gst_value_array_get_value (headers, 0)), 10,
                             bytes, sizeof bytes)
             != sizeof bytes)
    return 0;
  return gst_util_uint64_scale (GST_READ_UINT16_LE (bytes), GST_SECOND, 48000);
}

/**
 * relais_mux_track_set_caps:
 * @self: a track
 * @caps: fixed caps of its pad
 *
 * Learns the codec.
 */
void
relais_mux_track_set_caps (RelaisMuxTrack *self, const GstCaps *caps)
{
  const GstStructure *structure = gst_caps_get_structure (caps, 0);
  int family = 0;

  self->codec = RELAIS_CODEC_UNKNOWN;
  for (guint i = 0; i < G_N_ELEMENTS (media_types); i++)
    if (gst_structure_has_name (structure, media_types[i].media_type))
      self->codec = media_types[i].codec;

  self->nal_length_size = self->codec == RELAIS_CODEC_H264 ? read_nal_length_size (structure) : 0;
  self->time.codec_delay = self->codec == RELAIS_CODEC_OPUS ? read_codec_delay (structure) : 0;
  self->time.reorders = self->codec == RELAIS_CODEC_H264;
  g_clear_pointer (&self->repeat, relais_repeat_frame_free);
  /* Silence of more than two channels would be another packet for each layout (RFC 7845
   * section 5.1.1). */
  gst_structure_get_int (structure, "channel-mapping-family", &family);
  if (self->codec != RELAIS_CODEC_OPUS || family == 0)
    self->repeat = relais_repeat_frame_new (self->codec);
  self->has_caps = TRUE;
}

/**
 * relais_mux_track_reset:
 * @self: a track
 *
 * Forgets what the last run wrote; the codec and the counters stay.
 */
void
relais_mux_track_reset (RelaisMuxTrack *self)
{
  self->time
      = (RelaisTrackTime){ .reorders = self->time.reorders, .codec_delay = self->time.codec_delay };
  relais_sound_clock_init (&self->sound);
  relais_append_gap_init (&self->gap);
  self->started = self->filling = self->eos = FALSE;
  self->wants_to_leave = self->has_left = FALSE;
  gst_segment_init (&self->segment, GST_FORMAT_TIME);
}

/**
 * relais_mux_track_is_webm:
 * @self: a track
 *
 * Returns: whether WebM may hold the track's codec (https://www.webmproject.org/docs/container/)
 */
gboolean
relais_mux_track_is_webm (const RelaisMuxTrack *self)
{
  return self->codec != RELAIS_CODEC_H264;
}

/* RFC 7845 section 4: an Opus packet says itself how long it is (RFC 6716 section 3.1). */
static guint64
read_opus_duration (const guint8 *data, gsize size)
{
  static const guint16 silk_frames[] = { 480, 960, 1920, 2880 };
  static const guint16 hybrid_frames[] = { 480, 960 };
  static const guint16 celt_frames[] = { 120, 240, 480, 960 };
  guint config, n_frames, samples;

  if (size == 0)
    return 0;
  config = data[0] >> 3;
  samples = config < 12   ? silk_frames[config & 3]
            : config < 16 ? hybrid_frames[config & 1]
                          : celt_frames[config & 3];
  n_frames = (data[0] & 3) == 0 ? 1 : (data[0] & 3) < 3 ? 2 : size > 1 ? data[1] & 0x3f : 0;
  return gst_util_uint64_scale (samples * n_frames, GST_SECOND, 48000);
}

/**
 * relais_mux_track_smooth:
 * @self: a track with caps
 * @buffer: (inout): a writable frame of it, whose PTS is its running time
 *
 * Gives a packet of Opus its duration, and the time at which the one before it ends, if its own is
 * near that. To be called once for each frame, in the order of arrival.
 */
void
relais_mux_track_smooth (RelaisMuxTrack *self, GstBuffer *buffer)
{
  guint8 head[2];
  gsize size;

  if (self->codec != RELAIS_CODEC_OPUS)
    return;
  size = gst_buffer_extract (buffer, 0, head, sizeof head);
  GST_BUFFER_DURATION (buffer) = read_opus_duration (head, size);
  GST_BUFFER_PTS (buffer) = relais_sound_clock_smooth (&self->sound, GST_BUFFER_PTS (buffer),
                                                       GST_BUFFER_DURATION (buffer));
}

/**
 * relais_mux_track_inspect:
 * @self: a track with caps
 * @buffer: (inout): a writable frame of it, as relais_mux_track_smooth() left it
 *
 * Reads the frame's own bitstream, makes the buffer's DELTA_UNIT flag true to it and lets the
 * filler learn.
 *
 * Returns: whether decoding of this track can start at the frame
 */
gboolean
relais_mux_track_inspect (RelaisMuxTrack *self, GstBuffer *buffer)
{
  GstMapInfo map;
  gboolean is_sync_point, claims_sync_point;

  if (!gst_buffer_map (buffer, &map, GST_MAP_READ))
    return FALSE;

  is_sync_point = relais_sync_point_check (self->codec, self->nal_length_size, map.data, map.size);
  if (self->repeat != NULL && (self->started || is_sync_point))
    relais_repeat_frame_observe (self->repeat, map.data, map.size);
  if (self->codec == RELAIS_CODEC_OPUS)
    self->duration = GST_BUFFER_DURATION (buffer);
  gst_buffer_unmap (buffer, &map);

  claims_sync_point = !GST_BUFFER_FLAG_IS_SET (buffer, GST_BUFFER_FLAG_DELTA_UNIT);
  if (claims_sync_point != is_sync_point)
    self->n_misflagged++;
  if (is_sync_point)
    GST_BUFFER_FLAG_UNSET (buffer, GST_BUFFER_FLAG_DELTA_UNIT);
  else
    GST_BUFFER_FLAG_SET (buffer, GST_BUFFER_FLAG_DELTA_UNIT);
  return is_sync_point;
}

/**
 * relais_mux_track_make_filler:
 * @self: a track that is quiet
 *
 * Returns: (transfer full) (nullable): a frame that shows the last picture again or a packet of
 * silence, without a time; %NULL where the codec or the moment has none. Its duration is set for
 * audio.
 */
GstBuffer *
relais_mux_track_make_filler (RelaisMuxTrack *self)
{
  g_autofree guint8 *data = NULL;
  GstBuffer *buffer;
  guint64 duration = 0;
  gsize size = 0;

  if (self->repeat == NULL || !self->started)
    return NULL;
  data = relais_repeat_frame_make (self->repeat, &size, &duration);
  if (data == NULL)
    return NULL;

  buffer = gst_buffer_new_wrapped (g_steal_pointer (&data), size);
  if (self->is_video)
    GST_BUFFER_FLAG_SET (buffer, GST_BUFFER_FLAG_DELTA_UNIT);
  else
    GST_BUFFER_DURATION (buffer) = duration;
  return buffer;
}

/**
 * relais_mux_track_get_stats:
 * @self: a track
 *
 * Returns: (transfer full): the counters, as one entry of the element's "stats" property
 */
GstStructure *
relais_mux_track_get_stats (const RelaisMuxTrack *self)
{
  return gst_structure_new ("track", "pad", G_TYPE_STRING, GST_PAD_NAME (self->pad), "frames",
                            G_TYPE_UINT64, self->n_frames, "sync-points", G_TYPE_UINT64,
                            self->n_sync_points, "fillers", G_TYPE_UINT64, self->n_fillers,
                            "dropped", G_TYPE_UINT64, self->n_dropped, "lifted", G_TYPE_UINT64,
                            self->n_lifted, "misflagged", G_TYPE_UINT64, self->n_misflagged, "left",
                            G_TYPE_BOOLEAN, self->has_left, NULL);
}
