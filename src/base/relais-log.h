/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * RelaisLogLevel:
 * @RELAIS_LOG_ERROR: the server cannot do its work; somebody must act
 * @RELAIS_LOG_WARNING: a peer was refused or something was lost; the server goes on
 * @RELAIS_LOG_INFO: one line an event in the life of a stream, publisher or viewer
 * @RELAIS_LOG_DEBUG: each chunk and each decision
 */
typedef enum
{
  RELAIS_LOG_ERROR,
  RELAIS_LOG_WARNING,
  RELAIS_LOG_INFO,
  RELAIS_LOG_DEBUG,
} RelaisLogLevel;

void relais_log_init (RelaisLogLevel level);
gboolean relais_log_parse_level (const char *word, RelaisLogLevel *level);
gboolean relais_log_is_enabled (RelaisLogLevel level);
void relais_log (RelaisLogLevel level, const char *stream_id, const char *format, ...)
    G_GNUC_PRINTF (3, 4);

#define relais_log_error(id, ...)   relais_log (RELAIS_LOG_ERROR, id, __VA_ARGS__)
#define relais_log_warning(id, ...) relais_log (RELAIS_LOG_WARNING, id, __VA_ARGS__)
#define relais_log_info(id, ...)    relais_log (RELAIS_LOG_INFO, id, __VA_ARGS__)
#define relais_log_debug(id, ...)                                                                  \
  G_STMT_START                                                                                     \
    {                                                                                              \
      if (relais_log_is_enabled (RELAIS_LOG_DEBUG))                                                \
        relais_log (RELAIS_LOG_DEBUG, id, __VA_ARGS__);                                            \
    }                                                                                              \
  G_STMT_END

G_END_DECLS
