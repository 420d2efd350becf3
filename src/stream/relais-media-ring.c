/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The media ring: a stream's recent units, and the place where the publisher's side meets the
 * viewers' side.
 *
 * Written by the stream's streaming thread (and by the main thread for notices), read by all sender
 * threads. A viewer is a RelaisRingCursor, not a queue: a thousand viewers cost the ring nothing. A
 * slow viewer cannot hold anything back: the ring evicts what is over its limits whoever still
 * wanted it, and the viewer's next read moves it to the newest sync point.
 *
 * Limits: at most `max_bytes`; at most `max_ms`, but the newest sync point and what follows it stay
 * as long as the bytes allow. Where one group of pictures is larger than `max_bytes`, the ring
 * holds no start any more and joining viewers wait for the next.
 *
 * Locks: `lock` is a leaf, held for a few dozen instructions, never across a write or a callback.
 * `listeners_lock` is held while listeners are called; they may take their own locks, but must not
 * call back into the ring's listener functions. */

#include "config.h"

#include "stream/relais-media-ring.h"

#define INITIAL_SLOTS 256 /* a power of two; the slots grow with the number of units */
#define NO_SEQUENCE   G_MAXUINT64

typedef struct
{
  RelaisRingListener func;
  gpointer user_data;
} Listener;

struct _RelaisMediaRing
{
  guint64 max_bytes;
  gint64 max_us;
  guint64 lag_bytes;
  gint64 lag_us;

  GMutex lock;          /* protects the fields below */
  RelaisUnit **slots;   /* owned; unit `sequence` is in slot `sequence & (n_slots - 1)` */
  guint64 n_slots;      /* a power of two */
  guint64 tail;         /* sequence of the oldest unit */
  guint64 head;         /* sequence that the next unit gets */
  guint64 total_bytes;  /* of all units ever appended */
  guint64 newest_start; /* where a viewer that joins now begins; NO_SEQUENCE */
  guint64 after_notice; /* sequence behind the last notice: nobody joins with what came before it */
  guint64 n_starts_evicted;

  GMutex listeners_lock; /* protects `listeners`; taken before no other lock of the ring */
  GArray *listeners;     /* Listener */
};

/**
 * relais_media_ring_new:
 * @max_bytes: bytes of media to keep at most
 * @max_ms: time of media to keep at most, in ms
 * @lag_bytes: a viewer that is further behind is moved to the newest sync point
 * @lag_ms: the same in ms
 *
 * Returns: (transfer full): an empty ring
 */
RelaisMediaRing *
relais_media_ring_new (guint64 max_bytes, gint64 max_ms, guint64 lag_bytes, gint64 lag_ms)
{
  RelaisMediaRing *self = g_new0 (RelaisMediaRing, 1);

  g_mutex_init (&self->lock);
  g_mutex_init (&self->listeners_lock);
  self->max_bytes = max_bytes;
  self->max_us = max_ms * 1000;
  self->lag_bytes = lag_bytes;
  self->lag_us = lag_ms * 1000;
  self->n_slots = INITIAL_SLOTS;
  self->slots = g_new0 (RelaisUnit *, self->n_slots);
  self->newest_start = NO_SEQUENCE;
  self->listeners = g_array_new (FALSE, FALSE, sizeof (Listener));
  return self;
}

void
relais_media_ring_free (RelaisMediaRing *self)
{
  relais_media_ring_clear (self);
  g_free (self->slots);
  g_array_unref (self->listeners);
  g_mutex_clear (&self->lock);
  g_mutex_clear (&self->listeners_lock);
  g_free (self);
}

/* Called with the lock held. */
static inline RelaisUnit *
get_unit (RelaisMediaRing *self, guint64 sequence)
{
  return self->slots[sequence & (self->n_slots - 1)];
}

/* Called with the lock held. */
static guint64
count_bytes (RelaisMediaRing *self)
{
  return self->head == self->tail ? 0
                                  : self->total_bytes - get_unit (self, self->tail)->bytes_before;
}

/* Called with the lock held. The oldest units are put into @evicted, which lets go of them without
 * the lock. */
static gboolean
evict (RelaisMediaRing *self, gint64 now, GPtrArray *evicted)
{
  gboolean lost_start = FALSE;

  while (self->tail < self->head)
    {
      RelaisUnit *oldest = get_unit (self, self->tail);
      gboolean too_many = count_bytes (self) > self->max_bytes;
      gboolean too_old = now - oldest->arrived > self->max_us;

      if (!too_many && (!too_old || self->tail >= self->newest_start))
        break;
      if (self->tail == self->newest_start)
        {
          self->newest_start = NO_SEQUENCE;
          self->n_starts_evicted++;
          lost_start = TRUE;
        }
      g_ptr_array_add (evicted, oldest);
      self->tail++;
    }
  return lost_start;
}

