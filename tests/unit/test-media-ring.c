/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "stream/relais-media-ring.h"

#include "base/relais-websocket-frame.h"
#include "stream/relais-track-info.h"

#include <string.h>

#define MS      G_GINT64_CONSTANT (1000)
#define SECOND  (1000 * MS)
#define PAYLOAD 1000
#define FRAME   (PAYLOAD + 4) /* with its WebSocket header */
#define NEVER   (24 * 3600 * 1000)
#define PLENTY  (1024 * 1024 * 1024)

static RelaisEpoch *epoch;

static RelaisEpoch *
make_epoch (guint number)
{
  g_autoptr (GArray) tracks = g_array_new (FALSE, FALSE, sizeof (RelaisTrackInfo));
  g_autoptr (GBytes) init = g_bytes_new_static ("header", 6);

  return relais_epoch_new (number, "video/webm; codecs=\"vp8\"", tracks, init);
}

static RelaisUnit *
make_unit (gboolean is_sync_point, gint64 arrived)
{
  guint8 *payload;
  RelaisUnit *unit = relais_unit_new_media (epoch, PAYLOAD, &payload);

  memset (payload, is_sync_point ? 'K' : 'd', PAYLOAD);
  g_assert_cmpuint (unit->size, ==, FRAME);
  unit->is_sync_point = is_sync_point;
  unit->arrived = arrived;
  return unit;
}

static gboolean
append (RelaisMediaRing *ring, gboolean is_sync_point, gint64 arrived)
{
  return relais_media_ring_append (ring, make_unit (is_sync_point, arrived));
}

/* Appends one unit a letter, @step µs apart: K = a sync point, d = another unit. */
static gint64
append_all (RelaisMediaRing *ring, const char *letters, gint64 arrived, gint64 step)
{
  for (; *letters != '\0'; letters++, arrived += step)
    append (ring, *letters == 'K', arrived);
  return arrived;
}

/* Reads one unit. Returns: its sequence, or -1 where there is none */
static gint64
read_one (RelaisMediaRing *ring, RelaisRingCursor *cursor)
{
  RelaisUnit *unit;
  RelaisRingRead read = relais_media_ring_read (ring, cursor, &unit, 1, G_MAXSIZE);
  gint64 sequence;

  if (read.n_units == 0)
    return -1;
  sequence = (gint64) unit->sequence;
  relais_unit_unref (unit);
  return sequence;
}

static RelaisMediaRing *
make_ring (void)
{
  return relais_media_ring_new (PLENTY, NEVER, PLENTY, NEVER);
}

/* Units */

static void
test_units (void)
{
  g_autoptr (RelaisUnit) media = make_unit (TRUE, 5);
  g_autoptr (RelaisUnit) notice = relais_unit_new_notice ("{\"type\":\"ended\"}");
  g_autoptr (RelaisEpoch) other = make_epoch (7);
  gsize size;
  const guint8 *frames = g_bytes_get_data (other->init_frames, &size);

  g_assert_cmpmem (media->frame, 4, "\x82\x7e\x03\xe8", 4);
  g_assert_cmpuint (media->payload_size, ==, PAYLOAD);
  g_assert_true (media->epoch == epoch);
  g_assert_cmpmem (notice->frame, notice->size, "\x81\x10{\"type\":\"ended\"}", 18);
  g_assert_null (notice->epoch);
  g_assert_cmpint (notice->arrived, >, 0);

  /* the text frame, then the binary frame of the init segment */
  g_assert_cmpuint (frames[0], ==, 0x81);
  g_assert_cmpmem (frames + size - 8, 8, "\x82\x06header", 8);
  g_assert_nonnull (g_strstr_len ((const char *) frames, (gssize) size,
                                  "{\"type\":\"init\",\"epoch\":7,\"mime\":\"video/webm; "
                                  "codecs=\\\"vp8\\\"\",\"tracks\":[],\"bytes\":6}"));
}

/* Joining and reading */

