/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A stream's recordings, one behind the other on one timeline.
 *
 * A publisher may send several recordings (a new EBML header each), and several publishers follow
 * each other. Each recording has a pipeline of its own. The next one starts when the one before it
 * has come out to its last block, where that one ended.
 *
 * One thread at a time: the one that reads from the publisher, and the main context once that has
 * stopped. relais_recordings_get_counters() alone may be called from any thread meanwhile. */

#include "config.h"

#include "stream/relais-recordings.h"

#include <string.h>

#include "base/relais-log.h"

struct _RelaisRecordings
{
  char *stream_id;
  const RelaisConfig *config; /* outlives it */
  RelaisPipelineHandlers handlers;
  gpointer user_data;

  gboolean has_failed;   /* the current recording is broken, and its publisher knows */
  RelaisPipelineEnd end; /* where the next recording goes on */

  /* Protects the fields below, where they are changed and where others read them; a leaf but for
   * livematroskamux's lock. */
  GMutex lock;
  RelaisPipeline *pipeline; /* owned, of the current recording; NULL = there is none */
  RelaisTrackCounters last_counters[RELAIS_MAX_TRACKS]; /* of the recording that ended last */
  guint n_last_counters;
};

/**
 * relais_recordings_new:
 * @stream_id: for the log
 * @config: the configuration, which must outlive it
 * @handlers: what it calls, on the thread that calls it
 * @user_data: passed to them; must outlive it
 *
 * Returns: (transfer full): a timeline with no recording on it
 */
RelaisRecordings *
relais_recordings_new (const char *stream_id,
                       const RelaisConfig *config,
                       const RelaisPipelineHandlers *handlers,
                       gpointer user_data)
{
  RelaisRecordings *self = g_new0 (RelaisRecordings, 1);

  self->stream_id = g_strdup (stream_id);
  self->config = config;
  self->handlers = *handlers;
  self->user_data = user_data;
  g_mutex_init (&self->lock);
  return self;
}

void
relais_recordings_free (RelaisRecordings *self)
{
  g_clear_pointer (&self->pipeline, relais_pipeline_free);
  g_mutex_clear (&self->lock);
  g_free (self->stream_id);
  g_free (self);
}

/**
 * relais_recordings_end:
 * @self: a stream's recordings
 *
 * Nothing more comes for the current recording: what was pushed of it comes out to its last block.
 */
void
relais_recordings_end (RelaisRecordings *self)
{
  g_autoptr (GError) error = NULL;
  RelaisPipeline *pipeline = self->pipeline;
  RelaisPipelineEnd end;

  if (pipeline == NULL)
    return;
  if (!relais_pipeline_finish (pipeline, &error) && !self->has_failed)
    relais_log_warning (self->stream_id, "the end of the recording is lost: %s", error->message);
  relais_pipeline_get_end (pipeline, &end);
  self->end.time = MAX (self->end.time, end.time);
  self->end.sound_due = MAX (self->end.sound_due, end.sound_due);

  g_mutex_lock (&self->lock);
  self->n_last_counters = relais_pipeline_get_counters (pipeline, self->last_counters,
                                                        G_N_ELEMENTS (self->last_counters));
  self->pipeline = NULL;
  g_mutex_unlock (&self->lock);
  relais_pipeline_free (pipeline);
}

/**
 * relais_recordings_begin:
 * @self: a stream's recordings
 * @error: RELAIS_ERROR_INTERNAL where GStreamer lacks an element
 *
 * What is pushed from now on is a new recording; the one before it comes out to its last block.
 *
 * Returns: whether there is a pipeline for it
 */
gboolean
relais_recordings_begin (RelaisRecordings *self, GError **error)
{
  RelaisPipeline *pipeline;

  relais_recordings_end (self);
  pipeline = relais_pipeline_new (self->stream_id, self->config, &self->end, &self->handlers,
                                  self->user_data, error);
  self->has_failed = FALSE;
  g_mutex_lock (&self->lock);
  self->pipeline = pipeline;
  g_mutex_unlock (&self->lock);
  return pipeline != NULL;
}

/**
 * relais_recordings_push:
 * @self: a stream's recordings
 * @bytes: the next part of the recording that was begun last; a reference is taken
 * @ends_unit: as in relais_pipeline_push()
 * @error: as in relais_pipeline_push()
 *
 * Where that recording has failed before, @bytes goes nowhere: the publisher has been told.
 *
 * Returns: %FALSE where it fails now
 */
gboolean
relais_recordings_push (RelaisRecordings *self, GBytes *bytes, gboolean ends_unit, GError **error)
{
  if (self->pipeline == NULL || self->has_failed)
    return TRUE;
  self->has_failed = !relais_pipeline_push (self->pipeline, bytes, ends_unit, error);
  return !self->has_failed;
}

/**
 * relais_recordings_get_counters:
 * @self: a stream's recordings
 * @counters: (out): the counters of the current recording's tracks; without one, of those of the
 * recording that ended last
 *
 * From any thread.
 *
 * Returns: how many were written
 */
guint
relais_recordings_get_counters (RelaisRecordings *self,
                                RelaisTrackCounters counters[RELAIS_MAX_TRACKS])
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  if (self->pipeline != NULL)
    return relais_pipeline_get_counters (self->pipeline, counters, RELAIS_MAX_TRACKS);
  memcpy (counters, self->last_counters, self->n_last_counters * sizeof *counters);
  return self->n_last_counters;
}
