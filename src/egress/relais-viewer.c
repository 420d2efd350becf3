/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* One WebSocket viewer: a connection, a place in its stream's ring, and a few words.
 *
 * A viewer belongs to one sender thread and is touched by no other. It writes itself: the write is
 * tried first, straight from the ring's shared frames, several in one gathered system call; only
 * what a full socket did not take is remembered
 * (`backlog`, references, no copies). What happens to a slow viewer:
 * - the ring moves it to the newest sync point when it lags (soft limit); it is told by `drop`, and
 * it is counted;
 * - a viewer that takes nothing for `viewer-stall-ms` is closed (hard limit).
 *
 * Reads what the client sends (RFC 6455) in bounded memory: at most MAX_MESSAGE bytes a message,
 * and at most MAX_CONTROL_BYTES of answers that wait to be written; a client that sends pings
 * faster than it reads the pongs is closed. */

#include "config.h"

#include "egress/relais-viewer.h"

#include "base/relais-connection.h"
#include "base/relais-error.h"
#include "base/relais-log.h"
#include "base/relais-message.h"
#include "base/relais-websocket-frame.h"
#include "base/relais-websocket-reader.h"
#include "egress/relais-fragment.h"

#define MAX_MESSAGE       4096         /* bytes of a client's message: a `hello` */
#define MAX_CONTROL_BYTES (16 * 1024)  /* bytes of pongs and texts that wait for the socket */
#define MAX_UNITS         16           /* of one gathered write */
#define MAX_WRITE_BYTES   (256 * 1024) /* what one gathered write is filled up to */
#define MAX_TURN_BYTES                                                                             \
  (1024 * 1024) /* a viewer that catches up lets the others write after so many */
#define READ_SIZE        4096
#define MAX_READS_A_TURN 16
#define CLOSE_TIMEOUT_US (2 * G_USEC_PER_SEC) /* for the client's close frame after ours */

struct _RelaisViewer
{
  /* What a write of the newest unit needs comes first: up to `bytes_written`. */
  RelaisConnection connection;
  RelaisRingCursor cursor;
  RelaisEpoch *epoch; /* owned: the epoch whose init segment was sent last */
  GArray *backlog; /* owned RelaisFragment, NULL = none: what the socket did not take, from a frame
                      boundary or the middle of one */
  GQueue control;  /* owned GBytes: whole frames that go out before the next unit */
  gint64 last_written; /* when bytes last went out: monotonic, µs */
  gint64 close_sent;   /* when our close frame was queued; 0 = not */
  guint64 bytes_written;

  RelaisStream *stream;       /* kept alive by the stream's viewer count */
  const RelaisConfig *config; /* outlives the viewer */
  char *address;              /* owned: for the log and the limits */
  RelaisWebsocketReader reader;
  gsize control_bytes;
  gint64 joined;
  gint64 last_heard; /* when bytes last came in */
  guint n_drops;
  gboolean refused;    /* it gets an error and a close, and no media */
  gboolean saw_joined; /* the log said that it joined */
  gboolean ping_sent;  /* since the last bytes came in */
  gboolean gone;
  char *left_reason; /* owned: the first reason counts */

  RelaisViewerPlace place;
};

#define HOT_BYTES (G_STRUCT_OFFSET (RelaisViewer, bytes_written) + sizeof (guint64))

static void
set_reason (RelaisViewer *self, const char *reason)
{
  if (self->left_reason == NULL)
    self->left_reason = g_strdup (reason);
}

static void
queue_control (RelaisViewer *self, GBytes *frame)
{
  self->control_bytes += g_bytes_get_size (frame);
  g_queue_push_tail (&self->control, frame);
}

static void
queue_text (RelaisViewer *self, const char *text)
{
  queue_control (self, relais_websocket_frame_new_text (text));
}

/* Input */

static void
take_text (const char *text, gsize size, gpointer user_data)
{
  RelaisViewer *self = user_data;

  /* Today `hello` and everything else has no consequence: unknown messages are ignored. */
  relais_log_debug (relais_stream_get_id (self->stream), "viewer %s says: %.200s", self->address,
                    text);
}

static void
take_ping (const guint8 *data, gsize size, gpointer user_data)
{
  RelaisViewer *self = user_data;

  if (self->close_sent == 0)
    queue_control (self, relais_websocket_frame_new_pong (data, size));
}

