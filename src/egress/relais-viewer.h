/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

#include "egress/relais-unit-batch.h"
#include "stream/relais-stream.h"

G_BEGIN_DECLS

typedef struct _RelaisViewer RelaisViewer;

/* Where a sender thread keeps the viewer; the viewer itself does not use it. */
typedef struct
{
  guint index;       /* among its group's viewers */
  gboolean is_ready; /* it waits for its next turn */
} RelaisViewerPlace;

/* What a viewer's turn left behind. */
typedef enum
{
  RELAIS_VIEWER_IDLE,    /* everything is written; wake it for new units or input */
  RELAIS_VIEWER_BLOCKED, /* the socket is full; wake it when it is writable */
  RELAIS_VIEWER_MORE,    /* it used up its turn and has more to write */
  RELAIS_VIEWER_GONE,    /* the connection is over: free it */
} RelaisViewerResult;

RelaisViewer *relais_viewer_new (RelaisStream *stream,
                                 GIOStream *io,
                                 int fd,
                                 const char *address,
                                 const RelaisConfig *config);
void relais_viewer_free (RelaisViewer *self);
void relais_viewer_refuse (RelaisViewer *self, const GError *error);
void relais_viewer_start (RelaisViewer *self);
RelaisViewerResult relais_viewer_read (RelaisViewer *self);
RelaisViewerResult relais_viewer_write (RelaisViewer *self);
RelaisViewerResult relais_viewer_write_batch (RelaisViewer *self, const RelaisUnitBatch *batch);
void relais_viewer_prefetch (const RelaisViewer *self);
RelaisViewerResult relais_viewer_check_time (RelaisViewer *self, gint64 now);
void relais_viewer_close (RelaisViewer *self, guint16 code, const char *reason);
gboolean relais_viewer_is_blocked (const RelaisViewer *self);
RelaisStream *relais_viewer_get_stream (const RelaisViewer *self);
const char *relais_viewer_get_address (const RelaisViewer *self);
int relais_viewer_get_fd (const RelaisViewer *self);
void relais_viewer_log_left (RelaisViewer *self, guint n_left);

RelaisViewerPlace *relais_viewer_get_place (RelaisViewer *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (RelaisViewer, relais_viewer_free)

G_END_DECLS
