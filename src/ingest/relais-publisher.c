/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A WebSocket publisher: reads messages, finds the recordings in them, and hands their bytes to its
 * stream.
 *
 * Main context, with sources of a priority above libsoup's: a thousand viewers that join do not
 * hold up the media.
 *
 * - Each binary message is a chunk; it goes on as it is, without a copy (relais-ebml-scanner.c cuts
 * it only where a recording begins).
 * - A publisher that is faster than the pipeline is not read from until there is room, so TCP slows
 * it down.
 * - Input that cannot be read, a header that does not complete, a message over the limit, silence:
 * an error message, a close code, one line in the log. Nobody else notices.
 *
 * What it is sent (ready, a stats message a second, pings, errors) is small; a publisher that does
 * not read it loses stats messages at MAX_OUTPUT_BYTES, and is closed when it takes nothing for
 * `publisher-silent-ms`.
 *
 * The owner frees it from gone_func, which is called once from the main context. */

#include "config.h"

#include "ingest/relais-publisher.h"

#include "base/relais-connection.h"
#include "base/relais-ebml-scanner.h"
#include "base/relais-error.h"
#include "base/relais-log.h"
#include "base/relais-message.h"
#include "base/relais-websocket-frame.h"
#include "base/relais-websocket-reader.h"

#define READ_SIZE        (64 * 1024)   /* frames' headers, and what else is behind a payload */
#define MAX_PAYLOAD_READ (1024 * 1024) /* of a message's payload, which is read into its place */
#define MAX_READS_A_TURN 16            /* then other sources of the main context have their turn */
#define MAX_OUTPUT_BYTES (64 * 1024)
#define MAX_TICK_MS      1000 /* also the rhythm of the stats messages */
#define MIN_TICK_MS      10
#define CLOSE_TIMEOUT_US (2 * G_USEC_PER_SEC) /* for the client's close frame after ours */
#define INPUT_PRIORITY   G_PRIORITY_HIGH

struct _RelaisPublisher
{
  const RelaisConfig *config; /* outlives the publisher */
  RelaisStream *stream;       /* NULL once detached; kept alive by being its publisher */
  char *stream_id;
  char *address;
  RelaisPublisherGoneFunc gone_func;
  gpointer user_data;

  RelaisConnection connection;
  GSource *input_source;  /* owned; NULL while paused or closing is over */
  GSource *output_source; /* owned; NULL while there is nothing to write or it was not tried yet */
  GSource *tick_source;   /* owned */
  GSource *gone_source;   /* owned */
  GByteArray *out;        /* frames that the socket did not take yet */

  RelaisWebsocketReader reader;
  RelaisEbmlScanner *scanner;
  GError *failure;     /* owned: what the scanner found wrong within a message */
  gint64 header_since; /* first byte of a recording whose header is not complete; 0 = none */

  gint64 last_heard; /* monotonic, µs */
  gint64 last_written;
  gint64 last_ping;
  gint64 last_stats;
  gint64 close_sent; /* 0 = not */
  guint64 n_chunks;
  guint64 bytes_in;
};

/* Output */

static gboolean write_more (gpointer user_data);

static void
destroy_source (GSource **source)
{
  if (*source != NULL)
    g_source_destroy (*source);
  g_clear_pointer (source, g_source_unref);
}

static GSource *
attach_source (GSource *source, const char *name, int priority, GSourceFunc func, gpointer data)
{
  g_source_set_static_name (source, name);
  g_source_set_priority (source, priority);
  g_source_set_callback (source, func, data, NULL);
  g_source_attach (source, NULL);
  return source;
}

static gboolean
call_gone (gpointer data)
{
  RelaisPublisher *self = data;

  self->gone_func (self, self->user_data);
  return G_SOURCE_REMOVE;
}

