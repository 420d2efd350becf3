/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Packets of sound that follow each other in the recorder follow each other for the player.
 *
 * A recorder stamps a packet when it was heard, and on some runs Chromium's stamps jitter: packets
 * of 60 ms come 52, 69 and 59 ms apart. A player that gets them in appends of a few takes 52 ms for
 * an overlap and cuts 8 ms off the packet before (Chromium's SourceBufferStream), but does not fill
 * the 9 ms that are missing behind it. Its clock counts what is heard, so it falls back by 4 %,
 * and the sound runs dry with more and more of it in the buffer.
 *
 * So each packet begins where the one before it ends, as long as its own time is not too far from
 * that. The even line runs along the latest times: a packet whose time is later than it moves the
 * line at once (a hole stays a hole), one that is earlier waits for it. Where all packets of a
 * while are early, the recorder's clock is slower than its sound, and the line goes back, a packet
 * at a time, by so little that players do not mind. It begins with the second packet: the first
 * one's time may have been cut at zero, as ffmpeg's is. */

#include "config.h"

#include "relais-sound-clock.h"

/* A packet that is earlier than this is no jitter but another time base, or sound that was recorded
 * twice. */
#define MAX_EARLY (G_GUINT64_CONSTANT (60000000))

/* The line goes back when for so long no packet was less early than this. */
#define WATCH     (G_GUINT64_CONSTANT (10000000000))
#define MIN_EARLY (G_GUINT64_CONSTANT (5000000))

/* Of one packet: what the container rounds to. */
#define MAX_STEP_BACK (G_GUINT64_CONSTANT (1000000))

void
relais_sound_clock_init (RelaisSoundClock *self)
{
  *self = (RelaisSoundClock){ .least = G_MAXUINT64 };
}

/* Whether the line is too late is decided once in a while. */
static void
watch (RelaisSoundClock *self, guint64 early, guint64 duration)
{
  self->least = MIN (self->least, early);
  self->heard += duration;
  if (self->heard < WATCH)
    return;
  self->give_back = self->least >= MIN_EARLY ? self->least : 0;
  self->heard = 0;
  self->least = G_MAXUINT64;
}

/**
 * relais_sound_clock_smooth:
 * @self: the track's clock
 * @time: the time in ns that the recorder gave a packet
 * @duration: how long the packet is in ns; 0 = not known
 *
 * Returns: the time in ns that the packet should have
 */
guint64
relais_sound_clock_smooth (RelaisSoundClock *self, guint64 time, guint64 duration)
{
  guint64 early = self->n_packets > 0 && self->next > time ? self->next - time : 0;

  if (duration == 0 || early > MAX_EARLY)
    relais_sound_clock_init (self);
  if (self->n_packets < 2)
    early = 0;
  watch (self, early, duration);
  if (early > 0)
    {
      guint64 step = MIN (self->give_back, MAX_STEP_BACK);

      self->give_back -= step;
      time = self->next - step;
    }
  else
    self->give_back = 0;
  if (duration > 0 && self->n_packets < 2)
    self->n_packets++;
  self->next = time + duration;
  return time;
}
