/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The floor: the least that a server can do to send one stream to many viewers over TCP. One
 * thread, one epoll set, one frame that is made once, one sendmsg() a viewer and tick. Whoever
 * connects is a viewer. It serves until its standard input ends. */

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

static int unit_bytes = 31250;
static int unit_ms = 100;
static int unsent_bytes = 128 * 1024;

static const GOptionEntry entries[] = {
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
accept_all (int listener, int epoll_fd, GPtrArray *peers, gsize frame_size)
{
  int fd;

  while ((fd = accept4 (listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
    {
      Peer *peer = g_new0 (Peer, 1);
      struct epoll_event event = { .events = EPOLLOUT | EPOLLET, .data.ptr = peer };

      peer->fd = fd;
      peer->done = frame_size;
      bench_set_option (fd, IPPROTO_TCP, TCP_NODELAY, 1);
      if (unsent_bytes > 0)
        bench_set_option (fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, unsent_bytes);
      epoll_ctl (epoll_fd, EPOLL_CTL_ADD, fd, &event);
      g_ptr_array_add (peers, peer);
    }
}

/* A peer that has not taken the whole of the unit before misses this one. */
static void
send_unit (GPtrArray *peers, const GByteArray *frame)
{
  for (guint i = peers->len; i > 0; i--)
    {
      Peer *peer = g_ptr_array_index (peers, i - 1);

      if (peer->done < frame->len)
        continue;
      peer->done = 0;
      if (!send_rest (peer, frame))
        {
          close (peer->fd);
          g_ptr_array_remove_index_fast (peers, i - 1);
        }
    }
}

int
main (int argc, char **argv)
{
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_autoptr (GPtrArray) peers = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GByteArray) frame = NULL;
  struct epoll_event events[MAX_EVENTS];
  struct itimerspec interval = { 0 };
  int epoll_fd = epoll_create1 (EPOLL_CLOEXEC);
  int timer = timerfd_create (CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  int listener;
  guint port;

  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, NULL))
    return 64;
  frame = make_frame ();
  listener = bench_listen (&port);
  interval.it_interval.tv_nsec = interval.it_value.tv_nsec = unit_ms * 1000000L;
  timerfd_settime (timer, 0, &interval, NULL);
  /* data: the pointer to a peer, or one of these three. */
  epoll_ctl (epoll_fd, EPOLL_CTL_ADD, listener,
             &(struct epoll_event){ .events = EPOLLIN, .data.ptr = &listener });
  epoll_ctl (epoll_fd, EPOLL_CTL_ADD, timer,
             &(struct epoll_event){ .events = EPOLLIN, .data.ptr = &timer });
  epoll_ctl (epoll_fd, EPOLL_CTL_ADD, STDIN_FILENO,
             &(struct epoll_event){ .events = EPOLLIN, .data.ptr = &epoll_fd });
  printf ("listening on http://127.0.0.1:%u/\n", port);
  fflush (stdout);

  for (;;)
    {
      int n = epoll_wait (epoll_fd, events, MAX_EVENTS, -1);
      guint64 ticks;
      gboolean is_time = FALSE;

      for (int i = 0; i < n; i++)
        {
          gpointer what = events[i].data.ptr;

          if (what == &epoll_fd)
            return 0;
          if (what == &listener)
            accept_all (listener, epoll_fd, peers, frame->len);
          else if (what == &timer)
            is_time = read (timer, &ticks, sizeof ticks) == sizeof ticks;
          else if (((Peer *) what)->done < frame->len)
            send_rest (what, frame);
        }
      if (is_time)
        send_unit (peers, frame);
    }
}
