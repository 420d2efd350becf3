/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A publisher: sends a recording's chunks, each as one WebSocket message or as a piece of an
 * endless HTTP PUT. Sends block: a server that does not keep up slows its publisher down. */

#include "config.h"

#include "bench-source.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "bench-socket.h"

/* RFC 6455 section 5.2: 2 bytes, 8 of length, 4 of masking key. */
#define FRAME_HEADER 14

struct _BenchSource
{
  BenchMedia *media; /* outlives the source */
  int fd;
  gboolean is_websocket;
  guint64 next; /* number of the next chunk */
};

/* The masking key is 0: the server unmasks it as any other, and the load costs less. */
static void
send_message (BenchSource *self, const guint8 *data, gsize size)
{
  guint8 header[FRAME_HEADER] = { 0x82, 0x80 | 127 };
  struct iovec pieces[] = { { header, sizeof header }, { (gpointer) data, size } };
  struct msghdr message = { .msg_iov = pieces, .msg_iovlen = G_N_ELEMENTS (pieces) };
  guint64 length = GUINT64_TO_BE (size);
  gssize n;

  if (size <= G_MAXUINT16)
    {
      header[6] = 0x82;
      header[7] = 0x80 | 126;
      header[8] = (guint8) (size >> 8);
      header[9] = (guint8) size;
      pieces[0] = (struct iovec){ header + 6, sizeof header - 6 };
    }
  else
    memcpy (header + 2, &length, sizeof length);

  n = sendmsg (self->fd, &message, MSG_NOSIGNAL);
  if (n != (gssize) (pieces[0].iov_len + size))
    g_error ("a chunk cannot be sent: %s", n < 0 ? g_strerror (errno) : "the server is gone");
}

/**
 * bench_source_new_websocket:
 * @port: of the server
 * @path: where to publish
 * @media: what; must outlive the source
 *
 * Returns: (transfer full): a source that is connected and has sent the recording's header
 */
BenchSource *
bench_source_new_websocket (guint port, const char *path, BenchMedia *media)
{
  BenchSource *self = g_new0 (BenchSource, 1);
  g_autofree char *upgrade = bench_make_upgrade (path);
  g_autofree char *head = NULL;
  g_autoptr (GBytes) header = bench_media_make_header (media);

  self->media = media;
  self->is_websocket = TRUE;
  self->fd = bench_connect (port, TRUE);
  bench_send_all (self->fd, upgrade, strlen (upgrade));
  head = bench_read_head (self->fd);
  if (!g_str_has_prefix (head, "HTTP/1.1 101"))
    g_error ("the publisher is refused: %s", head);
  send_message (self, g_bytes_get_data (header, NULL), g_bytes_get_size (header));
  return self;
}

/**
 * bench_source_new_put:
 * @port: of the server
 * @path: where to publish
 * @credentials: user:password
 * @media: what; must outlive the source
 *
 * Returns: (transfer full): as bench_source_new_websocket(), over HTTP PUT as Icecast takes it
 */
BenchSource *
bench_source_new_put (guint port, const char *path, const char *credentials, BenchMedia *media)
{
  BenchSource *self = g_new0 (BenchSource, 1);
  g_autofree char *encoded = g_base64_encode ((const guint8 *) credentials, strlen (credentials));
  g_autofree char *request = g_strdup_printf (
      "PUT %s HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Basic %s\r\n"
      "Content-Type: video/webm\r\nIce-Public: 0\r\nExpect: 100-continue\r\n\r\n",
      path, encoded);
  g_autofree char *head = NULL;
  g_autoptr (GBytes) header = bench_media_make_header (media);

  self->media = media;
  self->fd = bench_connect (port, TRUE);
  bench_send_all (self->fd, request, strlen (request));
  head = bench_read_head (self->fd);
  if (strstr (head, " 100 ") == NULL && strstr (head, " 200 ") == NULL)
    g_error ("the source is refused: %s", head);
  bench_send_all (self->fd, g_bytes_get_data (header, NULL), g_bytes_get_size (header));
  return self;
}

void
bench_source_free (BenchSource *self)
{
  close (self->fd);
  g_free (self);
}

/**
 * bench_source_get_next:
 * @self: a source
 *
 * Returns: the number that the next chunk has
 */
guint64
bench_source_get_next (BenchSource *self)
{
  return self->next;
}

/**
 * bench_source_send_chunk:
 * @self: a source
 *
 * Sends the next chunk, and lets go of what the server said meanwhile.
 *
 * Returns: its size
 */
gsize
bench_source_send_chunk (BenchSource *self)
{
  gsize size;
  const guint8 *chunk = bench_media_make_chunk (self->media, self->next++, &size);

  if (self->is_websocket)
    send_message (self, chunk, size);
  else
    bench_send_all (self->fd, chunk, size);
  if (recv (self->fd, NULL, 65536, MSG_DONTWAIT | MSG_TRUNC) == 0)
    g_error ("the server closed the publisher's connection");
  return size;
}
