/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "relais-timeline.h"

#define MS         RELAIS_TIMELINE_TICK
#define SECOND     (1000 * MS)
#define HOUR       (3600 * SECOND)
#define VIDEO_STEP (33 * MS)
#define AUDIO_STEP (20 * MS)

/* Two tracks that are captured by one clock. */
typedef struct
{
  RelaisTimeline timeline;
  RelaisTrackTime video;
  RelaisTrackTime audio;
  guint64 video_out; /* of the last block */
  guint64 audio_out;
} Pair;

static void
pair_init (Pair *self, guint64 offset)
{
  *self = (Pair){ 0 };
  relais_timeline_init (&self->timeline, offset);
}

static guint64
map_video (Pair *self, guint64 time)
{
  self->video_out = relais_timeline_map (&self->timeline, &self->video, time);
  relais_timeline_add (&self->timeline, &self->video, self->video_out);
  return self->video_out;
}

static guint64
map_audio (Pair *self, guint64 time)
{
  self->audio_out = relais_timeline_map (&self->timeline, &self->audio, time);
  relais_timeline_add (&self->timeline, &self->audio, self->audio_out);
  return self->audio_out;
}

/* Maps both tracks in the order of their times, from @start for @duration. */
static void
run (Pair *self, guint64 start, guint64 duration)
{
  for (guint64 v = start, a = start; v < start + duration || a < start + duration;)
    {
      if (v <= a)
        {
          map_video (self, v);
          v += VIDEO_STEP;
        }
      else
        {
          map_audio (self, a);
          a += AUDIO_STEP;
        }
    }
}

static void
test_begins_at_offset (void)
{
  static const guint64 offsets[] = { 0, MS, 7 * SECOND, 100 * HOUR };
  static const guint64 starts[]
      = { 0, MS, 90 * SECOND, 50 * HOUR, G_GUINT64_CONSTANT (1700000000) * SECOND };

  for (guint i = 0; i < G_N_ELEMENTS (offsets); i++)
    for (guint k = 0; k < G_N_ELEMENTS (starts); k++)
      {
        Pair pair;

        pair_init (&pair, offsets[i]);
        g_assert_cmpuint (pair.timeline.end, ==, offsets[i]);
        g_assert_cmpuint (map_video (&pair, starts[k]), ==, offsets[i]);
        g_assert_cmpuint (map_audio (&pair, starts[k] + 7 * MS), ==, offsets[i] + 7 * MS);
        g_assert_cmpuint (map_video (&pair, starts[k] + VIDEO_STEP), ==, offsets[i] + VIDEO_STEP);
      }
}

/* What is written is what TimestampScale can say. */
static void
test_whole_ticks (void)
{
  Pair pair;

  pair_init (&pair, 0);
  for (guint64 i = 0; i < 1000; i++)
    {
      guint64 time = i * 33366667; /* 29.97 frames a second */
      guint64 out = map_video (&pair, time);

      g_assert_cmpuint (out % MS, ==, 0);
      g_assert_cmpuint (ABS ((gint64) out - (gint64) time), <=, MS / 2);
    }
}

static void
test_lift (void)
{
  Pair pair;

  pair_init (&pair, 0);
  map_video (&pair, 0);
  map_audio (&pair, 500 * MS);
  g_assert_cmpuint (map_video (&pair, 33 * MS), ==, 500 * MS);
  g_assert_cmpuint (map_video (&pair, 66 * MS), ==, 500 * MS);
  /* its own time again, as soon as it has caught up: the lift leaves no trace */
  g_assert_cmpuint (map_video (&pair, 533 * MS), ==, 533 * MS);
  g_assert_cmpuint (map_audio (&pair, 520 * MS), ==, 533 * MS);
  g_assert_cmpuint (map_audio (&pair, 540 * MS), ==, 540 * MS);
}

/* A step back of up to a second is a late block, a larger one a new clock. */
static void
test_back_limit (void)
{
  Pair late, reset;

  pair_init (&late, 0);
  map_video (&late, 0);
  map_video (&late, 5 * SECOND);
  g_assert_cmpuint (map_video (&late, 5 * SECOND - RELAIS_TIMELINE_MAX_BACK), ==, 5 * SECOND);
  g_assert_cmpuint (map_video (&late, 5 * SECOND + VIDEO_STEP), ==, 5 * SECOND + VIDEO_STEP);

  pair_init (&reset, 0);
  run (&reset, 0, 5 * SECOND);
  map_video (&reset, reset.video_out - RELAIS_TIMELINE_MAX_BACK - 2 * MS);
  g_assert_cmpuint (reset.video_out, <=, 5 * SECOND + 2 * VIDEO_STEP);
  g_assert_cmpuint (reset.video_out, >=, 5 * SECOND);
}

