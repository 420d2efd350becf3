/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A WebSocket publisher: its place at its stream, what it is told, its time limits, its end. What
 * it sends is read by a thread of its own (relais-publisher-input.c).
 *
 * Main context, with sources of a priority above libsoup's.
 *
 * Input that cannot be read, a header that does not complete, a message over the limit, silence: an
 * error message, a close code, one line in the log. Nobody else notices.
 *
 * What it is sent (ready, a stats message a second, pings and pongs, errors) is small; a publisher
 * that does not read it loses stats messages at MAX_OUTPUT_BYTES, and is closed when it takes
 * nothing for `publisher-silent-ms`.
 *
 * The owner frees it from gone_func, which is called once from the main context. */

#include "config.h"

#include "ingest/relais-publisher.h"

#include "base/relais-error.h"
#include "base/relais-log.h"
#include "base/relais-message.h"
#include "base/relais-source.h"
#include "base/relais-websocket-frame.h"
#include "ingest/relais-publisher-input.h"

#define MAX_OUTPUT_BYTES (64 * 1024)
#define MAX_TICK_MS      1000 /* also the rhythm of the stats messages */
#define MIN_TICK_MS      10
#define CLOSE_TIMEOUT_US (2 * G_USEC_PER_SEC) /* for the client's close frame after ours */
#define OUTPUT_PRIORITY  G_PRIORITY_HIGH

struct _RelaisPublisher
{
  const RelaisConfig *config; /* outlives the publisher */
  RelaisStream *stream;       /* NULL once detached; kept alive by being its publisher */
  char *stream_id;
  char *address;
  RelaisPublisherGoneFunc gone_func;
  gpointer user_data;

  RelaisConnection connection;
  RelaisPublisherInput *input;
  GSource *output_source; /* owned; NULL while there is nothing to write or it was not tried yet */
  GSource *tick_source;   /* owned */
  GSource *gone_source;   /* owned */
  GByteArray *out;        /* frames that the socket did not take yet */

  gint64 last_written;
  gint64 last_ping;
  gint64 last_stats;
  gint64 close_sent; /* 0 = not */
};

/* Output */

static gboolean write_more (gpointer user_data);
static void leave_stream (RelaisPublisher *self, const char *reason);

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
  relais_source_clear (&self->output_source);
  relais_source_clear (&self->tick_source);
  if (self->gone_source == NULL)
    self->gone_source = relais_source_attach (g_idle_source_new (), NULL, "relais-publisher-gone",
                                              G_PRIORITY_DEFAULT, call_gone, self);
  leave_stream (self, reason);
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
                = relais_source_attach (relais_connection_new_source (&self->connection, G_IO_OUT),
                                        NULL, "relais-publisher-output", OUTPUT_PRIORITY,
                                        write_more, self);
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
  relais_source_clear (&self->output_source);
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

/* Leaving */

/* May free the stream. */
static void
leave_stream (RelaisPublisher *self, const char *reason)
{
  RelaisStream *stream = g_steal_pointer (&self->stream);

  if (stream == NULL)
    return;
  if (self->input != NULL)
    relais_publisher_input_leave_stream (self->input);
  relais_stream_detach_publisher (stream, self, reason);
}

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
  send_close (self, code, reason);
  leave_stream (self, reason);
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
take_replaced (gpointer publisher)
{
  g_autoptr (GError) error
      = g_error_new (RELAIS_ERROR, RELAIS_ERROR_BUSY, "a newer publisher took the stream over");

  relais_publisher_refuse (publisher, error);
}

/* Input */

static void
take_text (gpointer user_data)
{
  RelaisPublisher *self = user_data;

  if (self->close_sent == 0 && self->out->len < MAX_OUTPUT_BYTES)
    send_text (self,
               "{\"type\":\"error\",\"code\":\"not-binary\",\"message\":\"Text is ignored here: "
               "send the recorder's chunks as binary messages.\"}");
}

static void
take_ping (const guint8 *payload, gsize size, gpointer user_data)
{
  RelaisPublisher *self = user_data;

  if (self->close_sent == 0 && self->out->len < MAX_OUTPUT_BYTES)
    {
      queue_frame (self, relais_websocket_frame_new_pong (payload, size));
      write_out (self);
    }
}

static void
take_failed (const GError *error, guint16 close_code, gpointer user_data)
{
  refuse (user_data, error, close_code);
}

static void
take_ended (guint16 close_code, const char *reason, gpointer user_data)
{
  RelaisPublisher *self = user_data;
  g_autofree char *words = NULL;

  if (close_code == 0)
    {
      be_gone (self, reason);
      return;
    }
  words
      = g_strdup_printf ("it closed with %u%s%s", close_code, *reason != '\0' ? ", " : "", reason);
  /* RFC 6455 section 5.5.1: the answer carries the code that came; 1005 stands for none and is
   * never sent. */
  send_close (self, close_code == 1005 ? 1000 : close_code, "");
  be_gone (self, words);
}

static const RelaisPublisherInputHandlers input_handlers = {
  .text = take_text,
  .ping = take_ping,
  .failed = take_failed,
  .ended = take_ended,
};

/* Time */

static void
check_header (RelaisPublisher *self, gint64 now)
{
  gint64 since = relais_publisher_input_get_header_since (self->input);
  g_autoptr (GError) error = NULL;

  if (since == 0 || now - since < self->config->header_timeout_ms * 1000)
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
  gint64 last_heard = relais_publisher_input_get_last_heard (self->input);
  g_autoptr (GError) error = NULL;

  if (now - last_heard >= silent_us)
    {
      error = g_error_new (RELAIS_ERROR, RELAIS_ERROR_TIMEOUT,
                           "nothing came from the publisher for %" G_GINT64_FORMAT " ms",
                           self->config->publisher_silent_ms);
      relais_publisher_refuse (self, error);
      be_gone (self, error->message);
    }
  else if (now - last_heard >= silent_us / 3 && now - self->last_ping >= silent_us / 3
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
                             relais_stream_get_n_viewers (self->stream),
                             relais_publisher_input_get_bytes (self->input));

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
  self->last_written = self->last_stats = g_get_monotonic_time ();
  self->tick_source
      = relais_source_attach (g_timeout_source_new ((guint) get_tick_ms (config)), NULL,
                              "relais-publisher-tick", G_PRIORITY_DEFAULT, tick, self);

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
  self->input = relais_publisher_input_new (&self->connection, stream_id, self->stream, config,
                                            &input_handlers, self);
  return self;
}

void
relais_publisher_free (RelaisPublisher *self)
{
  leave_stream (self, "the server stops");
  relais_publisher_input_free (self->input);
  relais_source_clear (&self->output_source);
  relais_source_clear (&self->tick_source);
  relais_source_clear (&self->gone_source);
  relais_connection_clear (&self->connection);
  g_byte_array_unref (self->out);
  g_free (self->stream_id);
  g_free (self->address);
  g_free (self);
}
