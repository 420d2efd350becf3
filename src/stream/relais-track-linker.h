/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

/* Why a recording cannot be carried. @error: (transfer full) */
typedef void (*RelaisTrackLinkerFailFunc) (GError *error, gpointer user_data);

/* Joins the demuxer's pads to the muxer: one video and one audio track, whatever else a recording
 * has. Embedded by its pipeline; only the streaming thread uses it. */
typedef struct
{
  const char *stream_id; /* for the log; belongs to the pipeline, as the three below */
  GstBin *bin;
  GstElement *mux;
  RelaisTrackLinkerFailFunc fail;
  gpointer user_data;
  gboolean has_video, has_audio; /* a pad of the muxer was asked for */
} RelaisTrackLinker;

void relais_track_linker_take_pad (RelaisTrackLinker *self, GstPad *pad);
GArray *relais_track_linker_list_tracks (RelaisTrackLinker *self);
GstPad *relais_track_linker_get_main_pad (RelaisTrackLinker *self);

G_END_DECLS
