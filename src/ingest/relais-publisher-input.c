/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What comes from a publisher's connection: a thread of its own reads messages, finds the
 * recordings in them, and pushes their bytes through its stream's pipeline into the ring, with no
 * other thread on the way.
 *
 * - Each binary message is a chunk; it goes on as it is, without a copy (relais-ebml-scanner.c cuts
 * it only where a recording begins).
 * - A publisher that is faster than the pipeline is not read from meanwhile, so TCP slows it down.
 * - A recording that takes long to read holds up its own publisher and nobody else.
 *
 * Everything else of the connection is its owner's, on the main context: what is written, time
 * limits, the close. The owner is told through handlers. It has no queue that a client could fill:
 * of what is only answered the newest is kept, and nothing comes after the end. */

#include "config.h"

#include "ingest/relais-publisher-input.h"

#include <string.h>

#include "base/relais-ebml-scanner.h"
#include "base/relais-error.h"
#include "base/relais-log.h"
#include "base/relais-source.h"
#include "base/relais-websocket-reader.h"

#define READ_SIZE        (64 * 1024)   /* frames' headers, and what else is behind a payload */
#define MAX_PAYLOAD_READ (1024 * 1024) /* of a message's payload, which is read into its place */
/* A larger chunk is pushed in pieces: between two of them the publisher can be made to leave. */
#define MAX_PIECE_BYTES (256 * 1024)
#define MAX_PING_BYTES  125 /* RFC 6455 section 5.5 */

struct _RelaisPublisherInput
{
  RelaisConnection *connection; /* not owned; this thread alone reads from it */
  char *stream_id;
  const RelaisConfig *config; /* outlives the input */
  RelaisPublisherInputHandlers handlers;
  gpointer user_data;

  GThread *thread;
  GMainContext *context; /* the thread's */
  GSource *news_source;  /* owned, main context; the thread makes it ready */

  /* Only the thread uses these. */
  GSource *input_source; /* owned; NULL once nothing more is read */
  RelaisWebsocketReader reader;
  RelaisEbmlScanner *scanner;
  GError *failure; /* owned: what was found wrong within a message */
  guint64 n_chunks;

  /* Protects `stream`, and is held while a piece is pushed: relais_publisher_input_leave_stream()
   * waits for that. Taken before any other lock. */
  GMutex stream_lock;
  RelaisStream *stream; /* not owned; NULL once it was left */

  GMutex news_lock; /* protects the fields below; a leaf */
  gboolean has_text;
  gboolean has_ping;
  guint8 ping[MAX_PING_BYTES];
  gsize ping_size;
  GError *failed; /* owned; told once */
  guint16 failed_code;
  gboolean has_ended;
  guint16 end_code;
  char *end_reason; /* owned */

  int stop;            /* atomic: the thread has to end */
  gint64 last_heard;   /* atomic by __atomic builtins, as the two below; monotonic, µs */
  gint64 header_since; /* first byte of a recording whose header is not complete; 0 = none */
  guint64 bytes;       /* of all chunks */
};

/* News for the main context */

static gboolean
tell_news (gpointer data)
{
  RelaisPublisherInput *self = data;
  gboolean has_text, has_ping, has_ended;
  guint8 ping[MAX_PING_BYTES];
  gsize ping_size;
  g_autoptr (GError) failed = NULL;
  g_autofree char *end_reason = NULL;
  guint16 failed_code, end_code;

  g_source_set_ready_time (self->news_source, -1);
  g_mutex_lock (&self->news_lock);
  has_text = self->has_text;
  has_ping = self->has_ping;
  has_ended = self->has_ended;
  ping_size = self->ping_size;
  memcpy (ping, self->ping, ping_size);
  failed = g_steal_pointer (&self->failed);
  failed_code = self->failed_code;
  end_code = self->end_code;
  end_reason = g_steal_pointer (&self->end_reason);
  self->has_text = self->has_ping = self->has_ended = FALSE;
  g_mutex_unlock (&self->news_lock);

  /* In the order in which they matter: the last one may end us. */
  if (has_text)
    self->handlers.text (self->user_data);
  if (has_ping)
    self->handlers.ping (ping, ping_size, self->user_data);
  if (failed != NULL)
    self->handlers.failed (failed, failed_code, self->user_data);
  if (has_ended)
    self->handlers.ended (end_code, end_reason, self->user_data);
  return G_SOURCE_CONTINUE;
}

