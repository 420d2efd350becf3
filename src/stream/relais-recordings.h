/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "stream/relais-pipeline.h"

G_BEGIN_DECLS

typedef struct _RelaisRecordings RelaisRecordings;

typedef struct
{
  /* As in RelaisPipelineHandlers, on the streaming thread. */
  RelaisEpoch *(*open_epoch) (const char *mime, GArray *tracks, GBytes *init, gpointer user_data);
  void (*unit) (RelaisUnit *unit, gpointer user_data);
  void (*caught_up) (gpointer user_data);
  /* On the main context: a recording broke; what was pushed of it is lost from there on. */
  void (*failed) (const GError *error, gpointer user_data);
  /* On the main context: the publisher ended and everything it sent has come out. */
  void (*drained) (gpointer user_data);
} RelaisRecordingsHandlers;

RelaisRecordings *relais_recordings_new (const char *stream_id,
                                         const RelaisConfig *config,
                                         const RelaisRecordingsHandlers *handlers,
                                         gpointer user_data);
void relais_recordings_free (RelaisRecordings *self);
void relais_recordings_begin (RelaisRecordings *self);
void relais_recordings_push (RelaisRecordings *self, GBytes *bytes);
void relais_recordings_end (RelaisRecordings *self);
guint64 relais_recordings_get_queued_bytes (RelaisRecordings *self);
guint relais_recordings_get_counters (RelaisRecordings *self,
                                      RelaisTrackCounters counters[RELAIS_MAX_TRACKS]);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (RelaisRecordings, relais_recordings_free)

G_END_DECLS
