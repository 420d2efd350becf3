/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* One stream: an id, at most one publisher, its recordings, the media ring, the state that viewers
 * are told of.
 *
 * The stream lives on the main context. Used elsewhere are: the ring (any thread), the viewer and
 * drop counters (atomic), the recordings, which the thread that reads from the publisher has from
 * attach to detach, and what `lock` protects. The lock is a leaf: the ring's locks are never taken
 * under it.
 *
 * A publisher that leaves starts the grace period; one that comes back within it opens the next
 * epoch for the same viewers. After it the stream has ended and its ring is emptied; viewers stay.
 */

#include "config.h"

#include "stream/relais-stream.h"

#include "base/relais-error.h"
#include "base/relais-log.h"
#include "base/relais-source.h"
#include "stream/relais-track-info.h"

#define BITRATE_WINDOW_US (2 * G_USEC_PER_SEC)

struct _RelaisStream
{
  char *id;
  const RelaisConfig *config; /* outlives the stream */
  RelaisMediaRing *ring;
  RelaisRecordings *recordings;

  /* Main context. */
  RelaisPublisherHandlers publisher_handlers;
  gpointer publisher;     /* NULL = none */
  gboolean is_taken_over; /* the next publisher is on its way */
  gint64 publisher_since;
  GSource *grace_source; /* owned */
  void (*idle_func) (RelaisStream *, gpointer);
  gpointer idle_data;

  GMutex lock; /* protects the fields below */
  RelaisStreamState state;
  RelaisEpoch *epoch; /* owned; NULL before the first */
  guint n_epochs;
  guint64 last_sync_time; /* ns; 0 = none in this epoch */
  guint64 keyframe_interval_ms;
  gboolean gop_reported; /* a group of pictures larger than the ring was logged */
  guint64 bytes_in;
  guint64 n_chunks;
  guint64 n_resyncs;
  guint64 skipped_bytes;
  gint64 window_start; /* of the bitrate's window, µs */
  guint64 window_bytes;
  guint64 bitrate;

  guint n_viewers;        /* atomic */
  guint64 n_viewer_drops; /* atomic */
};

static const char *const state_words[] = {
  [RELAIS_STREAM_WAITING] = "waiting",
  [RELAIS_STREAM_LIVE] = "live",
  [RELAIS_STREAM_INTERRUPTED] = "interrupted",
  [RELAIS_STREAM_ENDED] = "ended",
};

/* From the thread that reads from the publisher, or its end on the main context */

static void
log_epoch (RelaisStream *self, RelaisEpoch *epoch)
{
  g_autoptr (GString) tracks = g_string_new (NULL);

  for (guint i = 0; i < epoch->tracks->len; i++)
    {
      g_autofree char *words
          = relais_track_info_describe (&g_array_index (epoch->tracks, RelaisTrackInfo, i));

      g_string_append_printf (tracks, "%s%s", i > 0 ? " + " : "", words);
    }
  relais_log_info (self->id, "epoch %u: init segment captured, %" G_GSIZE_FORMAT " bytes, %s, %s",
                   epoch->number, g_bytes_get_size (epoch->init), epoch->mime, tracks->str);
}

static RelaisEpoch *
open_epoch (const char *mime, GArray *tracks, GBytes *init, gpointer user_data)
{
  RelaisStream *self = user_data;
  RelaisEpoch *epoch;

  g_mutex_lock (&self->lock);
  epoch = relais_epoch_new (++self->n_epochs, mime, tracks, init);
  g_clear_pointer (&self->epoch, relais_epoch_unref);
  self->epoch = relais_epoch_ref (epoch);
  self->state = RELAIS_STREAM_LIVE;
  self->last_sync_time = 0;
  g_mutex_unlock (&self->lock);

  log_epoch (self, epoch);
  return epoch;
}