static gboolean
dispatch_ready_time (GSource *source, GSourceFunc func, gpointer data)
{
  return func (data);
}

static GSourceFuncs news_source_funcs = { .dispatch = dispatch_ready_time };

/* Takes @error. */
static void
tell_failed (RelaisPublisherInput *self, GError *error, guint16 close_code)
{
  g_mutex_lock (&self->news_lock);
  if (self->failed == NULL)
    {
      self->failed = g_steal_pointer (&error);
      self->failed_code = close_code;
    }
  g_mutex_unlock (&self->news_lock);
  g_clear_error (&error);
  g_source_set_ready_time (self->news_source, 0);
}

static void
tell_ended (RelaisPublisherInput *self, guint16 close_code, const char *reason)
{
  g_mutex_lock (&self->news_lock);
  self->has_ended = TRUE;
  self->end_code = close_code;
  g_free (self->end_reason);
  self->end_reason = g_strdup (reason);
  g_mutex_unlock (&self->news_lock);
  g_source_set_ready_time (self->news_source, 0);
}

/* Messages */

static gboolean
begin_recording (RelaisPublisherInput *self, gboolean is_resync, GError **error)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->stream_lock);
  guint64 skipped = relais_ebml_scanner_get_skipped (self->scanner);

  if (self->stream == NULL)
    return TRUE;
  if (!is_resync)
    return relais_stream_begin_recording (self->stream, error);
  /* A decoder cannot go on across the damage: the same header opens a new epoch, which starts at
   * the next keyframe. */
  relais_log_warning (self->stream_id,
                      "the publisher's data is damaged: %" G_GUINT64_FORMAT
                      " bytes left out so far, going on at a cluster",
                      skipped);
  relais_stream_count_resync (self->stream, skipped);
  return relais_stream_begin_recording (self->stream, error)
         && relais_stream_push (self->stream, relais_ebml_scanner_get_header (self->scanner), TRUE,
                                error);
}

/* What still comes once the stream was left is not media any more. */
static void
take_span (GBytes *span, RelaisEbmlSpanKind kind, gpointer user_data)
{
  RelaisPublisherInput *self = user_data;
  gsize size = g_bytes_get_size (span);
  g_autoptr (GError) error = NULL;
  gboolean ok = kind == RELAIS_EBML_SPAN_DATA
                || begin_recording (self, kind == RELAIS_EBML_SPAN_RESYNC, &error);

  for (gsize at = 0; ok && at < size; at += MAX_PIECE_BYTES)
    {
      g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->stream_lock);
      g_autoptr (GBytes) piece
          = g_bytes_new_from_bytes (span, at, MIN (size - at, MAX_PIECE_BYTES));

      ok = self->stream == NULL
           || relais_stream_push (self->stream, piece, at + MAX_PIECE_BYTES >= size, &error);
    }
  if (!ok && self->failure == NULL)
    self->failure = g_steal_pointer (&error);
}

static void
take_chunk (GBytes *message, gpointer user_data)
{
  RelaisPublisherInput *self = user_data;
  gsize size = g_bytes_get_size (message);
  gboolean has_stream;

  g_mutex_lock (&self->stream_lock);
  has_stream = self->stream != NULL;
  if (has_stream && size > 0)
    relais_stream_count_chunk (self->stream, size);
  g_mutex_unlock (&self->stream_lock);
  if (!has_stream || size == 0 || self->failure != NULL)
    return;
  __atomic_add_fetch (&self->bytes, size, __ATOMIC_RELAXED);
  if (++self->n_chunks == 1)
    relais_log_info (self->stream_id, "first chunk: %" G_GSIZE_FORMAT " bytes", size);

  if (!relais_ebml_scanner_feed (self->scanner, message, take_span, self, &self->failure))
    return;
  if (relais_ebml_scanner_has_header (self->scanner))
    __atomic_store_n (&self->header_since, 0, __ATOMIC_RELAXED);
  else if (__atomic_load_n (&self->header_since, __ATOMIC_RELAXED) == 0)
    __atomic_store_n (&self->header_since, g_get_monotonic_time (), __ATOMIC_RELAXED);
}

