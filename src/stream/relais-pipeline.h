/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gst/gst.h>

#include "base/relais-config.h"
#include "stream/relais-epoch.h"
#include "stream/relais-unit.h"

G_BEGIN_DECLS

typedef struct _RelaisPipeline RelaisPipeline;

/* How a pipeline speaks to its stream, from within relais_pipeline_push() and
 * relais_pipeline_finish(). */
typedef struct
{
  /* A header is complete, the first or another one. Returns: (transfer full): the epoch that it
   * opens. */
  RelaisEpoch *(*open_epoch) (const char *mime, GArray *tracks, GBytes *init, gpointer user_data);
  /* A unit is whole. @unit: (transfer full) */
  void (*unit) (RelaisUnit *unit, gpointer user_data);
} RelaisPipelineHandlers;

#define RELAIS_MAX_TRACKS 2 /* of an epoch: one video, one audio */

/* Counters of one track, real ones of this recording so far. */
typedef struct
{
  gboolean is_video;
  gboolean has_left; /* the epoch goes without it */
  guint64 n_frames;
  guint64 n_sync_points;
  guint64 n_fillers;
  guint64 n_dropped;
  guint64 n_lifted;
} RelaisTrackCounters;

/* Where a recording ends on the stream's timeline, in ns, and the next one may go on. */
typedef struct
{
  guint64 time;      /* past everything */
  guint64 sound_due; /* up to then players take sound to go on; 0 = there was none */
} RelaisPipelineEnd;

RelaisPipeline *relais_pipeline_new (const char *stream_id,
                                     const RelaisConfig *config,
                                     const RelaisPipelineEnd *before,
                                     const RelaisPipelineHandlers *handlers,
                                     gpointer user_data,
                                     GError **error);
void relais_pipeline_free (RelaisPipeline *self);
gboolean
relais_pipeline_push (RelaisPipeline *self, GBytes *bytes, gboolean ends_unit, GError **error);
gboolean relais_pipeline_finish (RelaisPipeline *self, GError **error);
void relais_pipeline_get_end (RelaisPipeline *self, RelaisPipelineEnd *end);
guint relais_pipeline_get_counters (RelaisPipeline *self,
                                    RelaisTrackCounters *counters,
                                    guint max_tracks);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (RelaisPipeline, relais_pipeline_free)

G_END_DECLS