/* Chromium leaves 7 s between frames of a canvas that does not change: that is no jump. */
static void
test_ahead_limit (void)
{
  Pair pair;

  pair_init (&pair, 0);
  map_video (&pair, 0);
  g_assert_cmpuint (map_video (&pair, 7 * SECOND), ==, 7 * SECOND);
  g_assert_cmpuint (map_video (&pair, 17 * SECOND), ==, 17 * SECOND);
  g_assert_cmpuint (map_video (&pair, 27 * SECOND + MS), <, 27 * SECOND);
}

/* The publisher's clock jumps. The stream goes on behind its last block as if nothing had been, and
 * both tracks land on one new shift: their distance is that of the input. */
static void
check_jump (guint64 before, guint64 after, gboolean audio_first)
{
  Pair pair;
  guint64 end, video, audio;

  pair_init (&pair, 3 * SECOND);
  run (&pair, before - 10 * SECOND, 10 * SECOND);
  end = MAX (pair.video_out, pair.audio_out);

  if (audio_first)
    {
      audio = map_audio (&pair, after);
      video = map_video (&pair, after + 12 * MS);
      g_assert_cmpuint (video - audio, ==, 12 * MS);
    }
  else
    {
      video = map_video (&pair, after);
      audio = map_audio (&pair, after + 12 * MS);
      g_assert_cmpuint (audio - video, ==, 12 * MS);
    }
  g_assert_cmpuint (MIN (video, audio), >=, end);
  g_assert_cmpuint (MIN (video, audio), <=, end + 2 * VIDEO_STEP);

  run (&pair, after + VIDEO_STEP, 10 * SECOND);
  g_assert_cmpuint (MAX (pair.video_out, pair.audio_out), <=, end + 11 * SECOND);
  g_assert_cmpint (pair.video.shift, ==, pair.audio.shift);
}

static void
test_jumps (void)
{
  static const struct
  {
    guint64 before;
    guint64 after;
  } jumps[] = {
    { HOUR, 0 },                                /* a reset */
    { HOUR, HOUR - 2 * SECOND },                /* a small step back */
    { HOUR, 2 * HOUR },                         /* a laptop that slept */
    { HOUR, 10000 * HOUR },                     /* a clock that was set */
    { HOUR, HOUR + 11 * SECOND },               /* just over the limit */
    { (G_GUINT64_CONSTANT (1) << 32) * MS, 0 }, /* 32 bits of ms */
    { (G_GUINT64_CONSTANT (1) << 31) * MS, 0 },
    { (G_GUINT64_CONSTANT (1) << 32) * 1000, 0 },    /* 32 bits of µs */
    { (G_GUINT64_CONSTANT (1) << 32) / 90 * MS, 0 }, /* 32 bits of 90 kHz */
  };

  for (guint i = 0; i < G_N_ELEMENTS (jumps); i++)
    {
      check_jump (jumps[i].before, jumps[i].after, FALSE);
      check_jump (jumps[i].before, jumps[i].after, TRUE);
    }
}

/* Many jumps do not add up to a drift between the tracks. */
static void
test_many_jumps (void)
{
  Pair pair;
  guint64 end = 0;

  pair_init (&pair, 0);
  for (guint i = 0; i < 1000; i++)
    {
      run (&pair, (i % 7) * HOUR + 30 * MS, 2 * SECOND);
      g_assert_cmpint (pair.video.shift, ==, pair.audio.shift);
      g_assert_cmpuint (MAX (pair.video_out, pair.audio_out), >, end);
      end = MAX (pair.video_out, pair.audio_out);
    }
  g_assert_cmpuint (end, >=, 1990 * SECOND);
  g_assert_cmpuint (end, <=, 2100 * SECOND);
}

/* A track that comes after a jump of the other belongs to the new time base. */
static void
test_late_track (void)
{
  Pair pair;

  pair_init (&pair, 0);
  map_video (&pair, HOUR);
  map_video (&pair, HOUR + VIDEO_STEP);
  map_video (&pair, 5 * HOUR);
  g_assert_cmpuint (map_audio (&pair, 5 * HOUR + 5 * MS), ==, pair.video_out + 5 * MS);
}

