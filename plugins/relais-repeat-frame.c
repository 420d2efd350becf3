/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Repeat frames: what is sent on a track that has fallen silent while the others go on, so that a
 * player with Media Source Extensions, which stops where any track stops, plays on. A repeat shows
 * the last picture again, bit for bit, or is a packet of silence, and leaves the decoder as it was,
 * so that the real frame after it decodes as if the repeat had not been there.
 *
 * The owner hands in every real frame, in order, exactly as viewers get it, but no repeat, and may
 * make as many repeats between two of them as it likes. One file a codec knows how; this one only
 * chooses. One thread; any bytes are safe.
 *
 * What cannot be repeated, besides the states that the files of the codecs name:
 * - Vorbis: a packet's length and overlap depend on its neighbours and on the codebooks of the
 * header.
 * - H.264: a picture of skipped macroblocks is easily made, but not unseen. Each picture needs an
 * order of its own between its neighbours (ITU-T H.264 section 8.2.1), of which there is one at
 * best before the next real picture, and none with type 2, which also forbids two non-reference
 * pictures in a row; a reference picture would take the next frame_num (section 7.4.3). */

#include "relais-repeat-frame.h"

#include "relais-repeat-av1.h"
#include "relais-repeat-opus.h"
#include "relais-repeat-vp8.h"
#include "relais-repeat-vp9.h"

struct _RelaisRepeatFrame
{
  RelaisCodec codec;
  union
  {
    RelaisRepeatVp8 vp8;
    RelaisRepeatVp9 vp9;
    RelaisRepeatAv1 av1;
    RelaisRepeatOpus opus;
  } state;
};

/**
 * relais_repeat_frame_new:
 * @codec: what the track holds; Opus of channel mapping family 0 only (RFC 7845 section 5.1.1)
 *
 * Returns: (transfer full): the state before a track's first frame
 */
RelaisRepeatFrame *
relais_repeat_frame_new (RelaisCodec codec)
{
  RelaisRepeatFrame *self = g_new0 (RelaisRepeatFrame, 1);

  self->codec = codec;
  return self;
}

/**
 * relais_repeat_frame_free:
 * @self: (transfer full): a state
 */
void
relais_repeat_frame_free (RelaisRepeatFrame *self)
{
  g_free (self);
}

/**
 * relais_repeat_frame_observe:
 * @self: a track's state
 * @data: (transfer none): a real frame (a block's payload), exactly as it goes to the viewers
 * @size: bytes in @data
 *
 * Takes note of what the frame does to a decoder. Every real frame has to come by, in order;
 * repeats must not.
 */
void
relais_repeat_frame_observe (RelaisRepeatFrame *self, const guint8 *data, gsize size)
{
  switch (self->codec)
    {
    case RELAIS_CODEC_VP8:
      relais_repeat_vp8_observe (&self->state.vp8, data, size);
      break;
    case RELAIS_CODEC_VP9:
      relais_repeat_vp9_observe (&self->state.vp9, data, size);
      break;
    case RELAIS_CODEC_AV1:
      relais_repeat_av1_observe (&self->state.av1, data, size);
      break;
    case RELAIS_CODEC_OPUS:
      relais_repeat_opus_observe (&self->state.opus, data, size);
      break;
    case RELAIS_CODEC_H264:
    case RELAIS_CODEC_VORBIS:
    case RELAIS_CODEC_UNKNOWN:
    default:
      break;
    }
}

/**
 * relais_repeat_frame_make:
 * @self: a track's state
 * @size: (out): bytes of the frame
 * @duration: (out): for audio the packet's duration in nanoseconds, for video 0
 *
 * Makes a complete frame that shows the last picture again, or a packet of silence. It is never a
 * sync point. The same state gives the same bytes. For Opus there is one even before the first
 * packet.
 *
 * Returns: (transfer full) (nullable): the frame, to be freed with g_free(); %NULL where the codec
 * has none or the stream's state does not allow one now, which the next real frame may change
 */
guint8 *
relais_repeat_frame_make (RelaisRepeatFrame *self, gsize *size, guint64 *duration)
{
  *size = 0;
  *duration = 0;
  switch (self->codec)
    {
    case RELAIS_CODEC_VP8:
      return relais_repeat_vp8_make (&self->state.vp8, size);
    case RELAIS_CODEC_VP9:
      return relais_repeat_vp9_make (&self->state.vp9, size);
    case RELAIS_CODEC_AV1:
      return relais_repeat_av1_make (&self->state.av1, size);
    case RELAIS_CODEC_OPUS:
      return relais_repeat_opus_make (&self->state.opus, size, duration);
    case RELAIS_CODEC_H264:
    case RELAIS_CODEC_VORBIS:
    case RELAIS_CODEC_UNKNOWN:
    default:
      return NULL;
    }
}
