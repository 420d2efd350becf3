/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct
{
  guint number;
  char *codec_id;
  gboolean is_video;
  guint64 codec_delay; /* ns */
} RelaisTestTrack;

typedef struct
{
  guint header;  /* how many EBML headers came before it */
  guint cluster; /* how many Clusters, its own included */
  gboolean opens_cluster;
  gint64 cluster_time; /* ms */
  guint track;
  gint64 time;     /* ms, on the timeline of the file */
  gboolean is_key; /* what the block claims */
  gint64 duration; /* ms; 0 = it says none */
  GBytes *payload;
} RelaisTestBlock;

/* What was read so far. */
typedef struct
{
  char *doc_type;  /* of the newest header */
  GArray *tracks;  /* RelaisTestTrack of the newest header */
  GArray *blocks;  /* RelaisTestBlock of all of them, as written */
  guint n_headers; /* EBML headers */
  guint n_clusters;
  gint64 cluster_time;
  gboolean opened;       /* the newest Cluster has no block yet */
  RelaisTestBlock group; /* what the newest group says of its block */
} RelaisTestMedia;

RelaisTestMedia *relais_test_media_new (void);
void relais_test_media_free (RelaisTestMedia *self);
void relais_test_media_append (RelaisTestMedia *self, gconstpointer data, gsize size);
const RelaisTestBlock *relais_test_media_get_block (const RelaisTestMedia *self, guint index);
guint relais_test_media_get_track (const RelaisTestMedia *self, const char *codec_id);
GArray *relais_test_media_list_times (const RelaisTestMedia *self, const char *codec_id);
void relais_test_media_assert_in_order (const RelaisTestMedia *self);
void relais_test_media_assert_payloads (const RelaisTestMedia *self,
                                        const char *codec_id,
                                        GPtrArray *frames,
                                        guint first);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (RelaisTestMedia, relais_test_media_free)

G_END_DECLS
