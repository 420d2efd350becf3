/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The part of VP9's uncompressed header that says what a frame is and where it is kept ("VP9
 * Bitstream & Decoding Process Specification", sections 6.1, 6.2 and 7.2, Annex B for superframes).
 * Pure functions; any bytes are safe. */

#include "relais-vp9-header.h"

#include "relais-bit-reader.h"

#define FRAME_MARKER 2
#define SYNC_CODE    0x498342
#define CS_RGB       7

/**
 * relais_vp9_split_superframe:
 * @data: (transfer none): a block's payload
 * @size: bytes in @data
 * @frames: (out): the frames of it, borrowed from @data
 *
 * Annex B: a superframe ends with an index whose first and last byte are the same marker. Bytes
 * without a valid index are one frame.
 *
 * Returns: how many frames there are; 0 for no bytes and for an index that claims more than there
 * is
 */
guint
relais_vp9_split_superframe (const guint8 *data,
                             gsize size,
                             RelaisVp9Frame frames[RELAIS_VP9_MAX_FRAMES])
{
  guint count;
  guint size_bytes;
  gsize index_size;
  const guint8 *index;
  gsize used = 0;
  guint found = 0;

  if (size == 0)
    return 0;

  count = (data[size - 1] & 7) + 1u;
  size_bytes = (data[size - 1] >> 3 & 3) + 1u;
  index_size = 2 + (gsize) count * size_bytes;
  if ((data[size - 1] & 0xe0) != 0xc0 || size < index_size
      || data[size - index_size] != data[size - 1])
    {
      frames[0].data = data;
      frames[0].size = size;
      return 1;
    }

  index = data + size - index_size + 1;
  for (guint i = 0; i < count; i++)
    {
      gsize frame_size = 0;

      /* le(n) */
      for (guint byte = 0; byte < size_bytes; byte++)
        frame_size |= (gsize) *index++ << (byte * 8);
      if (frame_size > size - index_size - used)
        return 0;
      /* libvpx skips empty frames. */
      if (frame_size == 0)
        continue;
      frames[found].data = data + used;
      frames[found].size = frame_size;
      found++;
      used += frame_size;
    }
  return found;
}

/* color_config(), section 6.2.2. */
static gboolean
skip_color_config (RelaisBitReader *reader, guint profile)
{
  if (profile >= 2)
    relais_bit_reader_read_flag (reader); /* ten_or_twelve_bit */
  if (relais_bit_reader_read (reader, 3) != CS_RGB)
    {
      relais_bit_reader_read_flag (reader); /* color_range */
      if (profile & 1)
        {
          relais_bit_reader_read (reader, 2); /* subsampling_x, subsampling_y */
          return !relais_bit_reader_read_flag (reader);
        }
      return TRUE;
    }
  /* RGB is for profiles 1 and 3 only. */
  return (profile & 1) && !relais_bit_reader_read_flag (reader);
}

/**
 * relais_vp9_header_parse:
 * @self: (out): what the header says; undefined on failure
 * @data: (transfer none): one frame, not a superframe
 * @size: bytes in @data
 *
 * uncompressed_header(), section 6.2, up to refresh_frame_flags.
 *
 * Returns: whether the bytes begin with a header that is valid so far
 */
gboolean
relais_vp9_header_parse (RelaisVp9Header *self, const guint8 *data, gsize size)
{
  RelaisBitReader reader;
  guint profile_low_bit;

  *self = (RelaisVp9Header){ 0 };
  relais_bit_reader_init (&reader, data, size);

  if (relais_bit_reader_read (&reader, 2) != FRAME_MARKER)
    return FALSE;
  profile_low_bit = relais_bit_reader_read (&reader, 1);
  self->profile = relais_bit_reader_read (&reader, 1) << 1 | profile_low_bit;
  if (self->profile == 3 && relais_bit_reader_read_flag (&reader)) /* reserved_zero */
    return FALSE;

  self->show_existing_frame = relais_bit_reader_read_flag (&reader);
  if (self->show_existing_frame)
    {
      self->existing_slot = relais_bit_reader_read (&reader, 3);
      self->show_frame = TRUE;
      return !reader.failed;
    }

  self->key_frame = !relais_bit_reader_read_flag (&reader);
  self->show_frame = relais_bit_reader_read_flag (&reader);
  self->error_resilient = relais_bit_reader_read_flag (&reader);
  if (self->key_frame)
    {
      if (relais_bit_reader_read (&reader, 24) != SYNC_CODE
          || !skip_color_config (&reader, self->profile))
        return FALSE;
      relais_bit_reader_read (&reader, 32); /* frame_size() */
      self->refresh_flags = 0xff;
      return !reader.failed;
    }

  if (!self->show_frame)
    self->intra_only = relais_bit_reader_read_flag (&reader);
  if (!self->error_resilient)
    relais_bit_reader_read (&reader, 2); /* reset_frame_context */
  if (self->intra_only)
    {
      if (relais_bit_reader_read (&reader, 24) != SYNC_CODE)
        return FALSE;
      if (self->profile > 0 && !skip_color_config (&reader, self->profile))
        return FALSE;
    }
  self->refresh_flags = (guint8) relais_bit_reader_read (&reader, 8);
  return !reader.failed;
}
