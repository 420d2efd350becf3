/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gst/gst.h>

#include "relais-append-gap.h"
#include "relais-repeat-frame.h"
#include "relais-sound-clock.h"
#include "relais-sync-point.h"
#include "relais-timeline.h"

G_BEGIN_DECLS

/* One sink pad of livematroskamux. Everything is protected by the mux's lock. */
typedef struct
{
  GstPad *pad;      /* the bin's ghost pad; owned by the bin */
  GstPad *internal; /* its proxy, which pushes into the muxer's pad; owned by @pad */
  GstPad *target;   /* owned: the request pad of the inner muxer */
  gboolean is_video;

  RelaisCodec codec;     /* from the caps; UNKNOWN until they came */
  guint nal_length_size; /* H.264 only */
  gboolean has_caps;
  GstSegment segment; /* as upstream sent it; the muxer sees a plain one */

  RelaisTrackTime time;
  RelaisSoundClock sound; /* Opus only */
  RelaisAppendGap gap;
  RelaisRepeatFrame *repeat; /* owned; NULL for a codec that has no filler */
  guint64 duration;          /* of the last audio packet in ns; 0 = not known */
  gboolean started;          /* a block was written (of video: a sync point) */
  gboolean filling;          /* it is quiet: fillers are laid until a real block comes */
  gboolean in_cluster;       /* the newest Cluster has a block of it */
  gboolean eos;
  gboolean wants_to_leave; /* it is quiet and has no filler: the next epoch goes without it */
  gboolean has_left;       /* this epoch goes without it */
  GstEvent *new_caps;      /* owned: caps that only the next muxer may see; NULL = none */

  guint64 n_frames;      /* real ones written */
  guint64 n_sync_points; /* of those */
  guint64 n_fillers;     /* written beside the real ones */
  guint64 n_dropped;     /* video frames before the first sync point: nothing can decode them */
  guint64 n_lifted;      /* frames that were late and got a later time */
  guint64 n_misflagged;  /* frames whose container flag and bitstream differ */
} RelaisMuxTrack;

RelaisMuxTrack *relais_mux_track_new (GstPad *pad, gboolean is_video);
void relais_mux_track_free (RelaisMuxTrack *self);
void relais_mux_track_set_caps (RelaisMuxTrack *self, const GstCaps *caps);
void relais_mux_track_reset (RelaisMuxTrack *self);
gboolean relais_mux_track_is_webm (const RelaisMuxTrack *self);
void relais_mux_track_smooth (RelaisMuxTrack *self, GstBuffer *buffer);
gboolean relais_mux_track_inspect (RelaisMuxTrack *self, GstBuffer *buffer);
GstBuffer *relais_mux_track_make_filler (RelaisMuxTrack *self);
GstStructure *relais_mux_track_get_stats (const RelaisMuxTrack *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (RelaisMuxTrack, relais_mux_track_free)

G_END_DECLS