/* Tracks of two clocks: the second one does not tear a hole of an hour with its first block. */
static void
test_two_clocks (void)
{
  Pair ahead, behind;

  pair_init (&ahead, 0);
  map_video (&ahead, 0);
  g_assert_cmpuint (map_audio (&ahead, HOUR), <=, VIDEO_STEP);
  g_assert_cmpuint (map_video (&ahead, VIDEO_STEP), ==, VIDEO_STEP);
  g_assert_cmpuint (map_audio (&ahead, HOUR + 50 * MS), <=, 2 * VIDEO_STEP);

  pair_init (&behind, 0);
  map_video (&behind, HOUR);
  g_assert_cmpuint (map_audio (&behind, 0), ==, 0);
  g_assert_cmpuint (map_video (&behind, HOUR + VIDEO_STEP), ==, VIDEO_STEP);
  g_assert_cmpuint (map_audio (&behind, 20 * MS), ==, VIDEO_STEP);
}

/* A week without a restart: still the time that the publisher said, to the tick. */
static void
test_week (void)
{
  Pair pair;
  guint64 n = 7 * 24 * HOUR / VIDEO_STEP;

  pair_init (&pair, 0);
  for (guint64 i = 0; i < n; i++)
    map_video (&pair, 12 * MS + i * VIDEO_STEP);
  g_assert_cmpuint (pair.video_out, ==, (n - 1) * VIDEO_STEP);
  g_assert_cmpuint (pair.timeline.end, ==, n * VIDEO_STEP);
}

/* Rhythm */

static void
test_rhythm (void)
{
  Pair pair;
  guint64 time = 0;

  pair_init (&pair, 0);
  map_video (&pair, time);
  g_assert_cmpuint (pair.video.distance, ==, 0);
  map_video (&pair, time += VIDEO_STEP);
  g_assert_cmpuint (pair.video.distance, ==, VIDEO_STEP);
  for (guint i = 0; i < 30; i++)
    map_video (&pair, time += VIDEO_STEP);
  g_assert_cmpuint (pair.video.distance, ==, VIDEO_STEP);

  /* one missing frame does not double it */
  map_video (&pair, time += 2 * VIDEO_STEP);
  g_assert_cmpuint (pair.video.distance, <, VIDEO_STEP * 5 / 4);

  /* a new rhythm is known after a few seconds */
  for (guint i = 0; i < 25; i++)
    map_video (&pair, time += 100 * MS);
  g_assert_cmpuint (pair.video.distance, >, 90 * MS);
  g_assert_cmpuint (pair.video.distance, <=, 100 * MS);

  /* lifted blocks of one time teach nothing */
  for (guint i = 0; i < 100; i++)
    map_video (&pair, time);
  g_assert_cmpuint (pair.video.distance, >, 90 * MS);
}

/* How long a track was quiet is not its rhythm: otherwise a still picture would slowly switch its
 * own repeats off. */
static void
test_fillers_teach_nothing (void)
{
  Pair pair;

  pair_init (&pair, 0);
  run (&pair, 0, SECOND);
  g_assert_cmpuint (pair.video.distance, ==, VIDEO_STEP);
  for (guint i = 0; i < 20; i++)
    {
      relais_timeline_fill (&pair.timeline, &pair.video, (1 + i) * SECOND + 300 * MS);
      map_video (&pair, (1 + i) * SECOND + 900 * MS);
      g_assert_cmpuint (pair.video.distance, ==, VIDEO_STEP);
    }
}

static void
test_quiet_limit (void)
{
  static const struct
  {
    guint64 distance;
    guint64 quiet;
    guint64 limit;
  } limits[] = {
    { 0, 150 * MS, 150 * MS },         { 33 * MS, 150 * MS, 150 * MS },
    { 75 * MS, 150 * MS, 150 * MS },   { 100 * MS, 150 * MS, 200 * MS },
    { 250 * MS, 150 * MS, 500 * MS },  { 1000 * MS, 150 * MS, 500 * MS },
    { 7000 * MS, 150 * MS, 500 * MS }, { 100 * MS, 900 * MS, 900 * MS },
    { 7000 * MS, 900 * MS, 900 * MS },
  };

  for (guint i = 0; i < G_N_ELEMENTS (limits); i++)
    {
      RelaisTrackTime track = { .distance = limits[i].distance };

      g_assert_cmpuint (relais_track_time_get_quiet_limit (&track, limits[i].quiet), ==,
                        limits[i].limit);
    }
}

/* Fillers */