static void
take_close (guint16 code, const char *reason, gpointer user_data)
{
  RelaisViewer *self = user_data;
  g_autofree char *words = g_strdup_printf ("closed by the viewer, %u", code);

  set_reason (self, words);
  /* RFC 6455 section 5.5.1: the answer carries the code that came; 1005 stands for none and is
   * never sent. */
  if (self->close_sent == 0)
    relais_viewer_close (self, code == 1005 ? 1000 : code, "");
  self->gone = TRUE;
}

static const RelaisWebsocketReaderHandlers reader_handlers = {
  .text = take_text,
  .ping = take_ping,
  .close = take_close,
};

/**
 * relais_viewer_read:
 * @self: a viewer whose socket has something to read
 *
 * Reads what is there and answers it.
 */
RelaisViewerResult
relais_viewer_read (RelaisViewer *self)
{
  guint8 buffer[READ_SIZE];
  struct iovec piece = { buffer, sizeof buffer };

  for (guint i = 0; i < MAX_READS_A_TURN; i++)
    {
      g_autoptr (GError) error = NULL;
      gssize n = relais_connection_read (&self->connection, &piece, 1, &error);

      if (n == RELAIS_CONNECTION_WOULD_BLOCK)
        return relais_viewer_write (self);
      if (n < 0)
        {
          set_reason (self, error->message);
          return RELAIS_VIEWER_GONE;
        }
      if (n == 0)
        {
          set_reason (self, "connection closed");
          return RELAIS_VIEWER_GONE;
        }

      self->last_heard = g_get_monotonic_time ();
      self->ping_sent = FALSE;
      if (!relais_websocket_reader_feed (&self->reader, buffer, (gsize) n, &reader_handlers, self,
                                         &error))
        {
          set_reason (self, error->message);
          relais_viewer_close (self, relais_websocket_reader_get_close_code (&self->reader),
                               error->message);
          self->gone = TRUE;
        }
      if (!self->gone && self->control_bytes > MAX_CONTROL_BYTES)
        {
          set_reason (self, "it does not read the answers to its pings");
          return RELAIS_VIEWER_GONE;
        }
      if (self->gone)
        {
          /* One try to get our close frame out; whoever is gone does not wait for it. */
          relais_viewer_write (self);
          return RELAIS_VIEWER_GONE;
        }
    }
  return RELAIS_VIEWER_MORE;
}

/* Output */

static void
release_backlog (RelaisViewer *self)
{
  if (self->backlog == NULL)
    return;
  relais_fragments_release ((RelaisFragment *) (gpointer) self->backlog->data, self->backlog->len);
  g_array_unref (g_steal_pointer (&self->backlog));
}

static void
log_joined (RelaisViewer *self, gint64 start_age_ms)
{
  self->saw_joined = TRUE;
  relais_log_info (relais_stream_get_id (self->stream),
                   "viewer joined from %s (%u now): %" G_GSIZE_FORMAT
                   " bytes of header, starts at a keyframe %" G_GINT64_FORMAT " ms old",
                   self->address, relais_stream_get_n_viewers (self->stream),
                   g_bytes_get_size (self->epoch->init), start_age_ms);
}

static void
note_drop (RelaisViewer *self, const RelaisRingRead *read)
{
  g_autofree char *text
      = g_strdup_printf ("{\"type\":\"drop\",\"ms\":%" G_GINT64_FORMAT "}", read->dropped_ms);

  queue_text (self, text);
  self->n_drops++;
  relais_stream_count_drop (self->stream);
  relais_log_info (relais_stream_get_id (self->stream),
                   "viewer %s is too slow: moved to the newest sync point, %" G_GINT64_FORMAT
                   " ms left out (drop %u)",
                   self->address, read->dropped_ms, self->n_drops);
}

static void
add_control (RelaisViewer *self, RelaisFragment *fragments, guint *n, guint max)
{
  GBytes *frame;

  while (*n < max && (frame = g_queue_pop_head (&self->control)) != NULL)
    {
      gsize size;
      const guint8 *data = g_bytes_get_data (frame, &size);

      self->control_bytes -= size;
      relais_fragments_add (fragments, n, data, size, frame, (GDestroyNotify) g_bytes_unref);
    }
}