static void
test_join_empty (void)
{
  g_autoptr (RelaisMediaRing) ring = make_ring ();
  RelaisRingCursor cursor;

  relais_media_ring_join (ring, &cursor, FALSE);
  g_assert_cmpint (read_one (ring, &cursor), ==, -1);
  append_all (ring, "ddKdK", 0, 0);
  /* nothing before a sync point, then everything */
  g_assert_cmpint (read_one (ring, &cursor), ==, 2);
  g_assert_cmpint (read_one (ring, &cursor), ==, 3);
  g_assert_cmpint (read_one (ring, &cursor), ==, 4);
  g_assert_cmpint (read_one (ring, &cursor), ==, -1);
}

static void
test_join_at_newest (void)
{
  g_autoptr (RelaisMediaRing) ring = make_ring ();
  RelaisRingCursor early, late, from_now;
  RelaisUnit *units[16];
  RelaisRingRead read;

  append_all (ring, "Kd", 0, SECOND);
  relais_media_ring_join (ring, &early, FALSE);
  append_all (ring, "dKddd", 2 * SECOND, SECOND);
  relais_media_ring_join (ring, &late, FALSE);
  relais_media_ring_join (ring, &from_now, TRUE);

  read = relais_media_ring_read (ring, &late, units, G_N_ELEMENTS (units), G_MAXSIZE);
  g_assert_cmpuint (read.n_units, ==, 4);
  g_assert_cmpuint (units[0]->sequence, ==, 3);
  g_assert_true (read.started);
  g_assert_cmpint (read.start_age_ms, ==, 3000);
  g_assert_false (read.dropped);
  for (guint i = 0; i < read.n_units; i++)
    relais_unit_unref (units[i]);

  /* whoever was there keeps his place */
  g_assert_cmpint (read_one (ring, &early), ==, 0);
  g_assert_cmpint (read_one (ring, &early), ==, 1);

  g_assert_cmpint (read_one (ring, &from_now), ==, -1);
  append_all (ring, "dK", 7 * SECOND, SECOND);
  g_assert_cmpint (read_one (ring, &from_now), ==, 8);
}

static void
test_read_limits (void)
{
  g_autoptr (RelaisMediaRing) ring = make_ring ();
  RelaisRingCursor cursor;
  RelaisUnit *units[16];
  static const struct
  {
    guint max_units;
    gsize max_bytes;
    guint n;
  } reads[] = {
    { 3, G_MAXSIZE, 3 },  { 16, 1, 1 },        { 16, FRAME, 1 },     { 16, FRAME + 1, 2 },
    { 16, 3 * FRAME, 3 }, { 1, G_MAXSIZE, 1 }, { 16, G_MAXSIZE, 9 }, { 16, G_MAXSIZE, 0 },
  };

  append_all (ring, "Kddddddddddddddddddd", 0, 0);
  relais_media_ring_join (ring, &cursor, FALSE);
  for (guint i = 0; i < G_N_ELEMENTS (reads); i++)
    {
      RelaisRingRead read
          = relais_media_ring_read (ring, &cursor, units, reads[i].max_units, reads[i].max_bytes);

      g_assert_cmpuint (read.n_units, ==, reads[i].n);
      g_assert_cmpint (read.started, ==, i == 0);
      for (guint k = 0; k < read.n_units; k++)
        relais_unit_unref (units[k]);
    }
}

/* Viewers are told of interruptions also while they wait for a keyframe; nobody starts with what
 * was sent before one. */
