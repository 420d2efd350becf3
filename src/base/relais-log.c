/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The log: one line an event on standard error, stream id first, written in one system call so that
 * lines of several threads never mix. Under systemd (JOURNAL_STREAM is set) a line carries the
 * priority prefix of sd-daemon(3) and no time, because the journal has both. Control characters of
 * what a peer sent are replaced: a peer cannot forge a line. */

#include "config.h"

#include "base/relais-log.h"

#include <string.h>
#include <unistd.h>

static const struct
{
  const char *word;
  const char *journal_prefix;
} levels[] = {
  [RELAIS_LOG_ERROR] = { "error", "<3>" },
  [RELAIS_LOG_WARNING] = { "warning", "<4>" },
  [RELAIS_LOG_INFO] = { "info", "<6>" },
  [RELAIS_LOG_DEBUG] = { "debug", "<7>" },
};

/* Set once by relais_log_init() before other threads start. */
static RelaisLogLevel max_level = RELAIS_LOG_INFO;
static gboolean to_journal = FALSE;

static GLogWriterOutput
write_glib_message (GLogLevelFlags flags,
                    const GLogField *fields,
                    gsize n_fields,
                    gpointer user_data)
{
  RelaisLogLevel level = (flags & (G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL)) ? RELAIS_LOG_ERROR
                         : (flags & G_LOG_LEVEL_WARNING)                      ? RELAIS_LOG_WARNING
                                                                              : RELAIS_LOG_DEBUG;
  const char *message = "", *domain = NULL;

  for (gsize i = 0; i < n_fields; i++)
    {
      if (g_str_equal (fields[i].key, "MESSAGE"))
        message = fields[i].value;
      else if (g_str_equal (fields[i].key, "GLIB_DOMAIN"))
        domain = fields[i].value;
    }
  relais_log (level, NULL, "%s%s%s", domain != NULL ? domain : "", domain != NULL ? ": " : "",
              message);
  return G_LOG_WRITER_HANDLED;
}

/**
 * relais_log_init:
 * @level: the most detailed level to write
 *
 * Sets the level and takes over GLib's own messages. Call once, before any thread starts.
 */
void
relais_log_init (RelaisLogLevel level)
{
  max_level = level;
  to_journal = g_getenv ("JOURNAL_STREAM") != NULL;
  g_log_set_writer_func (write_glib_message, NULL, NULL);
}

/**
 * relais_log_parse_level:
 * @word: error, warning, info or debug
 * @level: (out): the level
 *
 * Returns: whether @word is one of them
 */
gboolean
relais_log_parse_level (const char *word, RelaisLogLevel *level)
{
  for (guint i = 0; i < G_N_ELEMENTS (levels); i++)
    {
      if (g_strcmp0 (word, levels[i].word) == 0)
        {
          *level = i;
          return TRUE;
        }
    }
  return FALSE;
}

gboolean
relais_log_is_enabled (RelaisLogLevel level)
{
  return level <= max_level;
}

/**
 * relais_log:
 * @level: its level
 * @stream_id: (nullable): the stream that the event belongs to; %NULL for the server itself
 * @format: a printf format and its arguments: one sentence without a full stop
 *
 * Writes one line. May be called from any thread.
 */
void
relais_log (RelaisLogLevel level, const char *stream_id, const char *format, ...)
{
  g_autoptr (GString) line = NULL;
  va_list args;
  gsize start;

  if (!relais_log_is_enabled (level))
    return;

  line = g_string_sized_new (160);
  if (to_journal)
    g_string_append (line, levels[level].journal_prefix);
  else
    {
      g_autoptr (GDateTime) now = g_date_time_new_now_local ();
      g_autofree char *time = g_date_time_format (now, "%H:%M:%S");

      g_string_append_printf (line, "%s.%03d %-7s ", time, g_date_time_get_microsecond (now) / 1000,
                              levels[level].word);
    }
  start = line->len;
  g_string_append_printf (line, "%s: ", stream_id != NULL ? stream_id : "relais");
  va_start (args, format);
  g_string_append_vprintf (line, format, args);
  va_end (args);

  for (gsize i = start; i < line->len; i++)
    if (g_ascii_iscntrl (line->str[i]))
      line->str[i] = '?';
  g_string_append_c (line, '\n');

  /* A log that cannot be written must not stop the server. */
  if (write (STDERR_FILENO, line->str, line->len) < 0)
    return;
}
