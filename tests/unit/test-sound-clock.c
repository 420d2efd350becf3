/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "relais-sound-clock.h"

#define MS     G_GUINT64_CONSTANT (1000000)
#define PACKET (60 * MS)

typedef struct
{
  RelaisSoundClock clock;
  guint64 ended; /* where the last packet ends */
} Line;

static Line
line_new (void)
{
  Line self = { 0 };

  relais_sound_clock_init (&self.clock);
  return self;
}

static guint64
smooth (Line *self, guint64 time)
{
  guint64 out = relais_sound_clock_smooth (&self->clock, time, PACKET);

  self->ended = out + PACKET;
  return out;
}

/* As Chromium stamps its packets on some runs. */
static void
test_jitter (void)
{
  static const guint64 distances[] = { 52, 69, 59 };
  Line line = line_new ();
  guint64 time = 1000 * MS;
  guint n_holes = 0;

  smooth (&line, time);
  smooth (&line, time += PACKET);
  for (guint i = 0; i < 10000; i++)
    {
      guint64 ended = line.ended, out;

      time += distances[i % G_N_ELEMENTS (distances)] * MS;
      out = smooth (&line, time);
      g_assert_cmpuint (out, >=, ended);
      g_assert_cmpuint (out, >=, time);
      g_assert_cmpuint (out - time, <=, 9 * MS);
      n_holes += out > ended;
    }
  /* Until the line is where the latest ones are. */
  g_assert_cmpuint (n_holes, <=, 1);
}

/* As ffmpeg's, whose first packet begins before zero. */
static void
test_first_packet (void)
{
  Line line = line_new ();

  smooth (&line, 0);
  g_assert_cmpuint (smooth (&line, 54 * MS), ==, 54 * MS);
  g_assert_cmpuint (smooth (&line, 114 * MS), ==, 114 * MS);
  g_assert_cmpuint (smooth (&line, 170 * MS), ==, 174 * MS);
}

static void
test_hole (void)
{
  Line line = line_new ();

  smooth (&line, 0);
  smooth (&line, 60 * MS);
  g_assert_cmpuint (smooth (&line, 160 * MS), ==, 160 * MS);
  g_assert_cmpuint (smooth (&line, 215 * MS), ==, 220 * MS);
}

/* What is far from the line begins another one: the recorder's clock was set back. */
static void
test_other_time_base (void)
{
  Line line = line_new ();

  smooth (&line, 940 * MS);
  smooth (&line, 1000 * MS);
  g_assert_cmpuint (smooth (&line, 999 * MS), ==, 999 * MS);
  g_assert_cmpuint (smooth (&line, 5 * MS), ==, 5 * MS);
  g_assert_cmpuint (smooth (&line, 65 * MS), ==, 65 * MS);
  g_assert_cmpuint (smooth (&line, G_MAXUINT64 / 2), ==, G_MAXUINT64 / 2);
}

static void
test_unknown_duration (void)
{
  Line line = line_new ();

  smooth (&line, 0);
  smooth (&line, 60 * MS);
  g_assert_cmpuint (relais_sound_clock_smooth (&line.clock, 115 * MS, 0), ==, 115 * MS);
  g_assert_cmpuint (smooth (&line, 116 * MS), ==, 116 * MS);
  g_assert_cmpuint (smooth (&line, 176 * MS), ==, 176 * MS);
  g_assert_cmpuint (smooth (&line, 230 * MS), ==, 236 * MS);
}

/* The recorder's clock runs @ppm slower than its sound, or faster: over hours the line stays near,
 * and a player sees no step that it would mind. */
static void
check_drift (gint ppm)
{
  Line line = line_new ();
  guint64 n = 2 * 3600 * G_GUINT64_CONSTANT (1000) / 60;

  for (guint64 i = 0; i < n; i++)
    {
      guint64 time
          = 1000 * MS + i * (guint64) ((gint64) PACKET + (gint64) (PACKET / 1000000) * ppm);
      guint64 ended = line.ended, out = smooth (&line, time);

      g_assert_cmpuint (out, >=, time);
      g_assert_cmpuint (out - time, <=, 10 * MS);
      if (i > 0)
        {
          g_assert_cmpuint (out + MS, >=, ended);
          g_assert_cmpuint (out, <=, ended + MS);
        }
    }
}

static void
test_drift (void)
{
  check_drift (0);
  check_drift (100);
  check_drift (-100);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/sound-clock/jitter", test_jitter);
  g_test_add_func ("/sound-clock/first-packet", test_first_packet);
  g_test_add_func ("/sound-clock/hole", test_hole);
  g_test_add_func ("/sound-clock/other-time-base", test_other_time_base);
  g_test_add_func ("/sound-clock/unknown-duration", test_unknown_duration);
  g_test_add_func ("/sound-clock/drift", test_drift);
  return g_test_run ();
}
