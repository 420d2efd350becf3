/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A connection that was taken over after its handshake, never blocking.
 *
 * TLS is read and written through GIO's pollable streams. Plain TCP, which is where thousands of
 * viewers are, goes straight to the descriptor: with 31 KB units GIO's own layers were 5 % of all
 * CPU of a server that does nothing but write, and a pollable stream's source costs the main loop
 * six system calls a dispatch. This file is the only place that knows the difference.
 *
 * Belongs to its owner's thread. */

#include "config.h"

#include "base/relais-connection.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#define MAX_PIECES 32 /* of one write through TLS; what is more is written by the next one */

/* Whether bytes that are written to @output reach the socket as they are. libsoup hands out its
 * connection's own output stream, with nothing in between; GIO's type for a socket's is private, so
 * it is known by its name. Anything else goes through its stream, which is always right. */
static gboolean
writes_to_socket (GPollableOutputStream *output)
{
  GType type = g_type_from_name ("GSocketOutputStream");

  return type != 0 && g_type_is_a (G_OBJECT_TYPE (output), type);
}

/**
 * relais_connection_init:
 * @self: (out caller-allocates): an uninitialised connection
 * @io: (transfer full): the streams
 * @fd: their socket, which @io keeps open
 */
void
relais_connection_init (RelaisConnection *self, GIOStream *io, int fd)
{
  *self = (RelaisConnection){
    .io = io,
    .input = G_POLLABLE_INPUT_STREAM (g_io_stream_get_input_stream (io)),
    .output = G_POLLABLE_OUTPUT_STREAM (g_io_stream_get_output_stream (io)),
    .fd = fd,
  };
  self->is_plain = writes_to_socket (self->output);
}

/* Closes it; may be called again. */
void
relais_connection_clear (RelaisConnection *self)
{
  if (self->io != NULL)
    g_io_stream_close (self->io, NULL, NULL);
  g_clear_object (&self->io);
}

static gssize
take_errno (GError **error)
{
  int code = errno;

  if (code == EAGAIN)
    return RELAIS_CONNECTION_WOULD_BLOCK;
  g_set_error_literal (error, G_IO_ERROR, g_io_error_from_errno (code), strerrordesc_np (code));
  return -1;
}

static gssize
take_error (GError *failure, GError **error)
{
  if (g_error_matches (failure, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK))
    {
      g_error_free (failure);
      return RELAIS_CONNECTION_WOULD_BLOCK;
    }
  g_propagate_error (error, failure);
  return -1;
}

static gssize
read_stream (RelaisConnection *self, const struct iovec *pieces, guint n_pieces, GError **error)
{
  GError *failure = NULL;
  guint first = 0;
  gssize n;

  while (first + 1 < n_pieces && pieces[first].iov_len == 0)
    first++;
  n = g_pollable_input_stream_read_nonblocking (self->input, pieces[first].iov_base,
                                                pieces[first].iov_len, NULL, &failure);
  if (n >= 0)
    return n;
  n = take_error (failure, error);
  /* libsoup has read from the socket what came right behind the handshake; it is out now. */
  self->is_bare = self->is_plain && n == RELAIS_CONNECTION_WOULD_BLOCK;
  return n;
}

/**
 * relais_connection_read:
 * @self: a connection
 * @pieces: where the bytes go, filled one after the other; not all of them empty
 * @n_pieces: how many
 * @error: a #GIOErrorEnum
 *
 * May fill less than is there: only %RELAIS_CONNECTION_WOULD_BLOCK says that nothing is left.
 *
 * Returns: bytes read, 0 at the connection's end, %RELAIS_CONNECTION_WOULD_BLOCK, or -1 with @error
 * set
 */
gssize
relais_connection_read (RelaisConnection *self,
                        const struct iovec *pieces,
                        guint n_pieces,
                        GError **error)
{
  struct msghdr message = { .msg_iov = (struct iovec *) pieces, .msg_iovlen = n_pieces };
  gssize n;

  if (!self->is_bare)
    return read_stream (self, pieces, n_pieces, error);
  do
    n = recvmsg (self->fd, &message, MSG_DONTWAIT);
  while (n < 0 && errno == EINTR);
  return n >= 0 ? n : take_errno (error);
}