static void
test_notices (void)
{
  g_autoptr (RelaisMediaRing) ring = make_ring ();
  RelaisRingCursor waiting, playing, late;

  relais_media_ring_join (ring, &waiting, FALSE);
  append_all (ring, "d", 0, 0);
  append_all (ring, "K", 0, 0);
  relais_media_ring_join (ring, &playing, FALSE);
  relais_media_ring_append (ring, relais_unit_new_notice ("{\"type\":\"interrupted\"}"));
  relais_media_ring_join (ring, &late, FALSE);

  g_assert_cmpint (read_one (ring, &waiting), ==, 1);
  g_assert_cmpint (read_one (ring, &waiting), ==, 2);
  g_assert_cmpint (read_one (ring, &playing), ==, 1);
  g_assert_cmpint (read_one (ring, &playing), ==, 2);
  g_assert_cmpint (read_one (ring, &late), ==, -1);

  relais_media_ring_append (ring, relais_unit_new_notice ("{\"type\":\"ended\"}"));
  g_assert_cmpint (read_one (ring, &late), ==, 3);
  append_all (ring, "dK", g_get_monotonic_time (), 0);
  g_assert_cmpint (read_one (ring, &late), ==, 5);
  /* it had started before: nothing is left out for it */
  g_assert_cmpint (read_one (ring, &playing), ==, 3);
  g_assert_cmpint (read_one (ring, &playing), ==, 4);
}

/* Limits */

static void
test_max_bytes (void)
{
  const guint n = 10;
  g_autoptr (RelaisMediaRing) ring = relais_media_ring_new (n * FRAME, NEVER, PLENTY, NEVER);

  for (guint i = 0; i < 2000; i++)
    {
      RelaisRingStats stats;

      append (ring, i % 4 == 0, i);
      stats = relais_media_ring_get_stats (ring);
      g_assert_cmpuint (stats.bytes, ==, MIN (i + 1, n) * FRAME);
      g_assert_cmpuint (stats.n_units, ==, MIN (i + 1, n));
      g_assert_cmpint (stats.newest_age_ms, >=, 0);
      g_assert_cmpint (stats.newest_start_age_ms, >=, stats.newest_age_ms);
      g_assert_cmpint (stats.oldest_start_age_ms, >=, stats.newest_start_age_ms);
    }
}

static void
test_max_ms (void)
{
  g_autoptr (RelaisMediaRing) ring = relais_media_ring_new (PLENTY, 1000, PLENTY, NEVER);
  RelaisRingCursor cursor;
  gint64 now;

  /* a keyframe a second: no more than what is a second old, and the rest of its group */
  now = append_all (ring, "KdddKdddKdddKdddK", 0, 250 * MS);
  g_assert_cmpuint (relais_media_ring_get_stats (ring).n_units, ==, 5);

  /* none for a long time: everything since the last one stays */
  append_all (ring, "ddddddddddddddddddd", now, 250 * MS);
  g_assert_cmpuint (relais_media_ring_get_stats (ring).n_units, ==, 20);
  relais_media_ring_join (ring, &cursor, FALSE);
  g_assert_cmpint (read_one (ring, &cursor), ==, 16);
  g_assert_cmpuint (relais_media_ring_get_stats (ring).n_starts_evicted, ==, 0);
}

/* A unit that alone is larger than the ring is not kept, and breaks nothing. */
static void
test_unit_larger_than_ring (void)
{
  g_autoptr (RelaisMediaRing) ring = relais_media_ring_new (FRAME / 2, NEVER, PLENTY, NEVER);
  RelaisRingCursor cursor;

  relais_media_ring_join (ring, &cursor, FALSE);
  g_assert_false (append (ring, TRUE, 0));
  g_assert_cmpuint (relais_media_ring_get_stats (ring).n_units, ==, 0);
  g_assert_cmpint (read_one (ring, &cursor), ==, -1);
  g_assert_true (append (ring, FALSE, 0));
  g_assert_cmpint (read_one (ring, &cursor), ==, -1);
}

/* A publisher with a keyframe a minute. The ring says so once a group; whoever joins waits; whoever
 * plays and keeps up plays on. */
