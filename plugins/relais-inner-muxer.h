/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "relais-mux-track.h"

G_BEGIN_DECLS

typedef struct _RelaisInnerMuxer RelaisInnerMuxer;

RelaisInnerMuxer *relais_inner_muxer_new (GstBin *bin, GstPad *srcpad);
void relais_inner_muxer_free (RelaisInnerMuxer *self);
gboolean relais_inner_muxer_start (RelaisInnerMuxer *self, GPtrArray *tracks);
gboolean relais_inner_muxer_attach (RelaisInnerMuxer *self, RelaisMuxTrack *track);
void relais_inner_muxer_detach (RelaisInnerMuxer *self, RelaisMuxTrack *track);
gboolean relais_inner_muxer_is_fit (RelaisInnerMuxer *self, GPtrArray *tracks);
void relais_inner_muxer_take_output (RelaisInnerMuxer *self, GstBuffer *buffer);
gboolean relais_inner_muxer_end_track (RelaisInnerMuxer *self,
                                       GPtrArray *tracks,
                                       RelaisMuxTrack *track,
                                       GstEvent *eos);
GstFlowReturn relais_inner_muxer_write (RelaisInnerMuxer *self,
                                        GPtrArray *tracks,
                                        RelaisMuxTrack *track,
                                        GstBuffer *buffer,
                                        guint64 time,
                                        guint64 duration,
                                        gboolean is_sync_point);
gboolean relais_inner_muxer_is_cluster_full (const RelaisInnerMuxer *self, guint64 time);
void relais_inner_muxer_cut_cluster (RelaisInnerMuxer *self);
gboolean relais_inner_muxer_begins_cluster (const RelaisInnerMuxer *self,
                                            const RelaisMuxTrack *track,
                                            guint64 time);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (RelaisInnerMuxer, relais_inner_muxer_free)

G_END_DECLS
