/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "stream/relais-pipeline.h"

G_BEGIN_DECLS

typedef struct _RelaisRecordings RelaisRecordings;

RelaisRecordings *relais_recordings_new (const char *stream_id,
                                         const RelaisConfig *config,
                                         const RelaisPipelineHandlers *handlers,
                                         gpointer user_data);
void relais_recordings_free (RelaisRecordings *self);
gboolean relais_recordings_begin (RelaisRecordings *self, GError **error);
gboolean
relais_recordings_push (RelaisRecordings *self, GBytes *bytes, gboolean ends_unit, GError **error);
void relais_recordings_end (RelaisRecordings *self);
guint relais_recordings_get_counters (RelaisRecordings *self,
                                      RelaisTrackCounters counters[RELAIS_MAX_TRACKS]);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (RelaisRecordings, relais_recordings_free)

G_END_DECLS
