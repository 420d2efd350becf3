/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The floor: the least that a server can do to send one stream to many viewers over TCP. One frame
 * that is made once, one sendmsg() a viewer and tick. Whoever connects is a viewer. It serves until
 * its standard input ends.
 *
 * `threads` share the viewers, each with an epoll set and a clock of its own: on several cores the
 * same bytes cost more CPU than on one, so a server with N sender threads is compared with N. */

#include "config.h"

#include <errno.h>
#include <glib.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "bench-media.h"
#include "bench-socket.h"

#define MAX_EVENTS 256

typedef struct
{
  int fd;
  gsize done; /* bytes of the frame that the socket took; the size of the frame: all */
} Peer;

/* A thread and its viewers. */
typedef struct
{
  int epoll_fd;
  int timer;
  GMutex lock;      /* protects `peers`: the first thread accepts for all */
  GPtrArray *peers; /* owned Peer */
} Worker;

static int n_threads = 1;
static int unit_bytes = 31250;
static int unit_ms = 100;
static int unsent_bytes = 128 * 1024;

static const GOptionEntry entries[] = {
  { "threads", 0, 0, G_OPTION_ARG_INT, &n_threads, "Threads that share the viewers", "N" },
  { "unit-bytes", 0, 0, G_OPTION_ARG_INT, &unit_bytes, "Bytes a unit", "N" },
  { "unit-ms", 0, 0, G_OPTION_ARG_INT, &unit_ms, "Time between units", "MS" },
  { "unsent-bytes", 0, 0, G_OPTION_ARG_INT, &unsent_bytes, "TCP_NOTSENT_LOWAT; 0 = not set", "N" },
  G_OPTION_ENTRY_NULL,
};

static GByteArray *
make_frame (void)
{
  g_autoptr (BenchMedia) media = bench_media_new ((guint) unit_bytes, (guint) unit_ms, 2000);
  gsize size;
  const guint8 *chunk = bench_media_make_chunk (media, 1, &size);
  guint8 header[] = { 0x82, 126, (guint8) (size >> 8), (guint8) size };
  GByteArray *frame = g_byte_array_new ();

  g_assert (size <= G_MAXUINT16);
  g_byte_array_append (frame, header, sizeof header);
  return g_byte_array_append (frame, chunk, (guint) size);
}

/* Returns whether the peer is still there. */
static gboolean
send_rest (Peer *peer, const GByteArray *frame)
{
  struct iovec piece = { frame->data + peer->done, frame->len - peer->done };
  struct msghdr message = { .msg_iov = &piece, .msg_iovlen = 1 };
  gssize n = sendmsg (peer->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);

  if (n > 0)
    peer->done += (gsize) n;
  return n >= 0 || errno == EAGAIN;
}

static void
accept_all (int listener, Worker *workers, gsize frame_size)
{
  static guint next;
  int fd;

  while ((fd = accept4 (listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
    {
      Worker *worker = &workers[next++ % (guint) n_threads];
      Peer *peer = g_new0 (Peer, 1);
      struct epoll_event event = { .events = EPOLLOUT | EPOLLET, .data.ptr = peer };

      peer->fd = fd;
      peer->done = frame_size;
      bench_set_option (fd, IPPROTO_TCP, TCP_NODELAY, 1);
      if (unsent_bytes > 0)
        bench_set_option (fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, unsent_bytes);
      g_mutex_lock (&worker->lock);
      g_ptr_array_add (worker->peers, peer);
      g_mutex_unlock (&worker->lock);
      epoll_ctl (worker->epoll_fd, EPOLL_CTL_ADD, fd, &event);
    }
}

/* A peer that has not taken the whole of the unit before misses this one. */
static void
send_unit (Worker *worker, const GByteArray *frame)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&worker->lock);

  for (guint i = worker->peers->len; i > 0; i--)
    {
      Peer *peer = g_ptr_array_index (worker->peers, i - 1);

      if (peer->done < frame->len)
        continue;
      peer->done = 0;
      if (!send_rest (peer, frame))
        {
          close (peer->fd);
          g_ptr_array_remove_index_fast (worker->peers, i - 1);
        }
    }
}

static void
watch (Worker *worker, int fd, gpointer data)
{
  struct epoll_event event = { .events = EPOLLIN, .data.ptr = data };

  epoll_ctl (worker->epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

static void
worker_init (Worker *self)
{
  struct itimerspec interval = { 0 };

  self->epoll_fd = epoll_create1 (EPOLL_CLOEXEC);
  self->timer = timerfd_create (CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  self->peers = g_ptr_array_new_with_free_func (g_free);
  g_mutex_init (&self->lock);
  interval.it_interval.tv_nsec = interval.it_value.tv_nsec = unit_ms * 1000000L;
  timerfd_settime (self->timer, 0, &interval, NULL);
  watch (self, self->timer, &self->timer);
}

static GByteArray *frame;
static Worker *workers; /* `n_threads` of them, for as long as the process lives */
static int listener;

/* Returns only when the standard input has ended, on the first thread. */
static gpointer
run (gpointer data)
{
  Worker *self = data;
  struct epoll_event events[MAX_EVENTS];

  for (;;)
    {
      int n = epoll_wait (self->epoll_fd, events, MAX_EVENTS, -1);
      guint64 ticks;
      gboolean is_time = FALSE;

      for (int i = 0; i < n; i++)
        {
          /* A peer, or one of these three. */
          gpointer what = events[i].data.ptr;

          if (what == &workers)
            return NULL;
          if (what == &listener)
            accept_all (listener, workers, frame->len);
          else if (what == &self->timer)
            is_time = read (self->timer, &ticks, sizeof ticks) == sizeof ticks;
          else if (((Peer *) what)->done < frame->len)
            send_rest (what, frame);
        }
      if (is_time)
        send_unit (self, frame);
    }
}

int
main (int argc, char **argv)
{
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  guint port;

  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, NULL) || n_threads < 1)
    return 64;
  frame = make_frame ();
  listener = bench_listen (&port);
  workers = g_new0 (Worker, n_threads);
  for (int i = 0; i < n_threads; i++)
    worker_init (&workers[i]);
  watch (&workers[0], listener, &listener);
  watch (&workers[0], STDIN_FILENO, &workers);
  for (int i = 1; i < n_threads; i++)
    g_thread_unref (g_thread_new ("floor", run, &workers[i]));
  printf ("listening on http://127.0.0.1:%u/\n", port);
  fflush (stdout);
  run (&workers[0]);
  return 0;
}