/* Collects whole frames: answers first, then units, each epoch's first one behind its init segment.
 * Returns: how many fragments */
static guint
collect (RelaisViewer *self, RelaisFragment fragments[RELAIS_FRAGMENTS_MAX])
{
  RelaisUnit *units[MAX_UNITS];
  RelaisRingRead read;
  guint n = 0;

  add_control (self, fragments, &n, 1);
  if (n > 0 || self->refused || self->close_sent != 0)
    return n;

  read = relais_media_ring_read (relais_stream_get_ring (self->stream), &self->cursor, units,
                                 MAX_UNITS, MAX_WRITE_BYTES);
  if (read.dropped)
    {
      note_drop (self, &read);
      add_control (self, fragments, &n, 1);
    }
  for (guint i = 0; i < read.n_units; i++)
    {
      RelaisUnit *unit = units[i];

      if (unit->epoch != NULL && unit->epoch != self->epoch)
        {
          gsize size;
          const guint8 *data;

          /* A fragment is kept back for each unit that follows, so this can overflow only with an
           * epoch a unit; then the rest is read again. */
          if (n + (read.n_units - i) >= RELAIS_FRAGMENTS_MAX)
            {
              for (guint k = i; k < read.n_units; k++)
                relais_unit_unref (units[k]);
              self->cursor.next = unit->sequence;
              break;
            }
          g_clear_pointer (&self->epoch, relais_epoch_unref);
          self->epoch = relais_epoch_ref (unit->epoch);
          data = g_bytes_get_data (unit->epoch->init_frames, &size);
          relais_fragments_add (fragments, &n, data, size, relais_epoch_ref (unit->epoch),
                                (GDestroyNotify) relais_epoch_unref);
        }
      relais_fragments_add_unit (fragments, &n, unit);
    }
  if (read.started && !self->saw_joined)
    log_joined (self, read.start_age_ms);
  return n;
}

/* Writes fragments in one system call. Returns: bytes written, 0 = the socket is full, -1 = the
 * connection is over. */
static gssize
write_fragments (RelaisViewer *self, const RelaisFragment *fragments, guint n)
{
  g_autoptr (GError) error = NULL;
  gssize written = relais_fragments_write (fragments, n, &self->connection, &error);

  if (written == RELAIS_CONNECTION_WOULD_BLOCK)
    return 0;
  if (written < 0)
    {
      set_reason (self, error->message);
      return -1;
    }
  self->last_written = g_get_monotonic_time ();
  self->bytes_written += (gsize) written;
  return written;
}

/* Keeps what the socket did not take, and releases what it did. */
static void
keep_rest (RelaisViewer *self, RelaisFragment *fragments, guint n, gsize written)
{
  guint done = relais_fragments_skip (fragments, n, written);

  if (done == n)
    return;
  self->backlog = g_array_sized_new (FALSE, FALSE, sizeof (RelaisFragment), n - done);
  g_array_append_vals (self->backlog, fragments + done, n - done);
}

/* Tries to write what the socket did not take before. Returns whether all of it is out, or sets
 * @result. */
static gboolean
write_backlog (RelaisViewer *self, gsize *turn, RelaisViewerResult *result)
{
  while (self->backlog != NULL)
    {
      RelaisFragment *fragments = (RelaisFragment *) (gpointer) self->backlog->data;
      gssize written = write_fragments (self, fragments, self->backlog->len);
      guint done;

      if (written <= 0)
        {
          *result = written == 0 ? RELAIS_VIEWER_BLOCKED : RELAIS_VIEWER_GONE;
          return FALSE;
        }
      *turn += (gsize) written;
      done = relais_fragments_skip (fragments, self->backlog->len, (gsize) written);
      g_array_remove_range (self->backlog, 0, done);
      if (self->backlog->len == 0)
        g_array_unref (g_steal_pointer (&self->backlog));
    }
  return TRUE;
}

/**
 * relais_viewer_write:
 * @self: a viewer that may have something to write
 *
 * Writes until everything is out, the socket is full or its turn is over.
 */
