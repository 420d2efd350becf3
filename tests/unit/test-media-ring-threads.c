/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The media ring under several threads and with many viewers. */

#include "stream/relais-media-ring.h"

#include "stream/relais-track-info.h"

#include <string.h>

#define PAYLOAD 1000
#define FRAME   (PAYLOAD + 4) /* with its WebSocket header */
#define NEVER   (24 * 3600 * 1000)
#define PLENTY  (1024 * 1024 * 1024)

static RelaisEpoch *epoch;

static void
append (RelaisMediaRing *ring, gboolean is_sync_point, gint64 arrived)
{
  guint8 *payload;
  RelaisUnit *unit = relais_unit_new_media (epoch, PAYLOAD, &payload);

  memset (payload, is_sync_point ? 'K' : 'd', PAYLOAD);
  unit->is_sync_point = is_sync_point;
  unit->arrived = arrived;
  relais_media_ring_append (ring, unit);
}

static void
count_call (gpointer user_data)
{
  g_atomic_int_inc ((guint *) user_data);
}

static void
test_listeners (void)
{
  g_autoptr (RelaisMediaRing) ring = relais_media_ring_new (PLENTY, NEVER, PLENTY, NEVER);
  guint calls[3] = { 0 };

  for (guint i = 0; i < G_N_ELEMENTS (calls); i++)
    relais_media_ring_add_listener (ring, count_call, &calls[i]);
  append (ring, TRUE, 0);
  relais_media_ring_remove_listener (ring, count_call, &calls[0]);
  append (ring, FALSE, 0);
  relais_media_ring_append (ring, relais_unit_new_notice ("{}"));
  relais_media_ring_clear (ring);
  relais_media_ring_remove_listener (ring, count_call, &calls[0]);
  g_assert_cmpuint (calls[0], ==, 1);
  g_assert_cmpuint (calls[1], ==, 3);
  g_assert_cmpuint (calls[2], ==, 3);
  relais_media_ring_remove_listener (ring, count_call, &calls[1]);
  relais_media_ring_remove_listener (ring, count_call, &calls[2]);
}

#define N_APPENDED 20000
#define N_READERS  3

typedef struct
{
  RelaisMediaRing *ring;
  int done; /* atomic: the writer has appended everything */
} Shared;

typedef struct
{
  gboolean is_added;
  guint n_calls;
} Guest;

static void
note_guest (gpointer user_data)
{
  Guest *guest = user_data;

  g_assert_true (guest->is_added);
  guest->n_calls++;
}

/* Comes and goes while units are appended. Once it is gone nothing may touch it, which the
 * sanitizers see. */
static gpointer
run_guests (gpointer data)
{
  Shared *shared = data;

  while (!g_atomic_int_get (&shared->done))
    {
      Guest *guest = g_new0 (Guest, 1);

      guest->is_added = TRUE;
      relais_media_ring_add_listener (shared->ring, note_guest, guest);
      relais_media_ring_remove_listener (shared->ring, note_guest, guest);
      guest->is_added = FALSE;
      g_free (guest);
    }
  return NULL;
}

/* What any reader gets begins with a sync point and has no hole but where it is told of one. */
static gpointer
run_reader (gpointer data)
{
  Shared *shared = data;
  RelaisRingCursor cursor;
  guint64 next = 0, n_units = 0;

  relais_media_ring_join (shared->ring, &cursor, FALSE);
  for (;;)
    {
      gboolean was_done = g_atomic_int_get (&shared->done);
      RelaisUnit *units[7];
      RelaisRingRead read
          = relais_media_ring_read (shared->ring, &cursor, units, G_N_ELEMENTS (units), 5 * FRAME);

      for (guint i = 0; i < read.n_units; i++)
        {
          if (i == 0 && read.started)
            g_assert_true (units[0]->is_sync_point);
          else
            g_assert_cmpuint (units[i]->sequence, ==, next);
          g_assert_cmpuint (units[i]->frame[FRAME - 1], ==, units[i]->is_sync_point ? 'K' : 'd');
          next = units[i]->sequence + 1;
          relais_unit_unref (units[i]);
        }
      n_units += read.n_units;
      if (read.n_units == 0)
        {
          if (was_done)
            break;
          g_thread_yield ();
        }
    }
  g_assert_cmpuint (n_units, >, 0);
  g_assert_cmpuint (next, ==, N_APPENDED);
  return NULL;
}

