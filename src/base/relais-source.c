/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Sources of a main context that belong to somebody: attached with a name, gone with their owner.
 */

#include "config.h"

#include "base/relais-source.h"

/**
 * relais_source_attach:
 * @source: (transfer full): a new source
 * @context: (nullable): where it runs; %NULL = the main context
 * @name: a string that stays, for debuggers
 * @priority: such as %G_PRIORITY_DEFAULT
 * @func: its callback
 * @user_data: passed to @func
 *
 * Returns: (transfer full): @source, for relais_source_clear()
 */
GSource *
relais_source_attach (GSource *source,
                      GMainContext *context,
                      const char *name,
                      int priority,
                      GSourceFunc func,
                      gpointer user_data)
{
  g_source_set_static_name (source, name);
  g_source_set_priority (source, priority);
  g_source_set_callback (source, func, user_data, NULL);
  g_source_attach (source, context);
  return source;
}

/**
 * relais_source_clear:
 * @source: (inout) (nullable): a source, attached or not; %NULL afterwards
 *
 * Its callback is not called any more, except where it runs just now on another thread.
 */
void
relais_source_clear (GSource **source)
{
  if (*source != NULL)
    g_source_destroy (*source);
  g_clear_pointer (source, g_source_unref);
}
