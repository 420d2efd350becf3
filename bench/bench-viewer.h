/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "bench-media.h"

G_BEGIN_DECLS

typedef enum
{
  BENCH_PROTOCOL_WEBSOCKET, /* a handshake, then frames */
  BENCH_PROTOCOL_FRAMES,    /* frames without a handshake: the floor */
  BENCH_PROTOCOL_HTTP,      /* one endless file: bytes are counted, units are not known */
} BenchProtocol;

typedef struct _BenchViewer BenchViewer;

/* A unit of the synthetic recording arrived: its mark's number, its size in bytes, and when. */
typedef void (*BenchViewerUnitFunc) (BenchViewer *viewer,
                                     guint64 number,
                                     guint64 size,
                                     gint64 arrived_ns,
                                     gpointer user_data);

struct _BenchViewer
{
  int fd; /* -1 once it is closed */
  BenchProtocol protocol;
  const char *path;
  BenchViewerUnitFunc unit_func;
  gpointer user_data;
  gboolean has_stamps; /* the kernel tells when bytes arrived */

  gint64 connect_ns;  /* when connecting began */
  gint64 open_ns;     /* handshake's answer complete; 0 = not yet */
  gint64 init_ns;     /* first byte of the init segment */
  gint64 keyframe_ns; /* first byte of the first unit */
  gboolean failed;    /* refused, or closed by the server */
  char failure[96];

  guint64 bytes;   /* all that came after the handshake */
  guint64 n_units; /* units whose first bytes came */
  guint64 first;   /* number of the first */
  guint64 last;    /* number of the newest */
  guint64 n_gaps;  /* times that a number did not follow the one before */
  guint64 n_drops; /* `drop` messages */

  /* Where it is in the stream of frames. */
  gboolean sent_request;
  guint8 window[BENCH_MEDIA_MARK_WINDOW]; /* the first bytes of a frame: head and payload */
  gsize window_size;
  guint64 frame_size; /* with its head; 0 = head not complete */
  guint64 frame_done;
  gboolean looked; /* this frame's window was looked at */
};

void bench_viewer_connect (BenchViewer *self,
                           guint port,
                           BenchProtocol protocol,
                           const char *path,
                           gboolean stamps);
void bench_viewer_close (BenchViewer *self);
void bench_viewer_write (BenchViewer *self);
void bench_viewer_read (BenchViewer *self);

G_END_DECLS