/* Called with the lock held. */
static void
grow (RelaisMediaRing *self)
{
  guint64 n_slots = self->n_slots * 2;
  RelaisUnit **slots = g_new0 (RelaisUnit *, n_slots);

  for (guint64 i = self->tail; i < self->head; i++)
    slots[i & (n_slots - 1)] = get_unit (self, i);
  g_free (self->slots);
  self->slots = slots;
  self->n_slots = n_slots;
}

static void
notify_listeners (RelaisMediaRing *self)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->listeners_lock);

  for (guint i = 0; i < self->listeners->len; i++)
    {
      const Listener *listener = &g_array_index (self->listeners, Listener, i);

      listener->func (listener->user_data);
    }
}

/**
 * relais_media_ring_append:
 * @self: a ring
 * @unit: (transfer full): a unit that no other thread knows yet
 *
 * Appends @unit, lets go of what is over the limits and tells the listeners. May be called from any
 * thread, but from one at a time.
 *
 * Returns: whether the ring still holds its newest sync point; %FALSE once when a group of pictures
 * outgrew it
 */
gboolean
relais_media_ring_append (RelaisMediaRing *self, RelaisUnit *unit)
{
  g_autoptr (GPtrArray) evicted
      = g_ptr_array_new_with_free_func ((GDestroyNotify) relais_unit_unref);
  gboolean lost_start;

  g_mutex_lock (&self->lock);
  if (self->head - self->tail == self->n_slots)
    grow (self);
  unit->sequence = self->head;
  unit->bytes_before = self->total_bytes;
  self->slots[self->head & (self->n_slots - 1)] = unit;
  self->head++;
  self->total_bytes += unit->size;
  if (unit->is_sync_point)
    self->newest_start = unit->sequence;
  else if (unit->epoch == NULL)
    self->after_notice = self->head;
  lost_start = evict (self, unit->arrived, evicted);
  g_mutex_unlock (&self->lock);

  notify_listeners (self);
  return !lost_start;
}

/**
 * relais_media_ring_clear:
 * @self: a ring
 *
 * Lets go of all units: the stream has ended. Cursors stay valid.
 */
void
relais_media_ring_clear (RelaisMediaRing *self)
{
  g_autoptr (GPtrArray) evicted
      = g_ptr_array_new_with_free_func ((GDestroyNotify) relais_unit_unref);

  g_mutex_lock (&self->lock);
  for (; self->tail < self->head; self->tail++)
    g_ptr_array_add (evicted, get_unit (self, self->tail));
  self->newest_start = NO_SEQUENCE;
  g_mutex_unlock (&self->lock);
}

/**
 * relais_media_ring_join:
 * @self: a ring
 * @cursor: (out): a new viewer's cursor
 * @from_now: nothing that is in the ring now is wanted, because the stream has no publisher
 *
 * Puts @cursor on the newest unit at which decoding can start, or, where there is none, lets it
 * wait for the next one.
 *
 * Returns: whether there was one
 */
gboolean
relais_media_ring_join (RelaisMediaRing *self, RelaisRingCursor *cursor, gboolean from_now)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);
  gboolean has_start
      = self->newest_start != NO_SEQUENCE && self->newest_start >= self->after_notice;

  cursor->next = from_now || !has_start ? self->head : self->newest_start;
  cursor->live_from = self->head;
  cursor->needs_start = TRUE;
  return !from_now && has_start;
}

/* Called with the lock held. */
static gboolean
is_lagging (RelaisMediaRing *self, const RelaisRingCursor *cursor)
{
  guint64 from = MAX (cursor->next, cursor->live_from);
  const RelaisUnit *first, *last;

  if (from >= self->head)
    return FALSE;
  first = get_unit (self, from);
  last = get_unit (self, self->head - 1);
  return last->arrived - first->arrived > self->lag_us
         || last->bytes_before - first->bytes_before > self->lag_bytes;
}

/* Called with the lock held. Moves a cursor that was evicted, or is lagging and has a newer start
 * to go to. */
