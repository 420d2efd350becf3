/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "base/relais-config.h"
#include "stream/relais-media-ring.h"
#include "stream/relais-recordings.h"

G_BEGIN_DECLS

typedef struct _RelaisStream RelaisStream;

typedef enum
{
  RELAIS_STREAM_WAITING,     /* never had a publisher's header */
  RELAIS_STREAM_LIVE,        /* media flows or may flow */
  RELAIS_STREAM_INTERRUPTED, /* the publisher went away and may come back */
  RELAIS_STREAM_ENDED,       /* it did not come back in time */
} RelaisStreamState;

/* What a publisher is to its stream. */
typedef struct
{
  /* On the main context: a newer publisher takes the stream over. The publisher must leave. */
  void (*replaced) (gpointer publisher);
} RelaisPublisherHandlers;

/* A picture of a stream for the API, owned by the caller. */
typedef struct
{
  RelaisStreamState state;
  RelaisEpoch *epoch; /* nullable */
  gboolean has_publisher;
  gint64 publisher_since; /* g_get_real_time(), µs */
  guint64 bytes_in;
  guint64 n_chunks;
  guint64 bitrate; /* bits a second, over the last seconds */
  guint64 keyframe_interval_ms;
  guint n_viewers;
  guint64 n_viewer_drops;
  guint64 n_resyncs;
  guint64 skipped_bytes;
  RelaisRingStats ring;
  RelaisTrackCounters counters[RELAIS_MAX_TRACKS];
  guint n_counters;
} RelaisStreamInfo;

RelaisStream *relais_stream_new (const char *id, const RelaisConfig *config);
void relais_stream_free (RelaisStream *self);
const char *relais_stream_get_id (RelaisStream *self);
RelaisMediaRing *relais_stream_get_ring (RelaisStream *self);
RelaisStreamState relais_stream_get_state (RelaisStream *self);
const char *relais_stream_state_get_word (RelaisStreamState state);
gboolean relais_stream_is_idle (RelaisStream *self);
void relais_stream_get_info (RelaisStream *self, RelaisStreamInfo *info);
void relais_stream_info_clear (RelaisStreamInfo *info);

gboolean relais_stream_attach_publisher (RelaisStream *self,
                                         const RelaisPublisherHandlers *handlers,
                                         gpointer publisher,
                                         GError **error);
void relais_stream_detach_publisher (RelaisStream *self, gpointer publisher, const char *reason);
gboolean relais_stream_begin_recording (RelaisStream *self, GError **error);
gboolean relais_stream_push (RelaisStream *self, GBytes *bytes, gboolean ends_unit, GError **error);
void relais_stream_count_chunk (RelaisStream *self, gsize size);
void relais_stream_count_resync (RelaisStream *self, guint64 skipped_bytes);

void relais_stream_add_viewer (RelaisStream *self);
void relais_stream_remove_viewer (RelaisStream *self);
guint relais_stream_get_n_viewers (RelaisStream *self);
void relais_stream_count_drop (RelaisStream *self);

void relais_stream_set_idle_func (RelaisStream *self,
                                  void (*func) (RelaisStream *, gpointer),
                                  gpointer user_data);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (RelaisStream, relais_stream_free)
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (RelaisStreamInfo, relais_stream_info_clear)

G_END_DECLS
