/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A viewer that costs as little as it can, since it shares the machine with what is measured: of
 * each frame only the first bytes are read; the kernel throws the rest away (MSG_TRUNC, tcp(7)),
 * which spares the copy. */

#include "config.h"

#include "bench-viewer.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench-measure.h"
#include "bench-socket.h"

#define OPCODE_TEXT   1
#define OPCODE_BINARY 2
#define OPCODE_CLOSE  8

#define MAX_HEAD     4096
#define DISCARD_SIZE (1024 * 1024)
/* A viewer that catches up lets others read after so many system calls. */
#define MAX_READS 64

/**
 * bench_viewer_connect:
 * @self: a zeroed viewer, or a closed one; the counters begin anew
 * @port: of the server
 * @protocol: how it speaks
 * @path: must outlive the viewer
 * @stamps: whether the kernel has to tell when bytes arrived
 *
 * Begins to connect without waiting. The caller watches the socket and calls bench_viewer_write()
 * when it is writable for the first time, bench_viewer_read() when it is readable.
 */
void
bench_viewer_connect (BenchViewer *self,
                      guint port,
                      BenchProtocol protocol,
                      const char *path,
                      gboolean stamps)
{
  BenchViewerUnitFunc unit_func = self->unit_func;
  gpointer user_data = self->user_data;

  memset (self, 0, sizeof *self);
  self->unit_func = unit_func;
  self->user_data = user_data;
  self->protocol = protocol;
  self->path = path;
  self->has_stamps = stamps;
  self->connect_ns = bench_now_ns ();
  self->fd = bench_connect (port, FALSE);
  if (stamps)
    bench_set_option (self->fd, SOL_SOCKET, SO_TIMESTAMPNS, 1);
}

void
bench_viewer_close (BenchViewer *self)
{
  if (self->fd >= 0)
    close (self->fd);
  self->fd = -1;
}

static void
fail (BenchViewer *self, const char *reason)
{
  self->failed = TRUE;
  g_strlcpy (self->failure, reason, sizeof self->failure);
  bench_viewer_close (self);
}

/**
 * bench_viewer_write:
 * @self: a viewer whose socket has become writable
 *
 * Sends its request.
 */
void
bench_viewer_write (BenchViewer *self)
{
  g_autofree char *request = NULL;
  gsize size;

  if (self->sent_request || self->fd < 0)
    return;
  self->sent_request = TRUE;
  switch (self->protocol)
    {
    case BENCH_PROTOCOL_WEBSOCKET:
      request = bench_make_upgrade (self->path);
      break;
    case BENCH_PROTOCOL_HTTP:
      request = g_strdup_printf ("GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", self->path);
      break;
    case BENCH_PROTOCOL_FRAMES:
    default:
      self->open_ns = bench_now_ns ();
      return;
    }
  size = strlen (request);
  if (send (self->fd, request, size, MSG_NOSIGNAL) != (gssize) size)
    fail (self, g_strerror (errno));
}

/* The answer's head is looked at before it is taken, so that nothing behind it is. Returns whether
 * it is complete. */
static gboolean
read_head (BenchViewer *self)
{
  char head[MAX_HEAD];
  gssize n = recv (self->fd, head, sizeof head, MSG_PEEK);
  const char *end, *status;

  if (n <= 0)
    {
      if (n == 0 || errno != EAGAIN)
        fail (self, n == 0 ? "closed in the handshake" : g_strerror (errno));
      return FALSE;
    }
  end = memmem (head, (gsize) n, "\r\n\r\n", 4);
  if (end == NULL)
    return FALSE;
  status = self->protocol == BENCH_PROTOCOL_WEBSOCKET ? " 101 " : " 200 ";
  if (memmem (head, MIN ((gsize) n, 16), status, 5) == NULL)
    {
      head[MIN (n, 48)] = '\0';
      fail (self, head);
      return FALSE;
    }
  recv (self->fd, head, (gsize) (end + 4 - head), 0);
  self->open_ns = bench_now_ns ();
  return TRUE;
}

/* Reads, with the time at which the bytes arrived. */
static gssize
receive (BenchViewer *self, gpointer buffer, gsize size, gint64 *arrived_ns)
{
  union
  {
    char space[CMSG_SPACE (sizeof (struct timespec))];
    struct cmsghdr align;
  } control;
  struct iovec piece = { buffer, size };
  struct msghdr message = { .msg_iov = &piece,
                            .msg_iovlen = 1,
                            .msg_control = self->has_stamps ? control.space : NULL,
                            .msg_controllen = self->has_stamps ? sizeof control.space : 0 };
  gssize n = recvmsg (self->fd, &message, 0);

  *arrived_ns = 0;
  if (n <= 0 || !self->has_stamps)
    return n;
  for (struct cmsghdr *c = CMSG_FIRSTHDR (&message); c != NULL; c = CMSG_NXTHDR (&message, c))
    if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_TIMESTAMPNS)
      {
        struct timespec stamp;

        memcpy (&stamp, CMSG_DATA (c), sizeof stamp);
        *arrived_ns = stamp.tv_sec * G_GINT64_CONSTANT (1000000000) + stamp.tv_nsec;
      }
  return n;
}

