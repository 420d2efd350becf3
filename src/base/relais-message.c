/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "base/relais-message.h"

#include <json-glib/json-glib.h>

#include "base/relais-error.h"

/**
 * relais_message_new_error:
 * @error: an error of any domain
 *
 * Returns: (transfer full): the JSON text `{"type":"error","code":…,"message":…}`, which is sent
 * before a close
 */
char *
relais_message_new_error (const GError *error)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  g_autoptr (JsonNode) root = NULL;

  json_builder_begin_object (builder);
  json_builder_set_member_name (builder, "type");
  json_builder_add_string_value (builder, "error");
  json_builder_set_member_name (builder, "code");
  json_builder_add_string_value (builder, relais_error_get_code (error));
  json_builder_set_member_name (builder, "message");
  json_builder_add_string_value (builder, error->message);
  json_builder_end_object (builder);
  root = json_builder_get_root (builder);
  return json_to_string (root, FALSE);
}