static void
take_unit (RelaisUnit *unit, gpointer user_data)
{
  RelaisStream *self = user_data;
  gboolean report_gop = FALSE;

  if (unit->is_sync_point)
    {
      g_mutex_lock (&self->lock);
      if (self->last_sync_time != 0)
        self->keyframe_interval_ms = (unit->time - self->last_sync_time) / 1000000;
      self->last_sync_time = MAX (unit->time, 1);
      g_mutex_unlock (&self->lock);
    }

  if (!relais_media_ring_append (self->ring, unit))
    {
      g_mutex_lock (&self->lock);
      report_gop = !self->gop_reported;
      self->gop_reported = TRUE;
      g_mutex_unlock (&self->lock);
    }
  if (report_gop)
    relais_log_warning (self->id,
                        "more than %" G_GINT64_FORMAT
                        " bytes follow one keyframe: the ring cannot hold them, "
                        "so joining viewers wait for the next keyframe",
                        self->config->ring_max_bytes);
}

/* On the main context */

static void
send_notice (RelaisStream *self, RelaisStreamState state)
{
  g_autofree char *message = g_strdup_printf ("{\"type\":\"%s\"}", state_words[state]);

  g_mutex_lock (&self->lock);
  self->state = state;
  g_mutex_unlock (&self->lock);
  relais_media_ring_append (self->ring, relais_unit_new_notice (message));
}

static void
tell_if_idle (RelaisStream *self)
{
  if (self->idle_func != NULL && relais_stream_is_idle (self))
    self->idle_func (self, self->idle_data);
}

static gboolean
end_grace (gpointer data)
{
  RelaisStream *self = data;

  relais_source_clear (&self->grace_source);
  relais_log_info (self->id, "ended: no publisher came back within %" G_GINT64_FORMAT " ms",
                   self->config->republish_grace_ms);
  relais_media_ring_clear (self->ring);
  send_notice (self, RELAIS_STREAM_ENDED);
  tell_if_idle (self);
  return G_SOURCE_REMOVE;
}

/* Everything the last publisher sent is in the ring. */
static void
begin_grace (RelaisStream *self)
{
  if (relais_stream_get_state (self) == RELAIS_STREAM_LIVE)
    send_notice (self, RELAIS_STREAM_INTERRUPTED);
  if (relais_stream_get_state (self) != RELAIS_STREAM_INTERRUPTED)
    {
      tell_if_idle (self);
      return;
    }
  relais_source_clear (&self->grace_source);
  self->grace_source
      = relais_source_attach (g_timeout_source_new ((guint) self->config->republish_grace_ms), NULL,
                              "relais-stream-grace", G_PRIORITY_DEFAULT, end_grace, self);
}

static const RelaisPipelineHandlers recordings_handlers = {
  .open_epoch = open_epoch,
  .unit = take_unit,
};

/**
 * relais_stream_new:
 * @id: a valid stream id
 * @config: the configuration, which must outlive the stream
 *
 * Returns: (transfer full): a stream without publisher and viewers
 */
RelaisStream *
relais_stream_new (const char *id, const RelaisConfig *config)
{
  RelaisStream *self = g_new0 (RelaisStream, 1);

  self->id = g_strdup (id);
  self->config = config;
  self->ring = relais_media_ring_new ((guint64) config->ring_max_bytes, config->ring_max_ms,
                                      (guint64) config->viewer_lag_bytes, config->viewer_lag_ms);
  self->recordings = relais_recordings_new (id, config, &recordings_handlers, self);
  g_mutex_init (&self->lock);
  return self;
}

/* Main context; no viewer may hold the stream any more. */
void
relais_stream_free (RelaisStream *self)
{
  relais_source_clear (&self->grace_source);
  relais_recordings_free (self->recordings);
  relais_media_ring_free (self->ring);
  g_clear_pointer (&self->epoch, relais_epoch_unref);
  g_mutex_clear (&self->lock);
  g_free (self->id);
  g_free (self);
}

const char *
relais_stream_get_id (RelaisStream *self)
{
  return self->id;
}

/**
 * relais_stream_get_ring:
 * @self: a stream
 *
 * Returns: (transfer none): the ring, which any thread may use as long as the stream lives
 */
RelaisMediaRing *
relais_stream_get_ring (RelaisStream *self)
{
  return self->ring;
}

/* From any thread. */
RelaisStreamState
relais_stream_get_state (RelaisStream *self)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  return self->state;
}