static void
catch_up (RelaisMediaRing *self, RelaisRingCursor *cursor, RelaisRingRead *read)
{
  gboolean evicted = cursor->next < self->tail;
  guint64 target;

  if (!evicted)
    {
      if (self->newest_start == NO_SEQUENCE || self->newest_start <= cursor->next
          || !is_lagging (self, cursor))
        return;
    }

  /* Without a start, at least what a notice says of the stream's end is not left out. */
  if (self->newest_start != NO_SEQUENCE)
    target = self->newest_start;
  else
    target = self->after_notice > self->tail ? self->after_notice - 1 : self->head;
  if (!cursor->needs_start)
    {
      /* What was evicted has no time any more; the oldest unit's is the nearest that is known. */
      const RelaisUnit *from
          = self->tail < self->head ? get_unit (self, MAX (cursor->next, self->tail)) : NULL;
      const RelaisUnit *to
          = self->tail < self->head ? get_unit (self, MIN (target, self->head - 1)) : NULL;

      read->dropped = TRUE;
      read->dropped_ms = from != NULL ? (to->arrived - from->arrived) / 1000 : 0;
    }
  cursor->next = target;
  cursor->live_from = self->head;
  cursor->needs_start = TRUE;
}

/**
 * relais_media_ring_read:
 * @self: a ring
 * @cursor: a viewer's place, which is moved behind what is returned
 * @units: (out) (array length=max_units) (transfer full): the next units in order
 * @max_units: room in @units
 * @max_bytes: stop when the units together reach this; at least one is returned where there is one
 *
 * A cursor that lags, or whose place was evicted, is moved to the newest sync point first, at a
 * unit's boundary. May be called from any thread.
 *
 * Returns: how many units there are and whether something was left out
 */
RelaisRingRead
relais_media_ring_read (RelaisMediaRing *self,
                        RelaisRingCursor *cursor,
                        RelaisUnit **units,
                        guint max_units,
                        gsize max_bytes)
{
  RelaisRingRead read = { 0 };
  gsize bytes = 0;

  g_mutex_lock (&self->lock);
  catch_up (self, cursor, &read);
  while (cursor->next < self->head && read.n_units < max_units && bytes < max_bytes)
    {
      RelaisUnit *unit = get_unit (self, cursor->next);

      if (cursor->needs_start && unit->epoch != NULL)
        {
          if (!unit->is_sync_point)
            {
              cursor->next++;
              continue;
            }
          cursor->needs_start = FALSE;
          read.started = TRUE;
          read.start_age_ms = (get_unit (self, self->head - 1)->arrived - unit->arrived) / 1000;
        }
      units[read.n_units++] = relais_unit_ref (unit);
      bytes += unit->size;
      cursor->next++;
    }
  g_mutex_unlock (&self->lock);
  return read;
}

/**
 * relais_media_ring_get_stats:
 * @self: a ring
 *
 * Walks the ring's units: for the API, not for a data path.
 */
RelaisRingStats
relais_media_ring_get_stats (RelaisMediaRing *self)
{
  RelaisRingStats stats
      = { .newest_age_ms = -1, .oldest_start_age_ms = -1, .newest_start_age_ms = -1 };
  gint64 now = g_get_monotonic_time ();
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  stats.bytes = count_bytes (self);
  stats.n_units = (guint) (self->head - self->tail);
  stats.n_starts_evicted = self->n_starts_evicted;
  if (stats.n_units > 0)
    stats.newest_age_ms = (now - get_unit (self, self->head - 1)->arrived) / 1000;
  if (self->newest_start == NO_SEQUENCE)
    return stats;
  stats.newest_start_age_ms = (now - get_unit (self, self->newest_start)->arrived) / 1000;
  for (guint64 i = self->tail; i <= self->newest_start; i++)
    {
      const RelaisUnit *unit = get_unit (self, i);

      if (unit->is_sync_point)
        {
          stats.oldest_start_age_ms = (now - unit->arrived) / 1000;
          break;
        }
    }
  return stats;
}

/**
 * relais_media_ring_add_listener:
 * @self: a ring
 * @listener: called after each append, from the appending thread; it must be quick and must not
 * block
 * @user_data: passed to @listener; must live until it is removed
 */
void
relais_media_ring_add_listener (RelaisMediaRing *self,
                                RelaisRingListener listener,
                                gpointer user_data)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->listeners_lock);
  Listener entry = { .func = listener, .user_data = user_data };

  g_array_append_val (self->listeners, entry);
}

/**
 * relais_media_ring_remove_listener:
 * @self: a ring
 * @listener: a function that was added
 * @user_data: with this
 *
 * After it returned, @listener is not called any more and is not running.
 */
void
relais_media_ring_remove_listener (RelaisMediaRing *self,
                                   RelaisRingListener listener,
                                   gpointer user_data)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->listeners_lock);

  for (guint i = 0; i < self->listeners->len; i++)
    {
      const Listener *entry = &g_array_index (self->listeners, Listener, i);

      if (entry->func == listener && entry->user_data == user_data)
        {
          g_array_remove_index_fast (self->listeners, i);
          return;
        }
    }
}