static void
test_large_gop (void)
{
  g_autoptr (RelaisMediaRing) ring = relais_media_ring_new (5 * FRAME, NEVER, PLENTY, NEVER);
  RelaisRingCursor playing, joining;

  relais_media_ring_join (ring, &playing, FALSE);
  for (guint gop = 0; gop < 3; gop++)
    {
      for (guint i = 0; i < 20; i++)
        {
          gboolean kept = append (ring, i == 0, 0);

          g_assert_cmpint (kept, ==, i != 5);
          g_assert_cmpint (read_one (ring, &playing), ==, gop * 20 + i);
          if (i == 10)
            {
              relais_media_ring_join (ring, &joining, FALSE);
              g_assert_cmpint (relais_media_ring_get_stats (ring).newest_start_age_ms, ==, -1);
              g_assert_cmpint (relais_media_ring_get_stats (ring).newest_age_ms, >=, 0);
            }
          if (i >= 10)
            g_assert_cmpint (read_one (ring, &joining), ==, -1);
        }
      g_assert_cmpuint (relais_media_ring_get_stats (ring).n_starts_evicted, ==, gop + 1);
    }
  append (ring, TRUE, 0);
  g_assert_cmpint (read_one (ring, &joining), ==, 60);
}

/* The slots grow with the units, wherever in the ring it begins. */
static void
test_many_units (void)
{
  g_autoptr (RelaisMediaRing) ring = relais_media_ring_new (5000 * FRAME, NEVER, PLENTY, NEVER);
  RelaisRingCursor cursor;
  gint64 sequence, expected = 15000;

  for (guint i = 0; i < 100; i++)
    append (ring, FALSE, 0);
  relais_media_ring_clear (ring);
  for (guint i = 100; i < 20000; i++)
    append (ring, i == 15000, 0);
  relais_media_ring_join (ring, &cursor, FALSE);
  while ((sequence = read_one (ring, &cursor)) >= 0)
    g_assert_cmpint (sequence, ==, expected++);
  g_assert_cmpint (expected, ==, 20000);
}

static void
test_clear (void)
{
  g_autoptr (RelaisMediaRing) ring = make_ring ();
  RelaisRingCursor cursor, behind;

  append_all (ring, "Kddd", 0, SECOND);
  relais_media_ring_join (ring, &cursor, FALSE);
  relais_media_ring_join (ring, &behind, FALSE);
  g_assert_cmpint (read_one (ring, &cursor), ==, 0);
  relais_media_ring_clear (ring);
  g_assert_cmpuint (relais_media_ring_get_stats (ring).bytes, ==, 0);
  g_assert_cmpint (relais_media_ring_get_stats (ring).newest_start_age_ms, ==, -1);
  g_assert_cmpint (read_one (ring, &cursor), ==, -1);
  g_assert_cmpint (read_one (ring, &behind), ==, -1);
  append_all (ring, "dKd", 9 * SECOND, SECOND);
  g_assert_cmpint (read_one (ring, &cursor), ==, 5);
  g_assert_cmpint (read_one (ring, &behind), ==, 5);
}

/* A viewer who was slow when the stream ended has lost its rest, but not the word that says so. */
static void
test_clear_behind (void)
{
  g_autoptr (RelaisMediaRing) ring = make_ring ();
  RelaisRingCursor slow;
  RelaisUnit *unit;
  RelaisRingRead read;

  relais_media_ring_join (ring, &slow, FALSE);
  append_all (ring, "Kddd", 0, SECOND);
  g_assert_cmpint (read_one (ring, &slow), ==, 0);
  relais_media_ring_clear (ring);
  relais_media_ring_append (ring, relais_unit_new_notice ("{\"type\":\"ended\"}"));
  read = relais_media_ring_read (ring, &slow, &unit, 1, G_MAXSIZE);
  g_assert_true (read.dropped);
  g_assert_cmpuint (read.n_units, ==, 1);
  g_assert_null (unit->epoch);
  relais_unit_unref (unit);
  g_assert_cmpint (read_one (ring, &slow), ==, -1);
}

/* Slow viewers */

