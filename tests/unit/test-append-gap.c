/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "relais-append-gap.h"

#define MS      G_GUINT64_CONSTANT (1000000)
#define UNKNOWN G_MAXUINT64

static void
add (RelaisAppendGap *gap, guint64 ms, gboolean is_sync_point)
{
  relais_append_gap_add_frame (gap, ms * MS, 0, is_sync_point);
}

static void
assert_limit (const RelaisAppendGap *gap, guint64 ms)
{
  guint64 limit = relais_append_gap_get_limit (gap);

  g_assert_cmpuint (limit, ==, ms == UNKNOWN ? UNKNOWN : ms * MS);
}

/* The longest distance since the sync point counts, and the last frame of an append is as long as
 * the one before. */
static void
test_longest (void)
{
  RelaisAppendGap gap;

  relais_append_gap_init (&gap);
  assert_limit (&gap, UNKNOWN);
  add (&gap, 0, TRUE);
  add (&gap, 30, FALSE);
  add (&gap, 70, FALSE);
  relais_append_gap_end_unit (&gap);
  assert_limit (&gap, 70 + 2 * 40);
  add (&gap, 90, FALSE);
  relais_append_gap_end_unit (&gap);
  /* its end is 20 ms later, and holes are closed up to the longest frame */
  assert_limit (&gap, 90 + 20 + 40);
  /* the distance across two appends is the guess for what follows it */
  add (&gap, 160, FALSE);
  relais_append_gap_end_unit (&gap);
  assert_limit (&gap, 160 + 2 * 70);
  /* and a sync point begins anew */
  add (&gap, 190, TRUE);
  add (&gap, 200, FALSE);
  relais_append_gap_end_unit (&gap);
  assert_limit (&gap, 200 + 2 * 10);
}

/* Alone in its append, a sync point is as long as a player guesses; the first of all it waits for.
 */
static void
test_lone_sync_point (void)
{
  RelaisAppendGap gap;

  relais_append_gap_init (&gap);
  add (&gap, 1000, TRUE);
  relais_append_gap_end_unit (&gap);
  assert_limit (&gap, UNKNOWN);
  add (&gap, 1050, FALSE);
  relais_append_gap_end_unit (&gap);
  assert_limit (&gap, 1050 + 2 * 50);
  g_assert_cmpuint (relais_append_gap_guess (&gap, 1080 * MS), ==, 30 * MS);
  add (&gap, 1080, TRUE);
  relais_append_gap_end_unit (&gap);
  assert_limit (&gap, 1080 + 2 * 30);
  add (&gap, 1100, FALSE);
  relais_append_gap_end_unit (&gap);
  assert_limit (&gap, 1100 + 20 + 30);
}

/* Where the container says the duration nothing is guessed. */
static void
test_known_duration (void)
{
  RelaisAppendGap gap;

  relais_append_gap_init (&gap);
  for (guint64 i = 0; i < 3; i++)
    {
      relais_append_gap_add_frame (&gap, 500 * i * MS, 20 * MS, TRUE);
      relais_append_gap_end_unit (&gap);
      assert_limit (&gap, 500 * i + 2 * 20);
      g_assert_cmpuint (relais_append_gap_get_end (&gap), ==, (500 * i + 20) * MS);
      g_assert_cmpuint (relais_append_gap_get_said_limit (&gap), ==, (500 * i + 2 * 20) * MS);
    }
  add (&gap, 1600, TRUE);
  g_assert_cmpuint (relais_append_gap_get_said_limit (&gap), ==, UNKNOWN);
  g_assert_cmpuint (relais_append_gap_get_end (&gap), ==, (1600 + 600) * MS);
}

/* Lifted frames stand at one time: a length of nothing is no guess, and overflows nothing. */
static void
test_no_distance (void)
{
  RelaisAppendGap gap;

  relais_append_gap_init (&gap);
  add (&gap, 100, TRUE);
  add (&gap, 100, FALSE);
  relais_append_gap_end_unit (&gap);
  assert_limit (&gap, UNKNOWN);
  add (&gap, 90, FALSE);
  g_assert_cmpuint (relais_append_gap_guess (&gap, 0), ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/append-gap/longest", test_longest);
  g_test_add_func ("/append-gap/lone-sync-point", test_lone_sync_point);
  g_test_add_func ("/append-gap/known-duration", test_known_duration);
  g_test_add_func ("/append-gap/no-distance", test_no_distance);
  return g_test_run ();
}