/* Called once a frame, when its window is full or the frame is complete. */
static void
look_at_frame (BenchViewer *self, gint64 arrived_ns)
{
  guint8 opcode = self->window[0] & 0x0F;
  gint64 now = arrived_ns != 0 ? arrived_ns : bench_now_ns ();
  guint64 number;

  self->looked = TRUE;
  if (opcode == OPCODE_CLOSE)
    fail (self, "closed by the server");
  else if (opcode == OPCODE_TEXT)
    self->n_drops += memmem (self->window, self->window_size, "\"drop\"", 6) != NULL;
  if (opcode != OPCODE_BINARY)
    return;
  if (!bench_media_find_mark (self->window, self->window_size, &number))
    {
      if (self->init_ns == 0)
        self->init_ns = now;
      return;
    }
  if (self->n_units++ == 0)
    {
      self->keyframe_ns = now;
      self->first = number;
    }
  else if (number != self->last + 1)
    self->n_gaps++;
  self->last = number;
  if (self->unit_func != NULL)
    self->unit_func (self, number, self->frame_size, now, self->user_data);
}

/* RFC 6455 section 5.2; servers do not mask. */
static void
parse_head (BenchViewer *self)
{
  const guint8 *w = self->window;
  guint length;

  if (self->window_size < 2)
    return;
  length = w[1] & 0x7F;
  if (length < 126)
    self->frame_size = 2 + length;
  else if (length == 126 && self->window_size >= 4)
    self->frame_size = 4 + ((guint64) w[2] << 8 | w[3]);
  else if (length == 127 && self->window_size >= 10)
    {
      guint64 size;

      memcpy (&size, w + 2, sizeof size);
      self->frame_size = 10 + GUINT64_FROM_BE (size);
    }
}

/* Takes bytes of the stream of frames: they fill the window of the frame they belong to. */
static void
feed (BenchViewer *self, const guint8 *data, gsize size, gint64 arrived_ns)
{
  while (size > 0 && self->fd >= 0)
    {
      gsize n = 1;

      /* A head goes byte by byte: only then is it known where the frame ends. */
      if (self->frame_size != 0)
        n = (gsize) MIN (size, self->frame_size - self->frame_done);
      if (self->window_size < sizeof self->window)
        {
          gsize taken = MIN (n, sizeof self->window - self->window_size);

          memcpy (self->window + self->window_size, data, taken);
          self->window_size += taken;
        }
      self->frame_done += n;
      data += n;
      size -= n;
      if (self->frame_size == 0)
        parse_head (self);
      if (self->frame_size == 0)
        continue;
      if (!self->looked && self->window_size == MIN (self->frame_size, sizeof self->window))
        look_at_frame (self, arrived_ns);
      if (self->frame_done == self->frame_size)
        {
          self->frame_size = self->frame_done = self->window_size = 0;
          self->looked = FALSE;
        }
    }
}

static void
read_frames (BenchViewer *self)
{
  for (guint i = 0; i < MAX_READS && self->fd >= 0; i++)
    {
      guint8 buffer[BENCH_MEDIA_MARK_WINDOW];
      gint64 arrived_ns = 0;
      gsize rest = (gsize) (self->looked ? self->frame_size - self->frame_done : 0);
      gssize n;

      if (rest > 0)
        n = recv (self->fd, NULL, MIN (rest, DISCARD_SIZE), MSG_TRUNC);
      else
        n = receive (self, buffer, sizeof buffer, &arrived_ns);
      if (n <= 0)
        {
          if (n == 0 || errno != EAGAIN)
            fail (self, n == 0 ? "closed by the server" : g_strerror (errno));
          return;
        }
      self->bytes += (guint64) n;
      if (rest == 0)
        {
          feed (self, buffer, (gsize) n, arrived_ns);
          continue;
        }
      self->frame_done += (guint64) n;
      if ((gsize) n < rest)
        return;
      self->frame_size = self->frame_done = self->window_size = 0;
      self->looked = FALSE;
      /* Most often this was all; if not, the socket stays readable. */
      return;
    }
}

static void
discard (BenchViewer *self)
{
  gssize n = recv (self->fd, NULL, DISCARD_SIZE, MSG_TRUNC);

  if (n > 0)
    {
      if (self->bytes == 0)
        self->init_ns = self->keyframe_ns = bench_now_ns ();
      self->bytes += (guint64) n;
    }
  else if (n == 0 || errno != EAGAIN)
    fail (self, n == 0 ? "closed by the server" : g_strerror (errno));
}

/**
 * bench_viewer_read:
 * @self: a viewer whose socket is readable
 */
void
bench_viewer_read (BenchViewer *self)
{
  if (self->fd < 0)
    return;
  if (self->open_ns == 0 && !read_head (self))
    return;
  if (self->protocol == BENCH_PROTOCOL_HTTP)
    discard (self);
  else
    read_frames (self);
}