static void
test_lag_ms (void)
{
  g_autoptr (RelaisMediaRing) ring = relais_media_ring_new (PLENTY, NEVER, PLENTY, 4000);
  RelaisRingCursor cursor;
  RelaisUnit *unit;
  RelaisRingRead read;
  gint64 now;

  relais_media_ring_join (ring, &cursor, FALSE);
  now = append_all (ring, "Kddd", 0, SECOND);
  g_assert_cmpint (read_one (ring, &cursor), ==, 0);
  /* exactly 4 s behind, with a newer sync point to go to: still in time */
  now = append_all (ring, "Kd", now, SECOND);
  g_assert_cmpint (read_one (ring, &cursor), ==, 1);
  now = append_all (ring, "dd", now, SECOND);

  read = relais_media_ring_read (ring, &cursor, &unit, 1, G_MAXSIZE);
  g_assert_true (read.dropped);
  g_assert_true (read.started);
  g_assert_cmpint (read.dropped_ms, ==, 2000); /* units 2 and 3 */
  g_assert_cmpuint (unit->sequence, ==, 4);
  relais_unit_unref (unit);
  /* what it was moved behind is a head start */
  g_assert_cmpint (read_one (ring, &cursor), ==, 5);
}

/* Without a newer sync point there is nowhere to go: the viewer gets what there is. */
static void
test_lag_without_start (void)
{
  g_autoptr (RelaisMediaRing) ring = relais_media_ring_new (PLENTY, NEVER, PLENTY, 1000);
  RelaisRingCursor cursor;

  relais_media_ring_join (ring, &cursor, FALSE);
  append_all (ring, "Kddddddddd", 0, SECOND);
  for (guint i = 0; i < 10; i++)
    g_assert_cmpint (read_one (ring, &cursor), ==, i);
}

static void
test_lag_bytes (void)
{
  g_autoptr (RelaisMediaRing) ring = relais_media_ring_new (PLENTY, NEVER, 5 * FRAME, NEVER);
  RelaisRingCursor cursor;
  RelaisUnit *unit;
  RelaisRingRead read;

  relais_media_ring_join (ring, &cursor, FALSE);
  append_all (ring, "KdddKd", 0, 0);
  g_assert_cmpint (read_one (ring, &cursor), ==, 0);
  g_assert_cmpint (read_one (ring, &cursor), ==, 1);
  append_all (ring, "ddd", 0, 0);
  read = relais_media_ring_read (ring, &cursor, &unit, 1, G_MAXSIZE);
  g_assert_true (read.dropped);
  g_assert_cmpuint (unit->sequence, ==, 4);
  relais_unit_unref (unit);
}

/* What was in the ring when a viewer joined is no lag, however old its keyframe is; what comes
 * after is. */
static void
test_head_start (void)
{
  g_autoptr (RelaisMediaRing) ring = relais_media_ring_new (PLENTY, NEVER, PLENTY, 1000);
  RelaisRingCursor cursor;
  RelaisUnit *unit;
  RelaisRingRead read;
  gint64 now;

  now = append_all (ring, "Kddddddddd", 0, SECOND);
  relais_media_ring_join (ring, &cursor, FALSE);
  append (ring, TRUE, now);
  g_assert_cmpint (read_one (ring, &cursor), ==, 0);
  append (ring, FALSE, now + 500 * MS);
  g_assert_cmpint (read_one (ring, &cursor), ==, 1);
  append (ring, FALSE, now + 1001 * MS);
  read = relais_media_ring_read (ring, &cursor, &unit, 1, G_MAXSIZE);
  g_assert_true (read.dropped);
  g_assert_cmpuint (unit->sequence, ==, 10);
  relais_unit_unref (unit);
}

