/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Opus's silence packets, as libopus and FFmpeg decode them: without an error, as long as they say,
 * silent, and followed by real packets that are heard again. */

#include <math.h>
#include <string.h>

#include <glib/gstdio.h>
#include <opus/opus.h>

#include "relais-repeat-frame.h"
#include "relais-test-capture.h"

#define RATE        48000
#define MAX_SAMPLES 5760 /* 120 ms */

typedef struct
{
  const char *name;
  int application;
  int bandwidth;
  int channels;
  int samples; /* in a packet */
} Mode;

static const Mode modes[] = {
  { "celt-stereo", OPUS_APPLICATION_AUDIO, OPUS_BANDWIDTH_FULLBAND, 2, 960 },
  { "celt-2.5ms", OPUS_APPLICATION_RESTRICTED_LOWDELAY, OPUS_BANDWIDTH_FULLBAND, 2, 120 },
  { "silk-wide", OPUS_APPLICATION_VOIP, OPUS_BANDWIDTH_WIDEBAND, 1, 960 },
  { "silk-narrow-60ms", OPUS_APPLICATION_VOIP, OPUS_BANDWIDTH_NARROWBAND, 1, 2880 },
  { "hybrid", OPUS_APPLICATION_VOIP, OPUS_BANDWIDTH_SUPERWIDEBAND, 1, 960 },
  { "hybrid-120ms", OPUS_APPLICATION_VOIP, OPUS_BANDWIDTH_FULLBAND, 2, 5760 },
};

static void
observe (RelaisRepeatFrame *repeat, const void *data, gsize size)
{
  g_autofree guint8 *copy = g_memdup2 (data, size);

  relais_repeat_frame_observe (repeat, copy, size);
}

static GBytes *
make (RelaisRepeatFrame *repeat, guint64 *duration)
{
  gsize size;
  guint8 *packet = relais_repeat_frame_make (repeat, &size, duration);

  g_assert_nonnull (packet);
  return g_bytes_new_take (packet, size);
}

/* Every first byte there is, with every number of frames: the silence has its channels and its
 * duration. */
static void
test_durations (void)
{
  guint n_valid = 0;

  for (guint toc = 0; toc < 256; toc++)
    {
      for (guint count = 0; count < 64; count++)
        {
          g_autoptr (RelaisRepeatFrame) repeat = relais_repeat_frame_new (RELAIS_CODEC_OPUS);
          const guint8 packet[] = { (guint8) toc, (guint8) count };
          int expected = opus_packet_get_nb_samples (packet, sizeof packet, RATE);
          g_autoptr (GBytes) silence = NULL;
          const guint8 *data;
          gsize size;
          guint64 duration;

          observe (repeat, packet, sizeof packet);
          silence = make (repeat, &duration);
          data = g_bytes_get_data (silence, &size);
          if (expected <= 0)
            {
              g_assert_cmpuint (duration, ==, 20 * 1000000);
              continue;
            }
          n_valid++;
          g_assert_cmpuint (duration * RATE, ==, (guint64) expected * 1000000000);
          g_assert_cmpint (opus_packet_get_nb_samples (data, (int) size, RATE), ==, expected);
          g_assert_cmpint (opus_packet_get_nb_channels (data), ==, toc & 4 ? 2 : 1);
        }
    }
  g_assert_cmpuint (n_valid, >, 64 * 192);
}

static void
test_damage (void)
{
  g_autoptr (RelaisRepeatFrame) repeat = relais_repeat_frame_new (RELAIS_CODEC_OPUS);
  guint64 duration;

  {
    g_autoptr (GBytes) first = make (repeat, &duration);

    g_assert_cmpuint (duration, ==, 20 * 1000000);
    g_assert_cmpuint (g_bytes_get_size (first), ==, 3);
  }
  observe (repeat, "\xfc\x01", 2);    /* CELT, stereo, 20 ms */
  observe (repeat, "", 0);            /* nothing */
  observe (repeat, "\xfb", 1);        /* the number of frames is missing */
  observe (repeat, "\xfb\x00", 2);    /* no frame */
  observe (repeat, "\x1b\x03xxx", 5); /* 180 ms */
  {
    g_autoptr (GBytes) silence = make (repeat, &duration);

    g_assert_cmpuint (duration, ==, 20 * 1000000);
    g_assert_cmpmem (g_bytes_get_data (silence, NULL), g_bytes_get_size (silence), "\xfc\xff\xfe",
                     3);
  }
}