static gssize
write_stream (RelaisConnection *self, const struct iovec *pieces, guint n_pieces, GError **error)
{
  GOutputVector vectors[MAX_PIECES];
  GError *failure = NULL;
  gsize written = 0;

  n_pieces = MIN (n_pieces, MAX_PIECES);
  for (guint i = 0; i < n_pieces; i++)
    vectors[i] = (GOutputVector){ .buffer = pieces[i].iov_base, .size = pieces[i].iov_len };
  switch (g_pollable_output_stream_writev_nonblocking (self->output, vectors, n_pieces, &written,
                                                       NULL, &failure))
    {
    case G_POLLABLE_RETURN_OK:
      return (gssize) written;
    case G_POLLABLE_RETURN_WOULD_BLOCK:
      return RELAIS_CONNECTION_WOULD_BLOCK;
    case G_POLLABLE_RETURN_FAILED:
    default:
      return take_error (failure, error);
    }
}

/**
 * relais_connection_write:
 * @self: a connection
 * @pieces: what to write, one after the other
 * @n_pieces: how many, at least one
 * @error: a #GIOErrorEnum
 *
 * Returns: bytes written, which may be less than all of them, %RELAIS_CONNECTION_WOULD_BLOCK, or -1
 * with @error set
 */
gssize
relais_connection_write (RelaisConnection *self,
                         const struct iovec *pieces,
                         guint n_pieces,
                         GError **error)
{
  struct msghdr message = { .msg_iov = (struct iovec *) pieces, .msg_iovlen = n_pieces };
  gssize n;

  if (!self->is_plain)
    return write_stream (self, pieces, n_pieces, error);
  do
    n = sendmsg (self->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  while (n < 0 && errno == EINTR);
  return n >= 0 ? n : take_errno (error);
}

/* Sources */

typedef struct
{
  GSource source;
  RelaisConnection *connection; /* not owned: outlives the source */
} ConnectionSource;

static gboolean
dispatch (GSource *source, GSourceFunc func, gpointer user_data)
{
  /* Ready without the socket as long as something may have been read ahead. */
  if (((ConnectionSource *) source)->connection->is_bare && g_source_get_ready_time (source) >= 0)
    g_source_set_ready_time (source, -1);
  return func (user_data);
}

static GSourceFuncs source_funcs = { .dispatch = dispatch };

static void
add_child (GSource *source, GSource *child)
{
  g_source_set_dummy_callback (child);
  g_source_add_child_source (source, child);
  g_source_unref (child);
}

/**
 * relais_connection_new_source:
 * @self: a connection, which must outlive the source
 * @condition: %G_IO_IN or %G_IO_OUT
 *
 * Its callback is a #GSourceFunc. It is level-triggered: whoever leaves something unread is called
 * again.
 *
 * Returns: (transfer full): a source that is ready when the connection can be read or written
 */
GSource *
relais_connection_new_source (RelaisConnection *self, GIOCondition condition)
{
  GSource *source = g_source_new (&source_funcs, sizeof (ConnectionSource));

  ((ConnectionSource *) source)->connection = self;
  /* Nothing here runs a main loop within a callback. A source that may not recurse is taken out of
   * the poll set and put back around each dispatch, and the loop is woken for both. */
  g_source_set_can_recurse (source, TRUE);
  if (!self->is_plain && condition == G_IO_IN)
    add_child (source, g_pollable_input_stream_create_source (self->input, NULL));
  else if (!self->is_plain)
    add_child (source, g_pollable_output_stream_create_source (self->output, NULL));
  else
    g_source_add_unix_fd (source, self->fd, condition);
  /* What was read ahead shows in no socket. */
  if (self->is_plain && !self->is_bare && condition == G_IO_IN)
    g_source_set_ready_time (source, 0);
  return source;
}
