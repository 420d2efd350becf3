/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A stream's recordings, one behind the other on one timeline.
 *
 * A publisher may send several recordings (a new EBML header each), and several publishers follow
 * each other. Each recording has a pipeline of its own. The next one starts only when the one
 * before it has drained, so units leave in order and the next epoch starts where the last one
 * ended; what arrives for it meanwhile waits here (counted by relais_recordings_get_queued_bytes(),
 * which the publisher limits).
 *
 * Main context only; the handlers' open_epoch(), unit() and caught_up() come from the streaming
 * thread of the first recording. */

#include "config.h"

#include "stream/relais-recordings.h"

#include <string.h>

#include "base/relais-log.h"

typedef struct
{
  RelaisPipeline *pipeline; /* owned; NULL while an earlier recording drains */
  GQueue waiting;           /* owned GBytes, pushed before the pipeline was there */
  gboolean finished;        /* nothing more will be pushed */
} Recording;

struct _RelaisRecordings
{
  char *stream_id;
  const RelaisConfig *config; /* outlives it */
  RelaisRecordingsHandlers handlers;
  gpointer user_data;

  GQueue
      recordings; /* owned Recording: the first is in its pipeline, the last takes what is pushed */
  gsize waiting_bytes;
  RelaisTrackCounters last_counters[RELAIS_MAX_TRACKS]; /* of the recording that ended last */
  guint n_last_counters;
  RelaisPipelineEnd end; /* where the next recording goes on */
};

static void
recording_free (Recording *recording)
{
  g_clear_pointer (&recording->pipeline, relais_pipeline_free);
  g_queue_clear_full (&recording->waiting, (GDestroyNotify) g_bytes_unref);
  g_free (recording);
}

static RelaisEpoch *
open_epoch (RelaisPipeline *pipeline,
            const char *mime,
            GArray *tracks,
            GBytes *init,
            gpointer user_data)
{
  RelaisRecordings *self = user_data;

  return self->handlers.open_epoch (mime, tracks, init, self->user_data);
}

static void
take_unit (RelaisPipeline *pipeline, RelaisUnit *unit, gpointer user_data)
{
  RelaisRecordings *self = user_data;

  self->handlers.unit (unit, self->user_data);
}

static void
take_drained (RelaisPipeline *pipeline, gpointer user_data)
{
  RelaisRecordings *self = user_data;

  self->handlers.caught_up (self->user_data);
}

static void start_first (RelaisRecordings *self);

static void
recording_done (RelaisPipeline *pipeline, const GError *error, gpointer user_data)
{
  RelaisRecordings *self = user_data;
  Recording *recording = g_queue_pop_head (&self->recordings);
  gboolean was_last = g_queue_is_empty (&self->recordings);
  gboolean was_finished = recording->finished;
  RelaisPipelineEnd end;

  relais_pipeline_get_end (pipeline, &end);
  self->end.time = MAX (self->end.time, end.time);
  self->end.sound_due = MAX (self->end.sound_due, end.sound_due);
  self->n_last_counters = relais_pipeline_get_counters (pipeline, self->last_counters,
                                                        G_N_ELEMENTS (self->last_counters));
  recording_free (recording);

  if (!was_last)
    {
      if (error != NULL)
        relais_log_warning (self->stream_id, "the end of the recording before is lost: %s",
                            error->message);
      start_first (self);
    }
  else if (error != NULL && !was_finished)
    self->handlers.failed (error, self->user_data);
  else
    {
      if (error != NULL)
        relais_log_warning (self->stream_id, "the end of the recording is lost: %s",
                            error->message);
      self->handlers.drained (self->user_data);
    }
}

static const RelaisPipelineHandlers pipeline_handlers = {
  .open_epoch = open_epoch,
  .unit = take_unit,
  .drained = take_drained,
  .done = recording_done,
};

/* Gives the first recording its pipeline and what waited for it. */
static void
start_first (RelaisRecordings *self)
{
  Recording *recording = g_queue_peek_head (&self->recordings);
  g_autoptr (GError) error = NULL;
  GBytes *bytes;

  recording->pipeline = relais_pipeline_new (self->stream_id, self->config, &self->end,
                                             &pipeline_handlers, self, &error);
  if (recording->pipeline == NULL)
    {
      recording_free (g_queue_pop_head (&self->recordings));
      self->handlers.failed (error, self->user_data);
      return;
    }
  while ((bytes = g_queue_pop_head (&recording->waiting)) != NULL)
    {
      self->waiting_bytes -= g_bytes_get_size (bytes);
      relais_pipeline_push (recording->pipeline, bytes);
      g_bytes_unref (bytes);
    }
  if (recording->finished)
    relais_pipeline_finish (recording->pipeline);
}