/* A tone that never ends. */
static void
encode_tone (OpusEncoder *encoder, const Mode *mode, guint *time, guint8 *packet, gsize *size)
{
  float samples[MAX_SAMPLES * 2];
  int result;

  for (int i = 0; i < mode->samples; i++, (*time)++)
    {
      for (int c = 0; c < mode->channels; c++)
        samples[i * mode->channels + c]
            = 0.4f * sinf ((float) (*time % RATE) * 0.0576f); /* 440 Hz */
    }
  result = opus_encode_float (encoder, samples, mode->samples, packet, (opus_int32) *size);
  g_assert_cmpint (result, >, 0);
  *size = (gsize) result;
}

static double
level_of (const float *samples, gsize count)
{
  double sum = 0;

  for (gsize i = 0; i < count; i++)
    sum += (double) samples[i] * (double) samples[i];
  return sqrt (sum / (double) count);
}

static double
decode_level (OpusDecoder *decoder, const Mode *mode, const guint8 *packet, gsize size)
{
  float samples[MAX_SAMPLES * 2];
  int count = opus_decode_float (decoder, packet, (opus_int32) size, samples, MAX_SAMPLES, 0);

  g_assert_cmpint (count, ==, mode->samples);
  return level_of (samples, (gsize) count * (gsize) mode->channels);
}

static void
test_mode (gconstpointer data)
{
  const Mode *mode = data;
  g_autoptr (RelaisRepeatFrame) repeat = relais_repeat_frame_new (RELAIS_CODEC_OPUS);
  int error;
  OpusEncoder *encoder = opus_encoder_create (RATE, mode->channels, mode->application, &error);
  OpusDecoder *decoder = opus_decoder_create (RATE, mode->channels, &error);
  guint time = 0;
  double level = 0;

  opus_encoder_ctl (encoder, OPUS_SET_BANDWIDTH (mode->bandwidth));
  opus_encoder_ctl (encoder, OPUS_SET_BITRATE (40000));
  for (guint round = 0; round < 3; round++)
    {
      guint8 packet[4000];

      /* Half a second brings the level back. */
      for (int n = 0; n < RATE / 2; n += mode->samples)
        {
          gsize size = sizeof packet;

          encode_tone (encoder, mode, &time, packet, &size);
          observe (repeat, packet, size);
          level = decode_level (decoder, mode, packet, size);
        }
      g_assert_cmpfloat (level, >, 0.2);
      g_assert_cmpfloat (level, <, 0.4);

      /* The sound fades within the first few milliseconds of silence. */
      for (int n = 0; n < RATE; n += mode->samples)
        {
          guint64 duration;
          g_autoptr (GBytes) silence = make (repeat, &duration);

          level = decode_level (decoder, mode, g_bytes_get_data (silence, NULL),
                                g_bytes_get_size (silence));
          if (n >= RATE / 50)
            g_assert_cmpfloat (level, <, 1e-6);
        }
    }
  opus_encoder_destroy (encoder);
  opus_decoder_destroy (decoder);
}

/* RFC 3533 section 6: a page with one packet. */
static void
append_page (GByteArray *ogg,
             guint8 flags,
             guint64 granule,
             guint32 sequence,
             const void *data,
             gsize size)
{
  gsize start = ogg->len;
  guint8 head[27] = "OggS";
  guint n_lacing = (guint) (size / 255 + 1);
  guint32 crc = 0;

  head[5] = flags;
  for (guint i = 0; i < 8; i++)
    head[6 + i] = (guint8) (granule >> (i * 8));
  for (guint i = 0; i < 4; i++)
    head[18 + i] = (guint8) (sequence >> (i * 8));
  head[26] = (guint8) n_lacing;
  g_byte_array_append (ogg, head, sizeof head);
  for (guint i = 0; i < n_lacing; i++)
    {
      guint8 lacing = (guint8) (i + 1 < n_lacing ? 255 : size % 255);

      g_byte_array_append (ogg, &lacing, 1);
    }
  g_byte_array_append (ogg, data, (guint) size);
  for (gsize i = start; i < ogg->len; i++)
    {
      crc ^= (guint32) ogg->data[i] << 24;
      for (guint bit = 0; bit < 8; bit++)
        crc = crc & 0x80000000u ? crc << 1 ^ 0x04c11db7u : crc << 1;
    }
  for (guint i = 0; i < 4; i++)
    ogg->data[start + 22 + i] = (guint8) (crc >> (i * 8));
}

/* Half a second of tone, of silence and of tone in an Ogg file (RFC 7845), decoded by FFmpeg's own
 * decoder. */