static void
take_text (const char *text, gsize size, gpointer user_data)
{
  RelaisPublisherInput *self = user_data;

  g_mutex_lock (&self->news_lock);
  self->has_text = TRUE;
  g_mutex_unlock (&self->news_lock);
  g_source_set_ready_time (self->news_source, 0);
}

static void
take_ping (const guint8 *data, gsize size, gpointer user_data)
{
  RelaisPublisherInput *self = user_data;

  g_mutex_lock (&self->news_lock);
  self->has_ping = TRUE;
  self->ping_size = MIN (size, sizeof self->ping);
  memcpy (self->ping, data, self->ping_size);
  g_mutex_unlock (&self->news_lock);
  g_source_set_ready_time (self->news_source, 0);
}

static void
take_close (guint16 code, const char *reason, gpointer user_data)
{
  RelaisPublisherInput *self = user_data;

  relais_source_clear (&self->input_source);
  tell_ended (self, code, reason);
}

static const RelaisWebsocketReaderHandlers reader_handlers = {
  .text = take_text,
  .binary = take_chunk,
  .ping = take_ping,
  .close = take_close,
};

/* Reading */

/* Takes the bytes that are in the reader's room and, behind them, in @rest. Returns whether reading
 * can go on. */
static gboolean
feed (RelaisPublisherInput *self, gsize in_room, const guint8 *rest, gsize rest_size)
{
  g_autoptr (GError) error = NULL;

  __atomic_store_n (&self->last_heard, g_get_monotonic_time (), __ATOMIC_RELAXED);
  if (!relais_websocket_reader_feed_room (&self->reader, in_room, &reader_handlers, self, &error)
      || !relais_websocket_reader_feed (&self->reader, rest, rest_size, &reader_handlers, self,
                                        &error))
    {
      if (error->code == RELAIS_ERROR_TOO_LARGE)
        {
          g_clear_error (&error);
          error = g_error_new (RELAIS_ERROR, RELAIS_ERROR_TOO_LARGE,
                               "a chunk is larger than chunk-max-bytes (%" G_GINT64_FORMAT ")",
                               self->config->chunk_max_bytes);
        }
      relais_source_clear (&self->input_source);
      tell_failed (self, g_steal_pointer (&error),
                   relais_websocket_reader_get_close_code (&self->reader));
    }
  else if (self->failure != NULL)
    {
      guint16 close_code = relais_error_get_close_code (self->failure);

      /* The client's close frame is still read. */
      relais_publisher_input_leave_stream (self);
      tell_failed (self, g_steal_pointer (&self->failure), close_code);
    }
  return self->input_source != NULL;
}

/* What is missing of a large message's payload goes from the socket straight to where it stays.
 * What is behind it comes with the same system call and is copied. */
static gboolean
read_input (gpointer user_data)
{
  RelaisPublisherInput *self = user_data;
  guint8 rest[READ_SIZE];

  while (!g_atomic_int_get (&self->stop))
    {
      g_autoptr (GError) error = NULL;
      guint8 *room;
      gsize room_size = relais_websocket_reader_get_room (&self->reader, &room);
      gboolean has_rest = room_size <= MAX_PAYLOAD_READ;
      struct iovec pieces[]
          = { { room, MIN (room_size, MAX_PAYLOAD_READ) }, { rest, has_rest ? sizeof rest : 0 } };
      gssize n = relais_connection_read (self->connection, pieces, G_N_ELEMENTS (pieces), &error);
      gsize in_room;

      if (n == RELAIS_CONNECTION_WOULD_BLOCK)
        return G_SOURCE_CONTINUE;
      if (n <= 0)
        {
          relais_source_clear (&self->input_source);
          tell_ended (self, 0, n == 0 ? "its connection ended without a close" : error->message);
          return G_SOURCE_REMOVE;
        }
      in_room = MIN ((gsize) n, pieces[0].iov_len);
      if (!feed (self, in_room, rest, (gsize) n - in_room))
        return G_SOURCE_REMOVE;
      /* Nothing more is there; if there is, the source tells. */
      if ((gsize) n < pieces[0].iov_len + pieces[1].iov_len)
        return G_SOURCE_CONTINUE;
    }
  return G_SOURCE_CONTINUE;
}

