/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "stream/relais-epoch.h"

#include <json-glib/json-glib.h>

#include "base/relais-websocket-frame.h"
#include "stream/relais-track-info.h"

static char *
make_init_message (const RelaisEpoch *self)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  g_autoptr (JsonNode) root = NULL;

  json_builder_begin_object (builder);
  json_builder_set_member_name (builder, "type");
  json_builder_add_string_value (builder, "init");
  json_builder_set_member_name (builder, "epoch");
  json_builder_add_int_value (builder, self->number);
  json_builder_set_member_name (builder, "mime");
  json_builder_add_string_value (builder, self->mime);
  json_builder_set_member_name (builder, "tracks");
  json_builder_begin_array (builder);
  for (guint i = 0; i < self->tracks->len; i++)
    json_builder_add_string_value (
        builder, g_array_index (self->tracks, RelaisTrackInfo, i).is_video ? "video" : "audio");
  json_builder_end_array (builder);
  json_builder_set_member_name (builder, "bytes");
  json_builder_add_int_value (builder, (gint64) g_bytes_get_size (self->init));
  json_builder_end_object (builder);

  root = json_builder_get_root (builder);
  return json_to_string (root, FALSE);
}

/**
 * relais_epoch_new:
 * @number: its number in the stream, from 1
 * @mime: the MIME type of its init segment
 * @tracks: (element-type RelaisTrackInfo): its tracks; a reference is taken, and they must not
 * change any more
 * @init: the init segment
 *
 * Returns: (transfer full): an epoch with the frames that open it on the wire
 */
RelaisEpoch *
relais_epoch_new (guint number, const char *mime, GArray *tracks, GBytes *init)
{
  RelaisEpoch *self = g_new0 (RelaisEpoch, 1);
  g_autofree char *message = NULL;
  g_autoptr (GBytes) text = NULL;
  g_autoptr (GBytes) binary = NULL;
  GByteArray *frames = g_byte_array_new ();

  g_atomic_ref_count_init (&self->ref_count);
  self->number = number;
  self->mime = g_strdup (mime);
  self->tracks = g_array_ref (tracks);
  self->init = g_bytes_ref (init);

  message = make_init_message (self);
  text = relais_websocket_frame_new_text (message);
  binary = relais_websocket_frame_new_binary (init);
  g_byte_array_append (frames, g_bytes_get_data (text, NULL), (guint) g_bytes_get_size (text));
  g_byte_array_append (frames, g_bytes_get_data (binary, NULL), (guint) g_bytes_get_size (binary));
  self->init_frames = g_byte_array_free_to_bytes (frames);
  return self;
}

RelaisEpoch *
relais_epoch_ref (RelaisEpoch *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

void
relais_epoch_unref (RelaisEpoch *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;
  g_free (self->mime);
  g_array_unref (self->tracks);
  g_bytes_unref (self->init);
  g_bytes_unref (self->init_frames);
  g_free (self);
}