/* The ring evicts whoever still wants it. */
static void
test_evicted (void)
{
  g_autoptr (RelaisMediaRing) ring = relais_media_ring_new (4 * FRAME, NEVER, PLENTY, NEVER);
  RelaisRingCursor started, fresh;
  RelaisUnit *unit;
  RelaisRingRead read;
  gint64 now;

  relais_media_ring_join (ring, &started, FALSE);
  now = append_all (ring, "Kd", 0, SECOND);
  relais_media_ring_join (ring, &fresh, FALSE);
  g_assert_cmpint (read_one (ring, &started), ==, 0);
  append_all (ring, "ddKdKd", now, SECOND);

  read = relais_media_ring_read (ring, &started, &unit, 1, G_MAXSIZE);
  g_assert_true (read.dropped);
  g_assert_cmpint (read.dropped_ms, ==, 2000); /* from the oldest that is still known */
  g_assert_cmpuint (unit->sequence, ==, 6);
  relais_unit_unref (unit);

  /* one that was sent nothing yet has lost nothing */
  read = relais_media_ring_read (ring, &fresh, &unit, 1, G_MAXSIZE);
  g_assert_false (read.dropped);
  g_assert_cmpuint (unit->sequence, ==, 6);
  relais_unit_unref (unit);
}

static void
test_evicted_without_start (void)
{
  g_autoptr (RelaisMediaRing) ring = relais_media_ring_new (4 * FRAME, NEVER, PLENTY, NEVER);
  RelaisRingCursor cursor;
  RelaisUnit *unit;
  RelaisRingRead read;

  relais_media_ring_join (ring, &cursor, FALSE);
  append_all (ring, "Kd", 0, SECOND);
  g_assert_cmpint (read_one (ring, &cursor), ==, 0);
  append_all (ring, "dddddd", 2 * SECOND, SECOND);
  read = relais_media_ring_read (ring, &cursor, &unit, 1, G_MAXSIZE);
  g_assert_cmpuint (read.n_units, ==, 0);
  g_assert_true (read.dropped);
  g_assert_cmpint (read.dropped_ms, ==, 3000);
  /* it is told once */
  append_all (ring, "d", 8 * SECOND, SECOND);
  read = relais_media_ring_read (ring, &cursor, &unit, 1, G_MAXSIZE);
  g_assert_false (read.dropped);
  append_all (ring, "K", 9 * SECOND, SECOND);
  g_assert_cmpint (read_one (ring, &cursor), ==, 9);
}

/* Every test before this one has given back all its units: nobody but us holds the epoch. */
static void
test_nothing_left (void)
{
  g_assert_cmpint (g_atomic_int_get (&epoch->ref_count), ==, 1);
}

int
main (int argc, char **argv)
{
  int result;

  g_test_init (&argc, &argv, NULL);
  epoch = make_epoch (1);
  g_test_add_func ("/media-ring/units", test_units);
  g_test_add_func ("/media-ring/join-empty", test_join_empty);
  g_test_add_func ("/media-ring/join-at-newest", test_join_at_newest);
  g_test_add_func ("/media-ring/read-limits", test_read_limits);
  g_test_add_func ("/media-ring/notices", test_notices);
  g_test_add_func ("/media-ring/max-bytes", test_max_bytes);
  g_test_add_func ("/media-ring/max-ms", test_max_ms);
  g_test_add_func ("/media-ring/unit-larger-than-ring", test_unit_larger_than_ring);
  g_test_add_func ("/media-ring/large-gop", test_large_gop);
  g_test_add_func ("/media-ring/many-units", test_many_units);
  g_test_add_func ("/media-ring/clear", test_clear);
  g_test_add_func ("/media-ring/clear-behind", test_clear_behind);
  g_test_add_func ("/media-ring/lag-ms", test_lag_ms);
  g_test_add_func ("/media-ring/lag-without-start", test_lag_without_start);
  g_test_add_func ("/media-ring/lag-bytes", test_lag_bytes);
  g_test_add_func ("/media-ring/head-start", test_head_start);
  g_test_add_func ("/media-ring/evicted", test_evicted);
  g_test_add_func ("/media-ring/evicted-without-start", test_evicted_without_start);
  g_test_add_func ("/media-ring/nothing-left", test_nothing_left);
  result = g_test_run ();
  relais_epoch_unref (epoch);
  return result;
}