/* The connection is over: the owner is told from the next turn of the main context. */
static void
be_gone (RelaisPublisher *self, const char *reason)
{
  RelaisStream *stream = g_steal_pointer (&self->stream);

  destroy_source (&self->input_source);
  destroy_source (&self->output_source);
  destroy_source (&self->tick_source);
  if (self->gone_source == NULL)
    self->gone_source = attach_source (g_idle_source_new (), "relais-publisher-gone",
                                       G_PRIORITY_DEFAULT, call_gone, self);
  if (stream != NULL)
    relais_stream_detach_publisher (stream, self, reason);
}

static void
write_out (RelaisPublisher *self)
{
  while (self->out->len > 0)
    {
      struct iovec piece = { self->out->data, self->out->len };
      g_autoptr (GError) error = NULL;
      gssize n = relais_connection_write (&self->connection, &piece, 1, &error);

      if (n == RELAIS_CONNECTION_WOULD_BLOCK)
        {
          if (self->output_source == NULL)
            self->output_source
                = attach_source (relais_connection_new_source (&self->connection, G_IO_OUT),
                                 "relais-publisher-output", INPUT_PRIORITY, write_more, self);
          return;
        }
      if (n < 0)
        {
          be_gone (self, error->message);
          return;
        }
      self->last_written = g_get_monotonic_time ();
      g_byte_array_remove_range (self->out, 0, (guint) n);
    }
  destroy_source (&self->output_source);
}

static gboolean
write_more (gpointer user_data)
{
  RelaisPublisher *self = user_data;

  write_out (self);
  return self->output_source != NULL ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
}

/* Takes @frame. */
static void
queue_frame (RelaisPublisher *self, GBytes *frame)
{
  gsize size;
  const guint8 *data = g_bytes_get_data (frame, &size);

  g_byte_array_append (self->out, data, (guint) size);
  g_bytes_unref (frame);
}

static void
send_text (RelaisPublisher *self, const char *text)
{
  queue_frame (self, relais_websocket_frame_new_text (text));
  write_out (self);
}

static void
send_close (RelaisPublisher *self, guint16 code, const char *reason)
{
  if (self->close_sent != 0)
    return;
  self->close_sent = g_get_monotonic_time ();
  queue_frame (self, relais_websocket_frame_new_close (code, reason));
  write_out (self);
}

/* Errors */

/**
 * relais_publisher_close:
 * @self: a publisher
 * @code: RFC 6455 section 7.4
 * @reason: in words, for the publisher and the log
 *
 * Leaves the stream at once, with what was sent before delivered, and closes the connection.
 */
void
relais_publisher_close (RelaisPublisher *self, guint16 code, const char *reason)
{
  RelaisStream *stream = g_steal_pointer (&self->stream);

  send_close (self, code, reason);
  if (stream != NULL)
    relais_stream_detach_publisher (stream, self, reason);
}

static void
refuse (RelaisPublisher *self, const GError *error, guint16 close_code)
{
  g_autofree char *message = relais_message_new_error (error);

  if (self->close_sent != 0)
    return;
  relais_log_warning (self->stream_id, "publisher refused from %s: %s", self->address,
                      error->message);
  send_text (self, message);
  relais_publisher_close (self, close_code, error->message);
}

/**
 * relais_publisher_refuse:
 * @self: a publisher
 * @error: why it has to leave
 *
 * Sends the error message and closes with the code that belongs to it.
 */
void
relais_publisher_refuse (RelaisPublisher *self, const GError *error)
{
  refuse (self, error, relais_error_get_close_code (error));
}

static void
take_failed (gpointer publisher, const GError *error)
{
  relais_publisher_refuse (publisher, error);
}

static void
take_replaced (gpointer publisher)
{
  g_autoptr (GError) error
      = g_error_new (RELAIS_ERROR, RELAIS_ERROR_BUSY, "a newer publisher took the stream over");

  relais_publisher_refuse (publisher, error);
}

/* Input */

static gboolean read_input (gpointer user_data);

