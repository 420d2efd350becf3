/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* GStreamer with a registry of its own: only the plugins named here, loaded from the installation's
 * folder, and ours from this program. No registry file is read or written, no installed plugin
 * `relais` is met, and a test starts in milliseconds. */

#include "relais-test-gst.h"

#include "relais-plugin.h"

static const char *const plugins[] = {
  "app",
  "coreelements",
  "matroska",
};

/* Tests that need them ask for their elements. */
static const char *const optional_plugins[] = {
  "videoparsersbad",
};

static GstPlugin *
load (const char *name)
{
  g_autofree char *path = g_strdup_printf ("%s/libgst%s.so", RELAIS_TEST_GST_PLUGINS, name);

  return g_file_test (path, G_FILE_TEST_EXISTS) ? gst_plugin_load_file (path, NULL) : NULL;
}

/**
 * relais_test_gst_init:
 *
 * Call it once, before any other thread starts.
 */
void
relais_test_gst_init (void)
{
  g_setenv ("GST_REGISTRY_DISABLE", "yes", TRUE);
  gst_init (NULL, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (plugins); i++)
    {
      g_autoptr (GstPlugin) plugin = load (plugins[i]);

      g_assert_nonnull (plugin);
    }
  for (guint i = 0; i < G_N_ELEMENTS (optional_plugins); i++)
    {
      g_autoptr (GstPlugin) plugin = load (optional_plugins[i]);

      g_debug ("%s is %s", optional_plugins[i], plugin != NULL ? "there" : "missing");
    }
  g_assert_true (relais_plugin_register_static ());
}