RelaisViewerResult
relais_viewer_write (RelaisViewer *self)
{
  RelaisViewerResult result;
  gsize turn = 0;

  while (turn < MAX_TURN_BYTES)
    {
      RelaisFragment fragments[RELAIS_FRAGMENTS_MAX];
      gssize written;
      guint n;

      if (!write_backlog (self, &turn, &result))
        return result;
      n = collect (self, fragments);
      if (n == 0)
        return RELAIS_VIEWER_IDLE;

      written = write_fragments (self, fragments, n);
      if (written < 0)
        {
          relais_fragments_release (fragments, n);
          return RELAIS_VIEWER_GONE;
        }
      turn += (gsize) written;
      keep_rest (self, fragments, n, (gsize) written);
    }
  return RELAIS_VIEWER_MORE;
}

/**
 * relais_viewer_write_batch:
 * @self: a viewer that is not blocked
 * @batch: what is new in its stream's ring
 *
 * Like relais_viewer_write(). Where @batch is just what the viewer lacks, and nothing else is to be
 * written, it touches neither the ring nor the units.
 */
RelaisViewerResult
relais_viewer_write_batch (RelaisViewer *self, const RelaisUnitBatch *batch)
{
  RelaisFragment fragments[RELAIS_UNIT_BATCH_MAX];
  g_autoptr (GError) error = NULL;
  gssize written;
  guint n = 0;

  if (batch->n_units == 0 || self->cursor.next != batch->units[0]->sequence
      || self->cursor.needs_start || (batch->epoch != NULL && batch->epoch != self->epoch)
      || self->backlog != NULL || !g_queue_is_empty (&self->control) || self->close_sent != 0)
    return relais_viewer_write (self);

  written = relais_connection_write (&self->connection, batch->pieces, batch->n_units, &error);
  /* What is not out is read again, and kept, by itself. */
  if (written == RELAIS_CONNECTION_WOULD_BLOCK)
    return relais_viewer_write (self);
  if (written < 0)
    {
      set_reason (self, error->message);
      return RELAIS_VIEWER_GONE;
    }
  self->last_written = batch->now;
  self->bytes_written += (gsize) written;
  self->cursor.next += batch->n_units;
  if ((gsize) written == batch->size)
    return RELAIS_VIEWER_IDLE;
  for (guint i = 0; i < batch->n_units; i++)
    relais_fragments_add_unit (fragments, &n, relais_unit_ref (batch->units[i]));
  keep_rest (self, fragments, n, (gsize) written);
  return relais_viewer_write (self);
}

/**
 * relais_viewer_prefetch:
 * @self: a viewer that is written soon
 *
 * Between two turns of a viewer its thread moves megabytes for the others, so that nothing of it is
 * left in the processor's cache.
 */
void
relais_viewer_prefetch (const RelaisViewer *self)
{
  const char *at = (const char *) self;

  for (gsize i = 0; i < HOT_BYTES; i += 64)
    __builtin_prefetch (at + i, 1);
}

/* Life */

/**
 * relais_viewer_new:
 * @stream: the stream, which counts the viewer already
 * @io: (transfer full): the connection after its WebSocket handshake
 * @fd: the connection's socket
 * @address: the client's address in words
 * @config: the configuration, which must outlive the viewer
 *
 * Returns: (transfer full): a viewer that reads and writes nothing before relais_viewer_start()
 */
RelaisViewer *
relais_viewer_new (RelaisStream *stream,
                   GIOStream *io,
                   int fd,
                   const char *address,
                   const RelaisConfig *config)
{
  RelaisViewer *self = g_new0 (RelaisViewer, 1);

  self->stream = stream;
  self->config = config;
  relais_connection_init (&self->connection, io, fd);
  self->address = g_strdup (address);
  g_queue_init (&self->control);
  relais_websocket_reader_init (&self->reader, MAX_MESSAGE);
  self->joined = self->last_written = self->last_heard = g_get_monotonic_time ();
  return self;
}

void
relais_viewer_free (RelaisViewer *self)
{
  release_backlog (self);
  g_queue_clear_full (&self->control, (GDestroyNotify) g_bytes_unref);
  relais_websocket_reader_clear (&self->reader);
  g_clear_pointer (&self->epoch, relais_epoch_unref);
  relais_connection_clear (&self->connection);
  g_free (self->address);
  g_free (self->left_reason);
  g_free (self);
}

/**
 * relais_viewer_refuse:
 * @self: a viewer that was not started
 * @error: why it gets no media
 *
 * It will be sent the error and the close code that belongs to it.
 */