const char *
relais_stream_state_get_word (RelaisStreamState state)
{
  return state_words[state];
}

/**
 * relais_stream_is_idle:
 * @self: a stream
 *
 * Returns: whether nobody would miss it: no publisher, no grace period, no viewer
 */
gboolean
relais_stream_is_idle (RelaisStream *self)
{
  return self->publisher == NULL && !self->is_taken_over && self->grace_source == NULL
         && relais_stream_get_state (self) != RELAIS_STREAM_LIVE
         && relais_stream_get_n_viewers (self) == 0;
}

/**
 * relais_stream_set_idle_func:
 * @self: a stream
 * @func: called on the main context when the stream has become idle; it may free the stream
 * @user_data: passed to @func
 */
void
relais_stream_set_idle_func (RelaisStream *self,
                             void (*func) (RelaisStream *, gpointer),
                             gpointer user_data)
{
  self->idle_func = func;
  self->idle_data = user_data;
}

/* Publisher */

/**
 * relais_stream_attach_publisher:
 * @self: a stream
 * @handlers: how the stream speaks to it
 * @publisher: passed to them; must be detached before it goes
 * @error: RELAIS_ERROR_BUSY where another one is live and `publisher-conflict` is reject
 *
 * Main context.
 *
 * Returns: whether @publisher is the stream's publisher now
 */
gboolean
relais_stream_attach_publisher (RelaisStream *self,
                                const RelaisPublisherHandlers *handlers,
                                gpointer publisher,
                                GError **error)
{
  if (self->publisher != NULL)
    {
      gpointer old = self->publisher;

      if (self->config->publisher_conflict == RELAIS_PUBLISHER_CONFLICT_REJECT)
        {
          g_set_error (error, RELAIS_ERROR, RELAIS_ERROR_BUSY, "“%s” already has a live publisher",
                       self->id);
          return FALSE;
        }
      self->is_taken_over = TRUE;
      self->publisher_handlers.replaced (old);
      self->is_taken_over = FALSE;
      g_return_val_if_fail (self->publisher == NULL, FALSE);
    }

  relais_source_clear (&self->grace_source);
  self->publisher = publisher;
  self->publisher_handlers = *handlers;
  self->publisher_since = g_get_real_time ();
  g_mutex_lock (&self->lock);
  self->window_start = g_get_monotonic_time ();
  self->window_bytes = 0;
  g_mutex_unlock (&self->lock);
  relais_log_info (self->id, "publisher connected, %u %s waiting",
                   relais_stream_get_n_viewers (self),
                   relais_stream_get_n_viewers (self) == 1 ? "viewer" : "viewers");
  return TRUE;
}

/**
 * relais_stream_detach_publisher:
 * @self: a stream
 * @publisher: its publisher
 * @reason: why it left, in words, for the log
 *
 * Main context, when nobody pushes for it any more. What it sent is delivered; then viewers are
 * told `interrupted`. May free the stream where nothing is left of it.
 */
void
relais_stream_detach_publisher (RelaisStream *self, gpointer publisher, const char *reason)
{
  g_return_if_fail (self->publisher == publisher);

  self->publisher = NULL;
  g_mutex_lock (&self->lock);
  self->bitrate = 0;
  g_mutex_unlock (&self->lock);
  relais_log_info (self->id, "publisher gone (%s), %u %s", reason,
                   relais_stream_get_n_viewers (self),
                   relais_stream_get_n_viewers (self) == 1 ? "viewer" : "viewers");
  relais_recordings_end (self->recordings);
  begin_grace (self);
}

/**
 * relais_stream_begin_recording:
 * @self: a stream with a publisher
 * @error: as in relais_recordings_begin()
 *
 * What is pushed next begins with an EBML header and opens the next epoch. On the thread that reads
 * from the publisher.
 *
 * Returns: whether it can begin
 */
gboolean
relais_stream_begin_recording (RelaisStream *self, GError **error)
{
  return relais_recordings_begin (self->recordings, error);
}

