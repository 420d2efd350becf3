/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "relais-block-writer.h"

G_BEGIN_DECLS

/* The writer's inside: for relais-block-writer.c and relais-block-filler.c alone. */

typedef struct
{
  RelaisMuxTrack *track; /* not owned: a removed track takes its blocks with it */
  GstBuffer *buffer;     /* owned, PTS in running time */
  guint64 order;         /* latest time of its track up to here: what blocks are sorted by */
} RelaisPendingBlock;

struct _RelaisBlockWriter
{
  RelaisInnerMuxer *mux; /* not owned */
  GPtrArray *tracks;     /* not owned, RelaisMuxTrack */
  RelaisBlockWriterSettings settings;
  RelaisTimeline timeline;
  GArray *pending;       /* RelaisPendingBlock, in arrival order */
  guint n_written;       /* of the pending ones, while they are written */
  gboolean has_begun;    /* the muxer has seen a block: its tracks cannot change any more */
  gboolean caps_changed; /* the muxer's header is no longer true */
};

GstFlowReturn
relais_block_filler_fill_own (RelaisBlockWriter *writer, RelaisMuxTrack *track, guint64 time);
GstFlowReturn
relais_block_filler_fill_others (RelaisBlockWriter *writer, RelaisMuxTrack *flowing, guint64 now);
void relais_block_filler_begin_sound (RelaisBlockWriter *writer);
GstFlowReturn relais_block_filler_level (RelaisBlockWriter *writer, guint64 end);
guint64 relais_block_filler_get_duration (RelaisBlockWriter *writer,
                                          const RelaisMuxTrack *track,
                                          guint64 time,
                                          gboolean is_sync_point);
gboolean relais_block_filler_may_cut (const RelaisBlockWriter *writer, guint64 time);

G_END_DECLS