static void
test_fill (void)
{
  Pair pair;

  pair_init (&pair, 0);
  run (&pair, 0, SECOND);
  g_assert_cmpuint (relais_timeline_fill (&pair.timeline, &pair.video, 1200 * MS + 1), ==,
                    1200 * MS);
  g_assert_cmpuint (pair.video.last_out, ==, 1200 * MS);
  g_assert_cmpuint (pair.video.last_real, ==, pair.video_out);
  /* never in front of what is written */
  g_assert_cmpuint (relais_timeline_fill (&pair.timeline, &pair.audio, 1100 * MS), ==, 1200 * MS);
  /* a real frame behind its repeat is lifted to it */
  g_assert_cmpuint (map_video (&pair, 1150 * MS), ==, 1200 * MS);
  g_assert_cmpuint (map_video (&pair, 1233 * MS), ==, 1233 * MS);
  g_assert_cmpuint (pair.timeline.end, >, 1233 * MS);
}

/* H.264 with B-frames: decode order is kept, presentation times too. */
static void
test_reorder (void)
{
  static const guint64 times[] = { 0, 133, 67, 33, 100, 267, 200, 167, 233 };
  Pair pair;
  guint64 latest = 0;

  pair_init (&pair, 0);
  pair.video.reorders = TRUE;
  for (guint i = 0; i < G_N_ELEMENTS (times); i++)
    {
      g_assert_cmpuint (map_video (&pair, times[i] * MS), ==, times[i] * MS);
      latest = MAX (latest, times[i] * MS);
      g_assert_cmpuint (pair.timeline.last_written, ==, latest);
      g_assert_cmpuint (pair.timeline.end, >, latest);
    }
}

/* Whatever comes in, in any order of tracks, with any jump: time never goes back, and the next
 * epoch begins behind all of it. */
static void
test_anything (void)
{
  for (guint run_number = 0; run_number < 2000; run_number++)
    {
      Pair pair;
      guint64 offset = (guint64) g_test_rand_int_range (0, 1000) * SECOND;
      guint64 last = offset, time = (guint64) g_test_rand_int_range (0, 100000) * MS;

      pair_init (&pair, offset);
      for (guint i = 0; i < 200; i++)
        {
          gboolean is_video = g_test_rand_int_range (0, 2) == 0;
          RelaisTrackTime *track = is_video ? &pair.video : &pair.audio;
          guint64 out;

          switch (g_test_rand_int_range (0, 12))
            {
            case 0:
              time = (guint64) g_test_rand_int_range (0, G_MAXINT32) * MS;
              break;
            case 1:
              time -= MIN (time, (guint64) g_test_rand_int_range (0, 3000) * MS);
              break;
            default:
              time += (guint64) g_test_rand_int_range (0, 100 * 1000) * 1000;
              break;
            }
          if (track->started && g_test_rand_int_range (0, 5) == 0)
            out = relais_timeline_fill (&pair.timeline, track,
                                        last + (guint64) g_test_rand_int_range (0, 200) * MS);
          else
            {
              out = relais_timeline_map (&pair.timeline, track, time);
              relais_timeline_add (&pair.timeline, track, out);
            }
          g_assert_cmpuint (out, >=, last);
          g_assert_cmpuint (out % MS, ==, 0);
          g_assert_cmpuint (pair.timeline.end, >, out);
          /* no jump of the input tears a hole larger than what a slow track may leave */
          g_assert_cmpuint (out, <=, last + RELAIS_TIMELINE_MAX_AHEAD + SECOND);
          last = out;
        }
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/timeline/begins-at-offset", test_begins_at_offset);
  g_test_add_func ("/timeline/whole-ticks", test_whole_ticks);
  g_test_add_func ("/timeline/lift", test_lift);
  g_test_add_func ("/timeline/back-limit", test_back_limit);
  g_test_add_func ("/timeline/ahead-limit", test_ahead_limit);
  g_test_add_func ("/timeline/jumps", test_jumps);
  g_test_add_func ("/timeline/many-jumps", test_many_jumps);
  g_test_add_func ("/timeline/late-track", test_late_track);
  g_test_add_func ("/timeline/two-clocks", test_two_clocks);
  g_test_add_func ("/timeline/week", test_week);
  g_test_add_func ("/timeline/rhythm", test_rhythm);
  g_test_add_func ("/timeline/fillers-teach-nothing", test_fillers_teach_nothing);
  g_test_add_func ("/timeline/quiet-limit", test_quiet_limit);
  g_test_add_func ("/timeline/fill", test_fill);
  g_test_add_func ("/timeline/reorder", test_reorder);
  g_test_add_func ("/timeline/anything", test_anything);
  return g_test_run ();
}
