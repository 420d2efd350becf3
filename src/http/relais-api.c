/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The JSON of /api/v1: what a stream is at this moment. docs/PROTOCOL.md describes every field. */

#include "config.h"

#include "http/relais-api.h"

#include <json-glib/json-glib.h>

#include "stream/relais-track-info.h"

static void
add_int (JsonBuilder *builder, const char *name, gint64 value)
{
  json_builder_set_member_name (builder, name);
  json_builder_add_int_value (builder, value);
}

static void
add_string (JsonBuilder *builder, const char *name, const char *value)
{
  json_builder_set_member_name (builder, name);
  if (value != NULL)
    json_builder_add_string_value (builder, value);
  else
    json_builder_add_null_value (builder);
}

static void
add_track (JsonBuilder *builder, const RelaisTrackInfo *track, const RelaisTrackCounters *counters)
{
  json_builder_begin_object (builder);
  add_string (builder, "kind", track->is_video ? "video" : "audio");
  add_string (builder, "codec", track->codec);
  if (track->is_video)
    {
      add_int (builder, "width", track->width);
      add_int (builder, "height", track->height);
    }
  else
    {
      add_int (builder, "rate", track->rate);
      add_int (builder, "channels", track->channels);
    }
  if (counters != NULL)
    {
      add_int (builder, "frames", (gint64) counters->n_frames);
      add_int (builder, "sync_points", (gint64) counters->n_sync_points);
      add_int (builder, "fillers", (gint64) counters->n_fillers);
      add_int (builder, "dropped", (gint64) counters->n_dropped);
      add_int (builder, "lifted", (gint64) counters->n_lifted);
    }
  json_builder_end_object (builder);
}

static const RelaisTrackCounters *
find_counters (const RelaisStreamInfo *info, gboolean is_video)
{
  for (guint i = 0; i < info->n_counters; i++)
    if (info->counters[i].is_video == is_video)
      return &info->counters[i];
  return NULL;
}

static void
add_tracks (JsonBuilder *builder, const RelaisStreamInfo *info)
{
  json_builder_set_member_name (builder, "tracks");
  json_builder_begin_array (builder);
  for (guint i = 0; info->epoch != NULL && i < info->epoch->tracks->len; i++)
    {
      const RelaisTrackInfo *track = &g_array_index (info->epoch->tracks, RelaisTrackInfo, i);

      add_track (builder, track, find_counters (info, track->is_video));
    }
  json_builder_end_array (builder);
}

static void
add_publisher (JsonBuilder *builder, const RelaisStreamInfo *info)
{
  json_builder_set_member_name (builder, "publisher");
  if (info->has_publisher)
    {
      g_autoptr (GDateTime) since
          = g_date_time_new_from_unix_utc (info->publisher_since / G_USEC_PER_SEC);
      g_autofree char *text = g_date_time_format_iso8601 (since);

      json_builder_begin_object (builder);
      add_string (builder, "since", text);
      json_builder_end_object (builder);
    }
  else
    json_builder_add_null_value (builder);
}

static void
add_ring (JsonBuilder *builder, const RelaisRingStats *ring)
{
  json_builder_set_member_name (builder, "ring");
  json_builder_begin_object (builder);
  add_int (builder, "bytes", (gint64) ring->bytes);
  add_int (builder, "units", ring->n_units);
  add_int (builder, "newest_age_ms", ring->newest_age_ms);
  add_int (builder, "oldest_sync_age_ms", ring->oldest_start_age_ms);
  add_int (builder, "newest_sync_age_ms", ring->newest_start_age_ms);
  add_int (builder, "sync_points_lost", (gint64) ring->n_starts_evicted);
  json_builder_end_object (builder);
}

static void
add_stream (JsonBuilder *builder, RelaisStream *stream)
{
  g_auto (RelaisStreamInfo) info = { 0 };

  relais_stream_get_info (stream, &info);
  json_builder_begin_object (builder);
  add_string (builder, "id", relais_stream_get_id (stream));
  add_string (builder, "state", relais_stream_state_get_word (info.state));
  add_int (builder, "epoch", info.epoch != NULL ? info.epoch->number : 0);
  add_string (builder, "mime", info.epoch != NULL ? info.epoch->mime : NULL);
  add_tracks (builder, &info);
  add_publisher (builder, &info);
  add_int (builder, "bytes", (gint64) info.bytes_in);
  add_int (builder, "chunks", (gint64) info.n_chunks);
  add_int (builder, "bitrate", (gint64) info.bitrate);
  add_int (builder, "keyframe_interval_ms", (gint64) info.keyframe_interval_ms);
  add_int (builder, "resyncs", (gint64) info.n_resyncs);
  add_int (builder, "skipped_bytes", (gint64) info.skipped_bytes);
  add_int (builder, "viewers", info.n_viewers);
  add_int (builder, "viewer_drops", (gint64) info.n_viewer_drops);
  add_ring (builder, &info.ring);
  json_builder_end_object (builder);
}

static char *
to_text (JsonBuilder *builder)
{
  g_autoptr (JsonNode) root = json_builder_get_root (builder);

  return json_to_string (root, TRUE);
}

/**
 * relais_api_describe_stream:
 * @stream: a stream
 *
 * Returns: (transfer full): its JSON object
 */
char *
relais_api_describe_stream (RelaisStream *stream)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();

  add_stream (builder, stream);
  return to_text (builder);
}

/**
 * relais_api_describe_streams:
 * @streams: the server's streams
 *
 * Returns: (transfer full): `{"streams":[…]}` in the order of the ids
 */
char *
relais_api_describe_streams (RelaisStreamTable *streams)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  g_autoptr (GPtrArray) list = relais_stream_table_list (streams);

  json_builder_begin_object (builder);
  json_builder_set_member_name (builder, "streams");
  json_builder_begin_array (builder);
  for (guint i = 0; i < list->len; i++)
    add_stream (builder, g_ptr_array_index (list, i));
  json_builder_end_array (builder);
  json_builder_end_object (builder);
  return to_text (builder);
}