static void
test_threads (void)
{
  g_autoptr (RelaisMediaRing) ring = relais_media_ring_new (64 * FRAME, NEVER, 40 * FRAME, NEVER);
  Shared shared = { .ring = ring };
  GThread *guests = g_thread_new ("guests", run_guests, &shared);
  GThread *readers[N_READERS];

  for (guint i = 0; i < N_READERS; i++)
    readers[i] = g_thread_new ("reader", run_reader, &shared);
  for (guint i = 0; i < N_APPENDED; i++)
    append (ring, i % 10 == 0, i);
  g_atomic_int_set (&shared.done, TRUE);
  for (guint i = 0; i < N_READERS; i++)
    g_thread_join (readers[i]);
  g_thread_join (guests);
}

/* Ten thousand viewers of all speeds cost the ring nothing but their reads. */
static void
test_many_cursors (void)
{
  const guint n_cursors = 10000;
  g_autoptr (RelaisMediaRing) ring = relais_media_ring_new (50 * FRAME, NEVER, 30 * FRAME, NEVER);
  g_autofree RelaisRingCursor *cursors = g_new0 (RelaisRingCursor, n_cursors);
  g_autofree gint64 *last = g_new (gint64, n_cursors);
  guint n_drops = 0, n_up_to_date = 0;

  for (guint c = 0; c < n_cursors; c++)
    last[c] = -1;
  for (guint i = 0; i < 200; i++)
    {
      append (ring, i % 10 == 0, i);
      for (guint c = 0; c < n_cursors; c++)
        {
          RelaisUnit *unit;
          RelaisRingRead read;

          if (c % 200 == i)
            relais_media_ring_join (ring, &cursors[c], FALSE);
          /* some read at each turn, some at every second, third, ... */
          if (c % 200 > i || i % (c % 7 + 1) != 0)
            continue;
          read = relais_media_ring_read (ring, &cursors[c], &unit, 1, G_MAXSIZE);
          n_drops += read.dropped;
          if (read.n_units == 0)
            continue;
          if (last[c] < 0 || read.dropped)
            g_assert_true (unit->is_sync_point);
          else
            g_assert_cmpuint (unit->sequence, ==, last[c] + 1);
          last[c] = (gint64) unit->sequence;
          relais_unit_unref (unit);
        }
    }
  for (guint c = 0; c < n_cursors; c++)
    n_up_to_date += last[c] >= 199 - 10; /* behind by no more than the group it began with */
  g_assert_cmpuint (n_drops, >, 1000);
  g_assert_cmpuint (n_up_to_date, >, 1000);
  g_assert_cmpuint (relais_media_ring_get_stats (ring).bytes, <=, 50 * FRAME);
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
  g_autoptr (GArray) tracks = g_array_new (FALSE, FALSE, sizeof (RelaisTrackInfo));
  g_autoptr (GBytes) init = g_bytes_new_static ("header", 6);
  int result;

  g_test_init (&argc, &argv, NULL);
  epoch = relais_epoch_new (1, "video/webm", tracks, init);
  g_test_add_func ("/media-ring-threads/listeners", test_listeners);
  g_test_add_func ("/media-ring-threads/threads", test_threads);
  g_test_add_func ("/media-ring-threads/many-cursors", test_many_cursors);
  g_test_add_func ("/media-ring-threads/nothing-left", test_nothing_left);
  result = g_test_run ();
  relais_epoch_unref (epoch);
  return result;
}