void
relais_viewer_refuse (RelaisViewer *self, const GError *error)
{
  g_autofree char *message = relais_message_new_error (error);

  self->refused = TRUE;
  set_reason (self, error->message);
  queue_text (self, message);
  relais_viewer_close (self, relais_error_get_close_code (error), error->message);
}

/**
 * relais_viewer_start:
 * @self: a viewer, on its sender thread
 *
 * Puts it into its place in the ring. Write it then.
 */
void
relais_viewer_start (RelaisViewer *self)
{
  gboolean is_live = relais_stream_get_state (self->stream) == RELAIS_STREAM_LIVE;

  if (self->refused)
    return;
  if (relais_media_ring_join (relais_stream_get_ring (self->stream), &self->cursor, !is_live))
    return;
  queue_text (self, is_live ? "{\"type\":\"waiting\",\"reason\":\"keyframe\"}"
                            : "{\"type\":\"waiting\"}");
  self->saw_joined = TRUE;
  relais_log_info (relais_stream_get_id (self->stream),
                   "viewer joined from %s (%u now), waits for the %s", self->address,
                   relais_stream_get_n_viewers (self->stream),
                   is_live ? "next keyframe" : "publisher");
}

/**
 * relais_viewer_close:
 * @self: a viewer
 * @code: RFC 6455 section 7.4
 * @reason: in words
 *
 * Queues the close frame behind what is half written. No unit follows it.
 */
void
relais_viewer_close (RelaisViewer *self, guint16 code, const char *reason)
{
  if (self->close_sent != 0)
    return;
  set_reason (self, reason);
  queue_control (self, relais_websocket_frame_new_close (code, reason));
  self->close_sent = g_get_monotonic_time ();
}

/**
 * relais_viewer_check_time:
 * @self: a viewer
 * @now: g_get_monotonic_time()
 *
 * The hard limit and the ping of an idle connection.
 */
RelaisViewerResult
relais_viewer_check_time (RelaisViewer *self, gint64 now)
{
  gint64 stall_us = self->config->viewer_stall_ms * 1000;
  gint64 ping_us = self->config->viewer_ping_ms * 1000;

  if (self->close_sent != 0)
    return now - self->close_sent > CLOSE_TIMEOUT_US ? RELAIS_VIEWER_GONE : RELAIS_VIEWER_IDLE;

  if (self->backlog != NULL && now - self->last_written > stall_us)
    {
      set_reason (self, "stalled: it took nothing for the whole of viewer-stall-ms");
      return RELAIS_VIEWER_GONE;
    }
  if (self->ping_sent && now - MAX (self->last_heard, self->last_written) > stall_us)
    {
      set_reason (self, "no answer to a ping");
      return RELAIS_VIEWER_GONE;
    }
  if (!self->ping_sent && self->backlog == NULL && now - self->last_written > ping_us)
    {
      queue_control (self, relais_websocket_frame_new_ping (NULL, 0));
      self->ping_sent = TRUE;
      return relais_viewer_write (self);
    }
  return RELAIS_VIEWER_IDLE;
}

gboolean
relais_viewer_is_blocked (const RelaisViewer *self)
{
  return self->backlog != NULL;
}

RelaisStream *
relais_viewer_get_stream (const RelaisViewer *self)
{
  return self->stream;
}

const char *
relais_viewer_get_address (const RelaisViewer *self)
{
  return self->address;
}

int
relais_viewer_get_fd (const RelaisViewer *self)
{
  return self->connection.fd;
}

/**
 * relais_viewer_log_left:
 * @self: a viewer that is gone
 * @n_left: viewers that the stream still has
 */
void
relais_viewer_log_left (RelaisViewer *self, guint n_left)
{
  relais_log_info (relais_stream_get_id (self->stream),
                   "viewer %s from %s (%s) after %.1f s, %" G_GUINT64_FORMAT
                   " bytes, %u %s, %u left",
                   self->refused ? "refused" : "left", self->address,
                   self->left_reason != NULL ? self->left_reason : "unknown",
                   (double) (g_get_monotonic_time () - self->joined) / G_USEC_PER_SEC,
                   self->bytes_written, self->n_drops, self->n_drops == 1 ? "drop" : "drops",
                   n_left);
}

RelaisViewerPlace *
relais_viewer_get_place (RelaisViewer *self)
{
  return &self->place;
}