static void
start_reading (RelaisPublisher *self)
{
  if (self->input_source == NULL)
    self->input_source = attach_source (relais_connection_new_source (&self->connection, G_IO_IN),
                                        "relais-publisher-input", INPUT_PRIORITY, read_input, self);
}

static void
take_resume (gpointer publisher)
{
  RelaisPublisher *self = publisher;

  if (self->gone_source == NULL)
    start_reading (self);
}

static void
take_span (GBytes *span, RelaisEbmlSpanKind kind, gpointer user_data)
{
  RelaisPublisher *self = user_data;

  if (self->stream == NULL)
    return;
  switch (kind)
    {
    case RELAIS_EBML_SPAN_NEW_RECORDING:
      relais_stream_begin_recording (self->stream);
      break;
    case RELAIS_EBML_SPAN_RESYNC:
      /* A decoder cannot go on across the damage: the same header opens a new epoch, which starts
       * at the next keyframe. */
      relais_log_warning (self->stream_id,
                          "the publisher's data is damaged: %" G_GUINT64_FORMAT
                          " bytes left out so far, going on at a cluster",
                          relais_ebml_scanner_get_skipped (self->scanner));
      relais_stream_count_resync (self->stream, relais_ebml_scanner_get_skipped (self->scanner));
      relais_stream_begin_recording (self->stream);
      if (self->stream != NULL)
        relais_stream_push (self->stream, relais_ebml_scanner_get_header (self->scanner));
      break;
    case RELAIS_EBML_SPAN_DATA:
    default:
      break;
    }
  /* A recording that cannot even begin has thrown us out by now. */
  if (self->stream != NULL && !relais_stream_push (self->stream, span))
    destroy_source (&self->input_source);
}

static void
take_chunk (GBytes *message, gpointer user_data)
{
  RelaisPublisher *self = user_data;
  gsize size = g_bytes_get_size (message);

  /* What still comes in while we close is not media any more. */
  if (self->stream == NULL || size == 0)
    return;
  self->n_chunks++;
  self->bytes_in += size;
  relais_stream_count_chunk (self->stream, size);
  if (self->n_chunks == 1)
    relais_log_info (self->stream_id, "first chunk: %" G_GSIZE_FORMAT " bytes", size);

  if (!relais_ebml_scanner_feed (self->scanner, message, take_span, self, &self->failure))
    return;
  if (relais_ebml_scanner_has_header (self->scanner))
    self->header_since = 0;
  else if (self->header_since == 0)
    self->header_since = g_get_monotonic_time ();
}

static void
take_text (const char *text, gsize size, gpointer user_data)
{
  RelaisPublisher *self = user_data;

  send_text (
      self,
      "{\"type\":\"error\",\"code\":\"not-binary\",\"message\":\"Text is ignored here: send the "
      "recorder's chunks as binary messages.\"}");
}

static void
take_ping (const guint8 *data, gsize size, gpointer user_data)
{
  RelaisPublisher *self = user_data;

  /* RFC 6455 section 5.5.3: of several pings the newest may be answered alone. */
  if (self->close_sent == 0 && self->out->len < MAX_OUTPUT_BYTES)
    {
      queue_frame (self, relais_websocket_frame_new_pong (data, size));
      write_out (self);
    }
}

static void
take_close (guint16 code, const char *reason, gpointer user_data)
{
  RelaisPublisher *self = user_data;
  g_autofree char *words
      = g_strdup_printf ("it closed with %u%s%s", code, *reason != '\0' ? ", " : "", reason);

  /* RFC 6455 section 5.5.1: the answer carries the code that came; 1005 stands for none and is
   * never sent. */
  send_close (self, code == 1005 ? 1000 : code, "");
  be_gone (self, words);
}

static const RelaisWebsocketReaderHandlers reader_handlers = {
  .text = take_text,
  .binary = take_chunk,
  .ping = take_ping,
  .close = take_close,
};