static gpointer
run (gpointer data)
{
  RelaisPublisherInput *self = data;

  g_main_context_push_thread_default (self->context);
  self->input_source
      = relais_source_attach (relais_connection_new_source (self->connection, G_IO_IN),
                              self->context, "relais-publisher-input", G_PRIORITY_DEFAULT,
                              read_input, self);
  while (!g_atomic_int_get (&self->stop) && self->input_source != NULL)
    g_main_context_iteration (self->context, TRUE);
  relais_source_clear (&self->input_source);
  g_main_context_pop_thread_default (self->context);
  return NULL;
}

/* Life, on the main context */

/**
 * relais_publisher_input_new:
 * @connection: after its WebSocket handshake; must outlive the input, which alone reads from it
 * @stream_id: for the log
 * @stream: (nullable): where media goes, as long as relais_publisher_input_leave_stream() was not
 * called; %NULL = nowhere
 * @config: the configuration, which must outlive the input
 * @handlers: what it calls on the main context
 * @user_data: passed to them
 *
 * Returns: (transfer full): an input that reads already
 */
RelaisPublisherInput *
relais_publisher_input_new (RelaisConnection *connection,
                            const char *stream_id,
                            RelaisStream *stream,
                            const RelaisConfig *config,
                            const RelaisPublisherInputHandlers *handlers,
                            gpointer user_data)
{
  RelaisPublisherInput *self = g_new0 (RelaisPublisherInput, 1);

  self->connection = connection;
  self->stream_id = g_strdup (stream_id);
  self->stream = stream;
  self->config = config;
  self->handlers = *handlers;
  self->user_data = user_data;
  self->context = g_main_context_new ();
  self->scanner = relais_ebml_scanner_new ((gsize) config->header_max_bytes);
  relais_websocket_reader_init (&self->reader, (guint32) config->chunk_max_bytes);
  g_mutex_init (&self->stream_lock);
  g_mutex_init (&self->news_lock);
  self->last_heard = g_get_monotonic_time ();
  self->news_source
      = relais_source_attach (g_source_new (&news_source_funcs, sizeof (GSource)), NULL,
                              "relais-publisher-news", G_PRIORITY_HIGH, tell_news, self);
  self->thread = g_thread_new ("publisher", run, self);
  return self;
}

/**
 * relais_publisher_input_free:
 * @self: an input
 *
 * Ends its thread, once that has pushed the message that it is about. No handler runs afterwards.
 */
void
relais_publisher_input_free (RelaisPublisherInput *self)
{
  relais_publisher_input_leave_stream (self);
  g_atomic_int_set (&self->stop, TRUE);
  g_main_context_wakeup (self->context);
  g_thread_join (self->thread);
  relais_source_clear (&self->news_source);
  g_main_context_unref (self->context);
  relais_websocket_reader_clear (&self->reader);
  relais_ebml_scanner_free (self->scanner);
  g_clear_error (&self->failure);
  g_clear_error (&self->failed);
  g_free (self->end_reason);
  g_mutex_clear (&self->stream_lock);
  g_mutex_clear (&self->news_lock);
  g_free (self->stream_id);
  g_free (self);
}

/**
 * relais_publisher_input_leave_stream:
 * @self: an input
 *
 * From any thread. When it returns the stream is not touched any more; what still comes is read,
 * and only its end is told.
 */
void
relais_publisher_input_leave_stream (RelaisPublisherInput *self)
{
  g_mutex_lock (&self->stream_lock);
  self->stream = NULL;
  g_mutex_unlock (&self->stream_lock);
}

/* From any thread: when something came last, in monotonic µs. */
gint64
relais_publisher_input_get_last_heard (RelaisPublisherInput *self)
{
  return __atomic_load_n (&self->last_heard, __ATOMIC_RELAXED);
}

/* From any thread: since when a recording's header is not complete, in monotonic µs; 0 = it is. */
gint64
relais_publisher_input_get_header_since (RelaisPublisherInput *self)
{
  return __atomic_load_n (&self->header_since, __ATOMIC_RELAXED);
}

/* From any thread: bytes of all chunks that came. */
guint64
relais_publisher_input_get_bytes (RelaisPublisherInput *self)
{
  return __atomic_load_n (&self->bytes, __ATOMIC_RELAXED);
}
