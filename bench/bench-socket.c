/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Loopback sockets and the few words of HTTP that both sides of the benchmarks need. What fails
 * here ends the program: a measurement with half its connections is none. */

#include "config.h"

#include "bench-socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_HEAD 8192

void
bench_set_option (int fd, int level, int option, int value)
{
  if (setsockopt (fd, level, option, &value, sizeof value) != 0)
    g_error ("setsockopt (%d, %d): %s", level, option, g_strerror (errno));
}

/**
 * bench_listen:
 * @port: (out): the port that was free
 *
 * Returns: a non-blocking listening socket on the loopback address
 */
int
bench_listen (guint *port)
{
  int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  struct sockaddr_in address
      = { .sin_family = AF_INET, .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  socklen_t size = sizeof address;

  if (fd < 0 || bind (fd, (struct sockaddr *) &address, sizeof address) != 0
      || listen (fd, 4096) != 0 || getsockname (fd, (struct sockaddr *) &address, &size) != 0)
    g_error ("cannot listen: %s", g_strerror (errno));
  *port = ntohs (address.sin_port);
  return fd;
}

/**
 * bench_connect:
 * @port: on the loopback address
 * @wait: whether to return only when it is connected; otherwise the socket is non-blocking and the
 * connection is on its way
 *
 * Returns: a socket with TCP_NODELAY
 */
int
bench_connect (guint port, gboolean wait)
{
  int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC | (wait ? 0 : SOCK_NONBLOCK), 0);
  struct sockaddr_in address = { .sin_family = AF_INET,
                                 .sin_addr.s_addr = htonl (INADDR_LOOPBACK),
                                 .sin_port = htons ((guint16) port) };

  if (fd < 0)
    g_error ("no socket: %s", g_strerror (errno));
  bench_set_option (fd, IPPROTO_TCP, TCP_NODELAY, 1);
  if (connect (fd, (struct sockaddr *) &address, sizeof address) != 0 && errno != EINPROGRESS)
    g_error ("cannot connect to port %u: %s", port, g_strerror (errno));
  return fd;
}

/**
 * bench_send_all:
 * @fd: a socket; where it is full this waits
 */
void
bench_send_all (int fd, gconstpointer data, gsize size)
{
  const char *at = data;

  while (size > 0)
    {
      gssize n = send (fd, at, size, MSG_NOSIGNAL);

      if (n < 0)
        g_error ("cannot send: %s", g_strerror (errno));
      at += n;
      size -= (gsize) n;
    }
}

/**
 * bench_make_upgrade:
 * @path: an address of the server
 *
 * Returns: (transfer full): a WebSocket handshake (RFC 6455 section 1.3, with its key)
 */
char *
bench_make_upgrade (const char *path)
{
  return g_strdup_printf ("GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
                          "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                          "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                          path);
}

/**
 * bench_read_head:
 * @fd: a blocking socket
 *
 * Returns: (transfer full): the answer's head; what follows it stays in the socket
 */
char *
bench_read_head (int fd)
{
  GString *head = g_string_new (NULL);

  while (!g_str_has_suffix (head->str, "\r\n\r\n"))
    {
      char byte;

      if (head->len > MAX_HEAD || recv (fd, &byte, 1, 0) != 1)
        g_error ("the server's answer ends early: “%s”", head->str);
      g_string_append_c (head, byte);
    }
  return g_string_free (head, FALSE);
}
