/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The GStreamer plugin `relais`: loaded by gst-launch from GST_PLUGIN_PATH, or registered from
 * within the server. */

#include "config.h"

#include "relais-plugin.h"

#include "relais-live-matroska-mux.h"

#ifndef PACKAGE
#define PACKAGE "relais"
#endif

static gboolean
plugin_init (GstPlugin *plugin)
{
  return gst_element_register (plugin, "livematroskamux", GST_RANK_NONE,
                               RELAIS_TYPE_LIVE_MATROSKA_MUX);
}

GST_PLUGIN_DEFINE (GST_VERSION_MAJOR,
                   GST_VERSION_MINOR,
                   relais,
                   "Elements of the live media server relais",
                   plugin_init,
                   RELAIS_VERSION,
                   "LGPL",
                   "relais",
                   "relais")

/**
 * relais_plugin_register_static:
 *
 * Makes the plugin's elements known to this process, without a file on any plugin path. Call once
 * after gst_init().
 *
 * Returns: whether it worked
 */
gboolean
relais_plugin_register_static (void)
{
  return gst_plugin_register_static (GST_VERSION_MAJOR, GST_VERSION_MINOR, "relais",
                                     "Elements of the live media server relais", plugin_init,
                                     RELAIS_VERSION, "LGPL", "relais", "relais", "relais");
}
