/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* The even time of one sound track. All times are nanoseconds. */
typedef struct
{
  guint64 next;      /* where the last packet ends */
  guint64 least;     /* by how much packets were early at least, since `heard` began */
  guint64 heard;     /* sound of that time */
  guint64 give_back; /* by how much the packets to come are still moved back */
  guint n_packets;   /* since it began; two are told from none and one */
} RelaisSoundClock;

void relais_sound_clock_init (RelaisSoundClock *self);
guint64 relais_sound_clock_smooth (RelaisSoundClock *self, guint64 time, guint64 duration);

G_END_DECLS
