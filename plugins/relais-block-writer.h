/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "relais-inner-muxer.h"

G_BEGIN_DECLS

typedef struct _RelaisBlockWriter RelaisBlockWriter;

/* All times in ns; 0 = never. */
typedef struct
{
  guint64 timestamp_offset; /* where the first block lands */
  guint64 sound_due;        /* when sound has to go on from the recording before */
  guint64 quiet_time;       /* a track that is quiet this long while another flows gets fillers */
  gboolean hold_units;      /* blocks are held until a unit's end */
  guint64 leave_time;       /* one that is quiet this long and has no filler leaves */
} RelaisBlockWriterSettings;

RelaisBlockWriter *relais_block_writer_new (RelaisInnerMuxer *mux, GPtrArray *tracks);
void relais_block_writer_free (RelaisBlockWriter *self);
void relais_block_writer_reset (RelaisBlockWriter *self, const RelaisBlockWriterSettings *settings);
void relais_block_writer_forget (RelaisBlockWriter *self, RelaisMuxTrack *track);
gboolean relais_block_writer_has_begun (const RelaisBlockWriter *self);
guint64 relais_block_writer_get_end_time (const RelaisBlockWriter *self);
guint64 relais_block_writer_get_sound_due (const RelaisBlockWriter *self);
void relais_block_writer_begin_epoch (RelaisBlockWriter *self);
gboolean
relais_block_writer_hold (RelaisBlockWriter *self, RelaisMuxTrack *track, GstBuffer *buffer);
GstFlowReturn relais_block_writer_flush (RelaisBlockWriter *self);
GstFlowReturn relais_block_writer_finish (RelaisBlockWriter *self);
void relais_block_writer_drop (RelaisBlockWriter *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (RelaisBlockWriter, relais_block_writer_free)

G_END_DECLS
