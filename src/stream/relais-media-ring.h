/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "stream/relais-unit.h"

G_BEGIN_DECLS

typedef struct _RelaisMediaRing RelaisMediaRing;

/* A viewer's place in the ring: all that a viewer costs here. Used by one thread at a time. */
typedef struct
{
  guint64 next;         /* sequence of the unit to read next */
  guint64 live_from;    /* what is older was already in the ring at the last join or jump: a head
                           start, not a lag */
  gboolean needs_start; /* nothing may be read before a unit at which decoding can start */
} RelaisRingCursor;

/* What one read found. */
typedef struct
{
  guint n_units;
  gboolean dropped;    /* the cursor was moved to the newest sync point */
  gint64 dropped_ms;   /* media left out by that */
  gint64 start_age_ms; /* where needs_start ended with this read: the age of the first unit */
  gboolean started;    /* needs_start ended with this read */
} RelaisRingRead;

typedef struct
{
  guint64 bytes; /* of the units that are in the ring */
  guint n_units;
  gint64 newest_age_ms;       /* age of the newest unit; -1 = there is none */
  gint64 oldest_start_age_ms; /* age of the oldest unit at which a viewer could start; -1 = there is
                                 none */
  gint64 newest_start_age_ms; /* age of the newest; what a viewer who joins now begins with */
  guint64 n_starts_evicted;   /* times that the ring lost its only sync point: a group of pictures
                                 larger than the ring */
} RelaisRingStats;

typedef void (*RelaisRingListener) (gpointer user_data);

RelaisMediaRing *
relais_media_ring_new (guint64 max_bytes, gint64 max_ms, guint64 lag_bytes, gint64 lag_ms);
void relais_media_ring_free (RelaisMediaRing *self);

gboolean relais_media_ring_append (RelaisMediaRing *self, RelaisUnit *unit);
void relais_media_ring_clear (RelaisMediaRing *self);

gboolean
relais_media_ring_join (RelaisMediaRing *self, RelaisRingCursor *cursor, gboolean from_now);
RelaisRingRead relais_media_ring_read (RelaisMediaRing *self,
                                       RelaisRingCursor *cursor,
                                       RelaisUnit **units,
                                       guint max_units,
                                       gsize max_bytes);
RelaisRingStats relais_media_ring_get_stats (RelaisMediaRing *self);

void relais_media_ring_add_listener (RelaisMediaRing *self,
                                     RelaisRingListener listener,
                                     gpointer user_data);
void relais_media_ring_remove_listener (RelaisMediaRing *self,
                                        RelaisRingListener listener,
                                        gpointer user_data);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (RelaisMediaRing, relais_media_ring_free)

G_END_DECLS