/* Takes the bytes that are in the reader's room and, behind them, in @rest. Returns whether reading
 * can go on. */
static gboolean
feed (RelaisPublisher *self, gsize in_room, const guint8 *rest, gsize rest_size)
{
  g_autoptr (GError) error = NULL;

  self->last_heard = g_get_monotonic_time ();
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
      refuse (self, error, relais_websocket_reader_get_close_code (&self->reader));
      destroy_source (&self->input_source);
      return FALSE;
    }
  if (self->failure != NULL)
    {
      g_autoptr (GError) failure = g_steal_pointer (&self->failure);

      relais_publisher_refuse (self, failure);
    }
  return self->input_source != NULL;
}

/* What is missing of a large message's payload goes from the socket straight to where it stays.
 * What is behind it comes with the same system call and is copied. */
static gboolean
read_input (gpointer user_data)
{
  RelaisPublisher *self = user_data;
  guint8 rest[READ_SIZE];

  for (guint i = 0; i < MAX_READS_A_TURN; i++)
    {
      g_autoptr (GError) error = NULL;
      guint8 *room;
      gsize room_size = relais_websocket_reader_get_room (&self->reader, &room);
      gboolean has_rest = room_size <= MAX_PAYLOAD_READ;
      struct iovec pieces[]
          = { { room, MIN (room_size, MAX_PAYLOAD_READ) }, { rest, has_rest ? sizeof rest : 0 } };
      gssize n = relais_connection_read (&self->connection, pieces, G_N_ELEMENTS (pieces), &error);
      gsize in_room;

      if (n == RELAIS_CONNECTION_WOULD_BLOCK)
        return G_SOURCE_CONTINUE;
      if (n <= 0)
        {
          be_gone (self, n == 0 ? "its connection ended without a close" : error->message);
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

/* Time */

static void
check_header (RelaisPublisher *self, gint64 now)
{
  g_autoptr (GError) error = NULL;

  if (self->header_since == 0 || now - self->header_since < self->config->header_timeout_ms * 1000)
    return;
  error = g_error_new (RELAIS_ERROR, RELAIS_ERROR_HEADER_TIMEOUT,
                       "the recording's header was not complete after %" G_GINT64_FORMAT " ms",
                       self->config->header_timeout_ms);
  relais_publisher_refuse (self, error);
}

/* A recorder that is paused sends nothing, but its browser answers pings: so silence means that
 * nobody is there. */
static void
check_silence (RelaisPublisher *self, gint64 now)
{
  gint64 silent_us = self->config->publisher_silent_ms * 1000;
  g_autoptr (GError) error = NULL;

  /* While reading is paused it is we who do not listen. */
  if (self->input_source == NULL)
    self->last_heard = now;

  if (now - self->last_heard >= silent_us)
    {
      error = g_error_new (RELAIS_ERROR, RELAIS_ERROR_TIMEOUT,
                           "nothing came from the publisher for %" G_GINT64_FORMAT " ms",
                           self->config->publisher_silent_ms);
      relais_publisher_refuse (self, error);
      be_gone (self, error->message);
    }
  else if (now - self->last_heard >= silent_us / 3 && now - self->last_ping >= silent_us / 3
           && self->out->len < MAX_OUTPUT_BYTES)
    {
      self->last_ping = now;
      queue_frame (self, relais_websocket_frame_new_ping (NULL, 0));
      write_out (self);
    }
}

static gboolean
tick (gpointer data)
{
  RelaisPublisher *self = data;
  gint64 now = g_get_monotonic_time ();

  if (self->close_sent != 0)
    {
      if (now - self->close_sent >= CLOSE_TIMEOUT_US)
        be_gone (self, "it did not answer the close");
      return self->tick_source != NULL ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
    }
  if (now - self->last_stats >= G_USEC_PER_SEC && self->out->len < MAX_OUTPUT_BYTES)
    {
      g_autofree char *message
          = g_strdup_printf ("{\"type\":\"stats\",\"viewers\":%u,\"bytes\":%" G_GUINT64_FORMAT "}",
                             relais_stream_get_n_viewers (self->stream), self->bytes_in);

      self->last_stats = now;
      send_text (self, message);
    }
  if (self->gone_source == NULL)
    check_header (self, now);
  if (self->gone_source == NULL && self->close_sent == 0)
    check_silence (self, now);
  return self->tick_source != NULL ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
}

/* Life */

static const RelaisPublisherHandlers publisher_handlers = {
  .failed = take_failed,
  .resume = take_resume,
  .replaced = take_replaced,
};

static gint64
get_tick_ms (const RelaisConfig *config)
{
  gint64 shortest = MIN (config->publisher_silent_ms, config->header_timeout_ms);

  return CLAMP (shortest / 4, MIN_TICK_MS, MAX_TICK_MS);
}

/**
 * relais_publisher_new:
 * @streams: the server's streams
 * @stream_id: the stream to publish; an id that is not valid is refused
 * @io: (transfer full): the connection after its WebSocket handshake
 * @fd: the connection's socket
 * @address: the client's address in words
 * @config: the configuration, which must outlive the publisher
 * @gone_func: called once when the connection is over; it has to free the publisher
 * @user_data: passed to @gone_func
 *
 * Becomes the stream's publisher, or is refused and closed. Main context.
 *
 * Returns: (transfer full): a publisher
 */
RelaisPublisher *
relais_publisher_new (RelaisStreamTable *streams,
                      const char *stream_id,
                      GIOStream *io,
                      int fd,
                      const char *address,
                      const RelaisConfig *config,
                      RelaisPublisherGoneFunc gone_func,
                      gpointer user_data)
{
  RelaisPublisher *self = g_new0 (RelaisPublisher, 1);
  g_autoptr (GError) error = NULL;
  RelaisStream *stream;

  self->config = config;
  self->stream_id = g_strdup (stream_id);
  self->address = g_strdup (address);
  self->gone_func = gone_func;
  self->user_data = user_data;
  relais_connection_init (&self->connection, io, fd);
  self->out = g_byte_array_new ();
  self->scanner = relais_ebml_scanner_new ((gsize) config->header_max_bytes);
  relais_websocket_reader_init (&self->reader, (guint32) config->chunk_max_bytes);
  self->last_heard = self->last_written = self->last_stats = g_get_monotonic_time ();
  self->tick_source = attach_source (g_timeout_source_new ((guint) get_tick_ms (config)),
                                     "relais-publisher-tick", G_PRIORITY_DEFAULT, tick, self);
  start_reading (self);

  stream = relais_stream_table_ensure (streams, stream_id, &error);
  if (stream == NULL || !relais_stream_attach_publisher (stream, &publisher_handlers, self, &error))
    relais_publisher_refuse (self, error);
  else
    {
      g_autofree char *ready
          = g_strdup_printf ("{\"type\":\"ready\",\"stream\":\"%s\"}", stream_id);

      self->stream = stream;
      send_text (self, ready);
    }
  return self;
}

void
relais_publisher_free (RelaisPublisher *self)
{
  RelaisStream *stream = g_steal_pointer (&self->stream);

  if (stream != NULL)
    relais_stream_detach_publisher (stream, self, "the server stops");
  destroy_source (&self->input_source);
  destroy_source (&self->output_source);
  destroy_source (&self->tick_source);
  destroy_source (&self->gone_source);
  relais_connection_clear (&self->connection);
  relais_websocket_reader_clear (&self->reader);
  relais_ebml_scanner_free (self->scanner);
  g_byte_array_unref (self->out);
  g_clear_error (&self->failure);
  g_free (self->stream_id);
  g_free (self->address);
  g_free (self);
}
