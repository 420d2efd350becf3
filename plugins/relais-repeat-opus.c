/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Opus (RFC 6716): a packet of digital silence, as long as the packets of the stream. Every packet
 * names its own mode, bandwidth, channels and length in its first byte (section 3.1), so one that
 * is understood by itself can follow any other: here CELT frames, fullband, whose silence flag is
 * set. They are FF FE: the flag is the first symbol, 1 with a probability of 1/32768 (section 4.3,
 * table 56), so its range is the last one of 32768 and ends all reading.
 *
 * The sound fades out in the first packet of silence (libopus overlaps the modes), and real packets
 * that go on in the middle of a sound, as after a gap in the network, are back at their level
 * within about 150 ms. It is what encoders make of silence themselves: Chromium's packets of it are
 * the same, byte for byte.
 *
 * This is for tracks of one Opus stream (channel mapping family 0 of RFC 7845 section 5.1.1): mono
 * and stereo. Any bytes are safe. */

#include "relais-repeat-opus.h"

#include <string.h>

#define UNIT_NS          G_GUINT64_CONSTANT (2500000)
#define MAX_DURATION     48 /* 120 ms, section 3.2.5 [R5] */
#define DEFAULT_DURATION 8  /* 20 ms */
#define CONFIG_CELT_FB   28 /* 2.5 ms; the next three are 5, 10 and 20 ms, table 2 */

/* Table 2 of section 3.1: frame sizes by configuration. */
static guint
frame_duration (guint config)
{
  static const guint silk[] = { 4, 8, 16, 24 };

  if (config < 12)
    return silk[config & 3];
  if (config < 16)
    return config & 1 ? 8 : 4; /* hybrid */
  return 1u << (config & 3);   /* CELT */
}

/* Section 3.2: how many frames a packet holds; 0 for one that is not valid. */
static guint
count_frames (const guint8 *data, gsize size)
{
  switch (data[0] & 3)
    {
    case 0:
      return 1;
    case 1:
    case 2:
      return 2;
    default:
      return size > 1 ? data[1] & 0x3f : 0;
    }
}

/**
 * relais_repeat_opus_observe:
 * @self: the state
 * @data: (transfer none): a packet of the stream
 * @size: bytes in @data
 *
 * Reads the table-of-contents byte of RFC 6716 section 3.1. A packet that is not valid changes
 * nothing.
 */
void
relais_repeat_opus_observe (RelaisRepeatOpus *self, const guint8 *data, gsize size)
{
  guint duration;

  if (size == 0)
    return;
  duration = frame_duration (data[0] >> 3) * count_frames (data, size);
  if (duration == 0 || duration > MAX_DURATION)
    return;
  self->duration = duration;
  self->stereo = (data[0] & 4) != 0;
}

/**
 * relais_repeat_opus_make:
 * @self: the state
 * @size: (out): bytes of the packet
 * @duration: (out): its duration in nanoseconds
 *
 * Returns: (transfer full): a packet of silence as long as the last one; 20 ms before the first one
 */
guint8 *
relais_repeat_opus_make (const RelaisRepeatOpus *self, gsize *size, guint64 *duration)
{
  guint units = self->duration > 0 ? self->duration : DEFAULT_DURATION;
  guint exponent = 3; /* CELT frames are of 1, 2, 4 or 8 units */
  guint frames;
  gsize head;
  guint8 *packet;

  while (units % (1u << exponent) != 0)
    exponent--;
  frames = units >> exponent;

  /* Code 0, one frame behind the first byte; or code 3, the number of frames, all of one size
   * (section 3.2.5). */
  head = frames == 1 ? 1 : 2;
  *size = head + (gsize) 2 * frames;
  packet = g_malloc (*size);
  packet[0] = (guint8) ((CONFIG_CELT_FB + exponent) << 3 | (self->stereo ? 4 : 0)
                        | (frames == 1 ? 0 : 3));
  if (frames > 1)
    packet[1] = (guint8) frames;
  for (guint i = 0; i < frames; i++)
    memcpy (packet + head + (gsize) 2 * i, "\xff\xfe", 2);

  *duration = units * UNIT_NS;
  return packet;
}
