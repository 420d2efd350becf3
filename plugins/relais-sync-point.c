/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Where decoding can start. The flags of a container lie (a Chromium canvas recording comes out of
 * matroskademux with its second frame marked as a keyframe), so the frame's own bitstream is asked:
 * one pure function, safe for any bytes. */

#include "relais-sync-point.h"

#include "relais-av1-obu.h"
#include "relais-bit-reader.h"
#include "relais-vp9-header.h"

#define AV1_KEY_FRAME 0
#define NAL_SLICE     1
#define NAL_IDR       5

/* RFC 6386 section 9.1: bit 0 of the frame tag is 0 for a key frame; then the start code and two
 * sizes of 14 bits, each below a scale of 2 bits. */
static gboolean
check_vp8 (const guint8 *data, gsize size)
{
  if (size < 10 || (data[0] & 1) != 0)
    return FALSE;
  if (data[3] != 0x9d || data[4] != 0x01 || data[5] != 0x2a)
    return FALSE;
  return (data[6] | (data[7] & 0x3f)) != 0 && (data[8] | (data[9] & 0x3f)) != 0;
}

/* The first frame of a superframe decides: with spatial layers only the lowest one is a key frame.
 */
static gboolean
check_vp9 (const guint8 *data, gsize size)
{
  RelaisVp9Frame frames[RELAIS_VP9_MAX_FRAMES];
  RelaisVp9Header header;

  return relais_vp9_split_superframe (data, size, frames) > 0
         && relais_vp9_header_parse (&header, frames[0].data, frames[0].size)
         && !header.show_existing_frame && header.key_frame;
}

/* AV1 specification section 7.6.1: a key frame random access point is a temporal unit with a
 * sequence header and a shown key frame. A forward key frame, hidden now and shown later, is none
 * for us: what is shown before it would be lost. */
static gboolean
check_av1 (const guint8 *data, gsize size)
{
  RelaisAv1Obu obu;
  gboolean has_sequence = FALSE;
  gboolean reduced = FALSE;

  while (relais_av1_obu_next (&data, &size, &obu))
    {
      RelaisBitReader reader;

      relais_bit_reader_init (&reader, obu.payload, obu.payload_size);
      switch (obu.type)
        {
        case RELAIS_AV1_OBU_SEQUENCE_HEADER:
          /* sequence_header_obu(), section 5.5.1: seq_profile, still_picture,
           * reduced_still_picture_header */
          relais_bit_reader_read (&reader, 4);
          reduced = relais_bit_reader_read_flag (&reader);
          has_sequence = !reader.failed;
          break;

        case RELAIS_AV1_OBU_FRAME_HEADER:
        case RELAIS_AV1_OBU_FRAME:
        case RELAIS_AV1_OBU_REDUNDANT_FRAME_HEADER:
          /* uncompressed_header(), section 5.9.2: show_existing_frame, frame_type, show_frame */
          if (!has_sequence || obu.payload_size == 0)
            return FALSE;
          if (reduced)
            return TRUE;
          return !relais_bit_reader_read_flag (&reader)
                 && relais_bit_reader_read (&reader, 2) == AV1_KEY_FRAME
                 && relais_bit_reader_read_flag (&reader);

        default:
          break;
        }
    }
  return FALSE;
}

/* H.264 (ITU-T H.264 sections 7.3.1 and 7.4.1.2.4): all slices of an IDR picture are of type 5, so
 * the first slice decides. */
static gboolean
nal_is_slice (const guint8 *nal, gsize size, gboolean *idr)
{
  guint type;

  if (size < 2 || (nal[0] & 0x80) != 0)
    return FALSE;
  type = nal[0] & 0x1f;
  *idr = type == NAL_IDR;
  return type >= NAL_SLICE && type <= NAL_IDR;
}

/* ISO/IEC 14496-15 section 5.3: each NAL unit behind its length. */
static gboolean
check_h264_lengths (guint length_size, const guint8 *data, gsize size)
{
  while (size > length_size)
    {
      gsize nal_size = 0;
      gboolean idr;

      for (guint i = 0; i < length_size; i++)
        nal_size = nal_size << 8 | *data++;
      size -= length_size;
      if (nal_size > size)
        return FALSE;
      if (nal_is_slice (data, nal_size, &idr))
        return idr;
      data += nal_size;
      size -= nal_size;
    }
  return FALSE;
}

/* ITU-T H.264 Annex B: each NAL unit behind a start code 00 00 01. */
static gboolean
check_h264_start_codes (const guint8 *data, gsize size)
{
  for (gsize i = 3; i < size; i++)
    {
      gboolean idr;

      if (data[i - 3] == 0 && data[i - 2] == 0 && data[i - 1] == 1
          && nal_is_slice (data + i, size - i, &idr))
        return idr;
    }
  return FALSE;
}

/**
 * relais_sync_point_check:
 * @codec: what the track holds
 * @nal_length_size: for H.264 the bytes of a NAL unit's length prefix, 1 to 4, or 0 for Annex B;
 * else ignored
 * @data: (transfer none): one block's payload
 * @size: bytes in @data
 *
 * Tells whether the frame's own bitstream says that decoding can start here. Only its headers are
 * read, so %TRUE does not promise that the rest of it decodes. Every frame of an audio codec is a
 * sync point; none of an unknown codec is.
 *
 * VP8: RFC 6386 section 9.1. VP9: VP9 specification section 6.2. AV1: AV1 specification
 * section 7.6.1. H.264: an IDR picture, ITU-T H.264 section 7.4.1.2.4.
 *
 * Returns: whether a viewer may begin with this frame
 */
gboolean
relais_sync_point_check (RelaisCodec codec, guint nal_length_size, const guint8 *data, gsize size)
{
  switch (codec)
    {
    case RELAIS_CODEC_VP8:
      return check_vp8 (data, size);
    case RELAIS_CODEC_VP9:
      return check_vp9 (data, size);
    case RELAIS_CODEC_AV1:
      return check_av1 (data, size);
    case RELAIS_CODEC_H264:
      if (nal_length_size > 4)
        return FALSE;
      if (nal_length_size > 0)
        return check_h264_lengths (nal_length_size, data, size);
      return check_h264_start_codes (data, size);
    case RELAIS_CODEC_OPUS:
    case RELAIS_CODEC_VORBIS:
      return TRUE;
    case RELAIS_CODEC_UNKNOWN:
    default:
      return FALSE;
    }
}
