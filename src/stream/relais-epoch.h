/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* One init segment and what follows it. Immutable, so it is read from any thread; shared by
 * reference. */
typedef struct
{
  gatomicrefcount ref_count;
  guint number;        /* 1 is a stream's first */
  char *mime;          /* owned */
  GArray *tracks;      /* owned, RelaisTrackInfo */
  GBytes *init;        /* owned: the init segment */
  GBytes *init_frames; /* owned: the `init` text frame and the binary frame of the init segment, as
                          they go to the wire */
} RelaisEpoch;

RelaisEpoch *relais_epoch_new (guint number, const char *mime, GArray *tracks, GBytes *init);
RelaisEpoch *relais_epoch_ref (RelaisEpoch *self);
void relais_epoch_unref (RelaisEpoch *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (RelaisEpoch, relais_epoch_unref)

G_END_DECLS