/**
 * relais_stream_push:
 * @self: a stream with a publisher
 * @bytes: the next bytes of the recording; a reference is taken, nothing is copied
 * @ends_unit: as in relais_pipeline_push()
 * @error: why the recording cannot go on
 *
 * On the thread that reads from the publisher, which is thereby slowed down to what the pipeline
 * can do, and with it, by TCP, the publisher.
 *
 * Returns: %FALSE where the recording fails now
 */
gboolean
relais_stream_push (RelaisStream *self, GBytes *bytes, gboolean ends_unit, GError **error)
{
  return relais_recordings_push (self->recordings, bytes, ends_unit, error);
}

/**
 * relais_stream_count_chunk:
 * @self: a stream with a publisher
 * @size: bytes of a chunk that the publisher sent
 *
 * From any thread.
 */
void
relais_stream_count_chunk (RelaisStream *self, gsize size)
{
  gint64 now = g_get_monotonic_time ();
  guint64 n_chunks;

  g_mutex_lock (&self->lock);
  n_chunks = ++self->n_chunks;
  self->bytes_in += size;
  self->window_bytes += size;
  if (now - self->window_start >= BITRATE_WINDOW_US)
    {
      self->bitrate
          = self->window_bytes * 8 * G_USEC_PER_SEC / (guint64) (now - self->window_start);
      self->window_bytes = 0;
      self->window_start = now;
    }
  g_mutex_unlock (&self->lock);
  relais_log_debug (self->id,
                    "chunk #%" G_GUINT64_FORMAT ", %" G_GSIZE_FORMAT " bytes → %u viewers",
                    n_chunks, size, relais_stream_get_n_viewers (self));
}

/**
 * relais_stream_count_resync:
 * @self: a stream with a publisher
 * @skipped_bytes: damaged bytes that were left out
 *
 * From any thread.
 */
void
relais_stream_count_resync (RelaisStream *self, guint64 skipped_bytes)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  self->n_resyncs++;
  self->skipped_bytes += skipped_bytes;
}

/* Viewers */

/* From any thread. */
void
relais_stream_add_viewer (RelaisStream *self)
{
  g_atomic_int_inc (&self->n_viewers);
}

/* Main context; may free the stream. */
void
relais_stream_remove_viewer (RelaisStream *self)
{
  g_atomic_int_add (&self->n_viewers, -1);
  tell_if_idle (self);
}

/* From any thread. */
guint
relais_stream_get_n_viewers (RelaisStream *self)
{
  return (guint) g_atomic_int_get (&self->n_viewers);
}

/* From any thread: a viewer was moved to the newest sync point. */
void
relais_stream_count_drop (RelaisStream *self)
{
  __atomic_add_fetch (&self->n_viewer_drops, 1, __ATOMIC_RELAXED);
}

/**
 * relais_stream_get_info:
 * @self: a stream
 * @info: (out): its picture now; clear it with relais_stream_info_clear()
 *
 * Main context.
 */
void
relais_stream_get_info (RelaisStream *self, RelaisStreamInfo *info)
{
  *info = (RelaisStreamInfo){
    .has_publisher = self->publisher != NULL,
    .publisher_since = self->publisher_since,
    .n_viewers = relais_stream_get_n_viewers (self),
    .n_viewer_drops = __atomic_load_n (&self->n_viewer_drops, __ATOMIC_RELAXED),
    .ring = relais_media_ring_get_stats (self->ring),
  };
  info->n_counters = relais_recordings_get_counters (self->recordings, info->counters);

  g_mutex_lock (&self->lock);
  info->state = self->state;
  info->epoch = self->epoch != NULL ? relais_epoch_ref (self->epoch) : NULL;
  info->keyframe_interval_ms = self->keyframe_interval_ms;
  info->bytes_in = self->bytes_in;
  info->n_chunks = self->n_chunks;
  info->bitrate = self->bitrate;
  info->n_resyncs = self->n_resyncs;
  info->skipped_bytes = self->skipped_bytes;
  g_mutex_unlock (&self->lock);
}

void
relais_stream_info_clear (RelaisStreamInfo *info)
{
  g_clear_pointer (&info->epoch, relais_epoch_unref);
}