/**
 * relais_recordings_new:
 * @stream_id: for the log
 * @config: the configuration, which must outlive it
 * @handlers: what it calls
 * @user_data: passed to them; must outlive it
 *
 * Returns: (transfer full): a timeline with no recording on it
 */
RelaisRecordings *
relais_recordings_new (const char *stream_id,
                       const RelaisConfig *config,
                       const RelaisRecordingsHandlers *handlers,
                       gpointer user_data)
{
  RelaisRecordings *self = g_new0 (RelaisRecordings, 1);

  self->stream_id = g_strdup (stream_id);
  self->config = config;
  self->handlers = *handlers;
  self->user_data = user_data;
  g_queue_init (&self->recordings);
  return self;
}

void
relais_recordings_free (RelaisRecordings *self)
{
  g_queue_clear_full (&self->recordings, (GDestroyNotify) recording_free);
  g_free (self->stream_id);
  g_free (self);
}

/* Nothing more comes for the last recording. */
static void
finish_last (RelaisRecordings *self)
{
  Recording *last = g_queue_peek_tail (&self->recordings);

  if (last == NULL || last->finished)
    return;
  last->finished = TRUE;
  if (last->pipeline != NULL)
    relais_pipeline_finish (last->pipeline);
}

/**
 * relais_recordings_begin:
 * @self: a stream's recordings
 *
 * What is pushed from now on is a new recording; the one before it is drained to its last block.
 */
void
relais_recordings_begin (RelaisRecordings *self)
{
  finish_last (self);
  g_queue_push_tail (&self->recordings, g_new0 (Recording, 1));
  if (g_queue_get_length (&self->recordings) == 1)
    start_first (self);
}

/**
 * relais_recordings_push:
 * @self: a stream's recordings
 * @bytes: the next part of the recording that was begun last; a reference is taken
 *
 * Where that recording has failed, @bytes goes nowhere: the publisher has been told.
 */
void
relais_recordings_push (RelaisRecordings *self, GBytes *bytes)
{
  Recording *last = g_queue_peek_tail (&self->recordings);

  if (last == NULL || last->finished)
    return;
  if (last->pipeline != NULL)
    relais_pipeline_push (last->pipeline, bytes);
  else
    {
      g_queue_push_tail (&last->waiting, g_bytes_ref (bytes));
      self->waiting_bytes += g_bytes_get_size (bytes);
    }
}

/**
 * relais_recordings_end:
 * @self: a stream's recordings
 *
 * The publisher is gone. When all it sent has come out, drained() is called, from a later turn of
 * the main context or at once.
 */
void
relais_recordings_end (RelaisRecordings *self)
{
  if (g_queue_is_empty (&self->recordings))
    self->handlers.drained (self->user_data);
  else
    finish_last (self);
}

/**
 * relais_recordings_get_queued_bytes:
 * @self: a stream's recordings
 *
 * Returns: bytes that were pushed and no pipeline has taken yet
 */
guint64
relais_recordings_get_queued_bytes (RelaisRecordings *self)
{
  Recording *first = g_queue_peek_head (&self->recordings);

  return self->waiting_bytes
         + (first != NULL && first->pipeline != NULL
                ? relais_pipeline_get_queued_bytes (first->pipeline)
                : 0);
}

/**
 * relais_recordings_get_counters:
 * @self: a stream's recordings
 * @counters: (out): the counters of the current recording's tracks; without one, of those of the
 * recording that ended last
 *
 * Returns: how many were written
 */
guint
relais_recordings_get_counters (RelaisRecordings *self,
                                RelaisTrackCounters counters[RELAIS_MAX_TRACKS])
{
  Recording *first = g_queue_peek_head (&self->recordings);

  if (first != NULL && first->pipeline != NULL)
    return relais_pipeline_get_counters (first->pipeline, counters, RELAIS_MAX_TRACKS);
  memcpy (counters, self->last_counters, self->n_last_counters * sizeof *counters);
  return self->n_last_counters;
}