static void
test_ffmpeg (gconstpointer data)
{
  const Mode *mode = data;
  const guint8 head[19] = { 'O', 'p', 'u',  's',  'H', 'e', 'a', 'd', 1, (guint8) mode->channels,
                            0,   0,   0x80, 0xbb, 0,   0,   0,   0 };
  guint n_packets = RATE / 2 / (guint) mode->samples;
  gsize phase = (gsize) n_packets * (gsize) mode->samples;
  g_autoptr (RelaisRepeatFrame) repeat = relais_repeat_frame_new (RELAIS_CODEC_OPUS);
  g_autoptr (GByteArray) ogg = g_byte_array_new ();
  g_autoptr (GError) error = NULL;
  g_autofree char *directory = g_dir_make_tmp ("relais-repeat-XXXXXX", &error);
  g_autofree char *input = g_build_filename (directory, "stream.opus", NULL);
  g_autofree char *output = g_build_filename (directory, "stream.f32", NULL);
  g_autofree char *complaints = NULL;
  g_autofree char *content = NULL;
  const float *samples;
  gsize size;
  const char *argv[] = { "ffmpeg", "-nostdin", "-v", "warning", "-c:a", "opus",
                         "-i",     input,      "-f", "f32le",   output, NULL };
  int status;
  int opus_error;
  OpusEncoder *encoder = opus_encoder_create (RATE, mode->channels, mode->application, &opus_error);
  guint time = 0;
  guint64 granule = 0;

  g_assert_no_error (error);
  opus_encoder_ctl (encoder, OPUS_SET_BANDWIDTH (mode->bandwidth));
  append_page (ogg, 2, 0, 0, head, sizeof head);
  append_page (ogg, 0, 0, 1, "OpusTags\0\0\0\0\0\0\0\0", 16);
  for (guint i = 0; i < n_packets * 3; i++)
    {
      guint8 flags = i + 1 == n_packets * 3 ? 4 : 0;
      guint8 packet[4000];

      size = sizeof packet;
      encode_tone (encoder, mode, &time, packet, &size);
      granule += (guint64) mode->samples;
      if (i / n_packets != 1)
        {
          observe (repeat, packet, size);
          append_page (ogg, flags, granule, 2 + i, packet, size);
        }
      else
        {
          guint64 duration;
          g_autoptr (GBytes) silence = make (repeat, &duration);

          append_page (ogg, flags, granule, 2 + i, g_bytes_get_data (silence, NULL),
                       g_bytes_get_size (silence));
        }
    }
  opus_encoder_destroy (encoder);
  g_file_set_contents (input, (const char *) ogg->data, ogg->len, &error);
  g_assert_no_error (error);

  g_spawn_sync (NULL, (char **) argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, &complaints,
                &status, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (complaints, ==, "");
  g_assert_cmpint (status, ==, 0);
  g_file_get_contents (output, &content, &size, &error);
  g_assert_no_error (error);
  g_unlink (input);
  g_unlink (output);
  g_rmdir (directory);

  /* Its first packets are shorter by the delay of its filters. */
  samples = (const float *) (const void *) content;
  size /= sizeof (float) * (gsize) mode->channels;
  g_assert_cmpuint (size, <=, phase * 3);
  g_assert_cmpuint (size, >, phase * 3 - RATE / 50);
  for (gsize i = phase + RATE / 20; i < phase * 2 - RATE / 20; i++)
    g_assert_cmpfloat (fabsf (samples[i * (gsize) mode->channels]), <, 1e-6);
  g_assert_cmpfloat (level_of (samples, phase * (gsize) mode->channels / 2), >, 0.2);
  g_assert_cmpfloat (level_of (samples + (size - phase / 2) * (gsize) mode->channels,
                               phase / 2 * (gsize) mode->channels),
                     >, 0.2);
}

/* What Chromium's own encoder makes of silence is what is made here. */
static void
test_capture (void)
{
  g_autoptr (GPtrArray) packets = relais_test_capture_read ("chrome-opus.webm", "A_OPUS");
  g_autoptr (RelaisRepeatFrame) repeat = relais_repeat_frame_new (RELAIS_CODEC_OPUS);
  GBytes *packet = g_ptr_array_index (packets, 0);
  guint64 duration;
  g_autoptr (GBytes) silence = NULL;

  observe (repeat, g_bytes_get_data (packet, NULL), g_bytes_get_size (packet));
  silence = make (repeat, &duration);
  g_assert_cmpuint (duration, ==, 60 * 1000000);
  g_assert_true (g_bytes_equal (silence, packet));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/repeat-opus/durations", test_durations);
  g_test_add_func ("/repeat-opus/damage", test_damage);
  g_test_add_func ("/repeat-opus/capture", test_capture);
  for (guint i = 0; i < G_N_ELEMENTS (modes); i++)
    {
      g_autofree char *libopus = g_strdup_printf ("/repeat-opus/libopus/%s", modes[i].name);
      g_autofree char *ffmpeg = g_strdup_printf ("/repeat-opus/ffmpeg/%s", modes[i].name);

      g_test_add_data_func (libopus, &modes[i], test_mode);
      g_test_add_data_func (ffmpeg, &modes[i], test_ffmpeg);
    }

  return g_test_run ();
}
