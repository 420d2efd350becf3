/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef enum
{
  RELAIS_PUBLISHER_CONFLICT_REJECT,
  RELAIS_PUBLISHER_CONFLICT_TAKEOVER,
} RelaisPublisherConflict;

/* Everything that an operator can set; one configuration is made at start and never changes after.
 * Keys, units, bounds and defaults stand in the table of relais-config.c, which `relais
 * --help-config` prints. */
typedef struct
{
  char **listen;
  char *tls_certificate;
  char *tls_key;
  RelaisPublisherConflict publisher_conflict;

  gint64 chunk_max_bytes;
  gint64 header_max_bytes;
  gint64 header_timeout_ms;
  gint64 publisher_silent_ms;
  gint64 republish_grace_ms;
  gint64 quiet_track_ms;
  gint64 quiet_track_drop_ms;

  gint64 ring_max_bytes;
  gint64 ring_max_ms;

  gint64 sender_threads;
  gint64 viewer_lag_ms;
  gint64 viewer_lag_bytes;
  gint64 viewer_stall_ms;
  gint64 viewer_ping_ms;
  gint64 viewer_unsent_bytes;

  gint64 streams_max;
  gint64 viewers_max;
  gint64 viewers_per_stream_max;
  gint64 viewers_per_address_max;
} RelaisConfig;

RelaisConfig *relais_config_new (void);
void relais_config_free (RelaisConfig *self);
gboolean relais_config_load_file (RelaisConfig *self, const char *path, GError **error);
gboolean relais_config_set (RelaisConfig *self, const char *key, const char *value, GError **error);
char *relais_config_describe (void);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (RelaisConfig, relais_config_free)

G_END_DECLS
