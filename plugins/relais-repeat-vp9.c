/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* VP9 ("VP9 Bitstream & Decoding Process Specification"): one or two bytes that order the decoder
 * to show a slot again (show_existing_frame, sections 6.2 and 7.2). Such a frame decodes nothing,
 * refreshes nothing and saves nothing: probabilities, segment map, loop filter deltas and the
 * previous frame's vectors stay (libvpx and FFmpeg were read and tried).
 *
 * No other frame would do. Whatever is decoded, its motion vectors replace those that the next real
 * frame is predicted from (PrevMvs, section 7.4.2), and error_resilient_mode, which does without
 * them, resets the probabilities and the loop filter's deltas that the real frames build on
 * (setup_past_independence(), section 7.2).
 *
 * The player gets the same buffer again. Firefox 153, where it decodes in software, frees it when
 * it was shown once, and then shows nothing for some repeats: what lies behind the video element
 * shines through, so a page that keeps the last picture there does not flicker. Chromium shows
 * every one.
 *
 * The picture last shown has to be in a slot, so the refresh flags of all frames are followed,
 * hidden ones too. A frame that no slot keeps (the top layer of temporal layers) cannot be
 * repeated. Nor is anything made while the last frame decoded is a hidden one: whether it counts as
 * the "last shown frame" that lends its vectors to the next one (LastShowFrame, section 7.2) need
 * not be the same in all decoders after a repeat.
 *
 * A header that a decoder would refuse makes the state unknown until the next key frame. Any bytes
 * are safe. */

#include "relais-repeat-vp9.h"

#include "relais-vp9-header.h"

#define FRAME_MARKER 2

static void
observe_frame (RelaisRepeatVp9 *self, const RelaisVp9Frame *frame)
{
  RelaisVp9Header header;

  if (!relais_vp9_header_parse (&header, frame->data, frame->size)
      || (!self->started && !header.key_frame))
    {
      self->started = FALSE;
      return;
    }

  self->profile = header.profile;
  if (header.show_existing_frame)
    {
      self->shown = self->slots[header.existing_slot];
      return;
    }

  self->started = TRUE;
  self->n_pictures++;
  for (guint i = 0; i < RELAIS_VP9_N_SLOTS; i++)
    {
      if (header.refresh_flags >> i & 1)
        self->slots[i] = self->n_pictures;
    }
  if (header.show_frame)
    self->shown = self->n_pictures;
  self->hidden_last = !header.show_frame;
}

/**
 * relais_repeat_vp9_observe:
 * @self: the state
 * @data: (transfer none): a block's payload: a frame or a superframe
 * @size: bytes in @data; an empty one changes nothing
 *
 * Follows uncompressed_header() of section 6.2 of each frame.
 */
void
relais_repeat_vp9_observe (RelaisRepeatVp9 *self, const guint8 *data, gsize size)
{
  RelaisVp9Frame frames[RELAIS_VP9_MAX_FRAMES];
  guint count;

  if (size == 0)
    return;
  count = relais_vp9_split_superframe (data, size, frames);
  if (count == 0)
    self->started = FALSE;
  for (guint i = 0; i < count; i++)
    observe_frame (self, &frames[i]);
}

/**
 * relais_repeat_vp9_make:
 * @self: the state
 * @size: (out): bytes of the frame
 *
 * Returns: (transfer full) (nullable): a frame that shows the last picture again; %NULL before the
 * first key frame, after a damaged frame, behind a hidden frame, and when no slot holds the picture
 * last shown
 */
guint8 *
relais_repeat_vp9_make (const RelaisRepeatVp9 *self, gsize *size)
{
  guint slot = 0;
  guint bits;
  guint8 *frame;

  if (!self->started || self->hidden_last || self->shown == 0)
    return NULL;
  while (self->slots[slot] != self->shown)
    {
      if (++slot == RELAIS_VP9_N_SLOTS)
        return NULL;
    }

  /* frame_marker, profile_low_bit, profile_high_bit, reserved_zero in profile 3 only,
   * show_existing_frame, frame_to_show_map_idx; zeros to the end of the byte (section 6.1.1,
   * trailing_bits()). */
  bits = FRAME_MARKER << 2 | (self->profile & 1) << 1 | self->profile >> 1;
  if (self->profile == 3)
    bits <<= 1;
  bits = bits << 4 | 1u << 3 | slot;
  if (self->profile == 3)
    bits <<= 7;

  *size = self->profile == 3 ? 2 : 1;
  frame = g_malloc (*size);
  for (gsize i = 0; i < *size; i++)
    frame[i] = (guint8) (bits >> ((*size - 1 - i) * 8));
  return frame;
}
