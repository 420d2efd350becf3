/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The plugin as people use it: a file in GST_PLUGIN_PATH, gst-inspect and gst-launch. What comes
 * out is judged by ffmpeg, which is not ours. The tools see the built plugin and the two others
 * that they need, and write a registry of their own. */

#include <gio/gio.h>
#include <glib/gstdio.h>
#include <string.h>

#include "relais-test-capture.h"
#include "relais-test-media.h"

#define CAPTURE(name) RELAIS_TEST_DATA_DIR "/captures/" name

/* A plugin with a sanitizer in it cannot be loaded into a program without. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_SANITIZED TRUE
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define IS_SANITIZED TRUE
#endif
#endif
#ifndef IS_SANITIZED
#define IS_SANITIZED FALSE
#endif

typedef struct
{
  char *folder; /* owned: plugins, registry and output */
  char *output; /* owned: a file in it */
  GSubprocessLauncher *launcher;
} Fixture;

static const char *const plugins[] = { "coreelements", "matroska" };

static void
set_up (Fixture *self, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *registry = NULL;

  self->folder = g_dir_make_tmp ("relais-gst-XXXXXX", &error);
  g_assert_no_error (error);
  self->output = g_build_filename (self->folder, "output", NULL);
  registry = g_build_filename (self->folder, "registry", NULL);
  for (guint i = 0; i < G_N_ELEMENTS (plugins); i++)
    {
      g_autofree char *name = g_strdup_printf ("libgst%s.so", plugins[i]);
      g_autofree char *from = g_build_filename (RELAIS_TEST_GST_PLUGINS, name, NULL);
      g_autofree char *to = g_build_filename (self->folder, name, NULL);
      g_autoptr (GFile) link = g_file_new_for_path (to);

      g_assert_true (g_file_make_symbolic_link (link, from, NULL, NULL));
    }

  self->launcher = g_subprocess_launcher_new (G_SUBPROCESS_FLAGS_STDOUT_PIPE
                                              | G_SUBPROCESS_FLAGS_STDERR_MERGE);
  g_subprocess_launcher_setenv (self->launcher, "GST_PLUGIN_PATH", RELAIS_TEST_BUILT_PLUGINS, TRUE);
  g_subprocess_launcher_setenv (self->launcher, "GST_PLUGIN_SYSTEM_PATH", self->folder, TRUE);
  g_subprocess_launcher_setenv (self->launcher, "GST_REGISTRY", registry, TRUE);
  g_subprocess_launcher_setenv (self->launcher, "GST_REGISTRY_FORK", "no", TRUE);
  g_subprocess_launcher_setenv (self->launcher, "LC_ALL", "C.UTF-8", TRUE);
}

static void
tear_down (Fixture *self, gconstpointer data)
{
  g_autoptr (GDir) folder = g_dir_open (self->folder, 0, NULL);
  const char *name;

  while ((name = g_dir_read_name (folder)) != NULL)
    {
      g_autofree char *path = g_build_filename (self->folder, name, NULL);

      g_remove (path);
    }
  g_rmdir (self->folder);
  g_free (self->folder);
  g_free (self->output);
  g_object_unref (self->launcher);
}

/* Returns: (transfer full): what the tool printed, or %NULL where it is missing: the test is then
 * skipped */
static char *
run (Fixture *self, const char *const *argv)
{
  g_autofree char *path = IS_SANITIZED ? NULL : g_find_program_in_path (argv[0]);
  g_autoptr (GSubprocess) process = NULL;
  g_autoptr (GError) error = NULL;
  char *output = NULL;

  if (path == NULL)
    {
      g_autofree char *reason
          = g_strdup_printf (IS_SANITIZED ? "%s is without a sanitizer" : "%s is missing", argv[0]);

      g_test_skip (reason);
      return NULL;
    }
  process = g_subprocess_launcher_spawnv (self->launcher, argv, &error);
  g_assert_no_error (error);
  g_subprocess_communicate_utf8 (process, NULL, NULL, &output, NULL, &error);
  g_assert_no_error (error);
  if (!g_subprocess_get_successful (process))
    g_error ("%s failed: %s", argv[0], output);
  return output;
}

static void
test_inspect (Fixture *self, gconstpointer data)
{
  static const char *const argv[] = { "gst-inspect-1.0", "livematroskamux", NULL };
  static const char *const words[] = {
    "Live Matroska/WebM muxer",
    "Codec/Muxer",
    "SRC template: 'src'",
    "SINK template: 'video_%u'",
    "SINK template: 'audio_%u'",
    "video/x-vp8",
    "video/x-vp9",
    "video/x-av1",
    "video/x-h264",
    "audio/x-opus",
    "audio/x-vorbis",
    "hold-units",
    "quiet-time",
    "leave-time",
    "timestamp-offset",
    "end-time",
    "stats",
    "LGPL",
  };
  g_autofree char *text = run (self, argv);

  for (guint i = 0; text != NULL && i < G_N_ELEMENTS (words); i++)
    if (strstr (text, words[i]) == NULL)
      g_error ("gst-inspect-1.0 livematroskamux does not say “%s”: %s", words[i], text);
}

static void
judge (Fixture *self)
{
  const char *const argv[]
      = { "ffmpeg", "-v", "warning", "-xerror", "-i", self->output, "-f", "null", "-", NULL };
  g_autofree char *text = run (self, argv);

  if (text != NULL)
    g_assert_cmpstr (text, ==, "");
}

static void
mux (Fixture *self, const char *capture, const char *property, const char *pipeline)
{
  g_autofree char *source = g_strconcat ("location=", capture, NULL);
  g_autofree char *sink = g_strconcat ("location=", self->output, NULL);
  g_auto (GStrv) words = g_strsplit (pipeline, " ", -1);
  g_autoptr (GStrvBuilder) builder = g_strv_builder_new ();
  g_auto (GStrv) argv = NULL;
  g_autofree char *text = NULL;

  g_strv_builder_add_many (builder, "gst-launch-1.0", "-q", "livematroskamux", "name=m", property,
                           "leave-time=0", "!", "filesink", sink, "filesrc", source, "!",
                           "matroskademux", "name=d", NULL);
  g_strv_builder_addv (builder, (const char **) words);
  argv = g_strv_builder_end (builder);
  text = run (self, (const char *const *) argv);
}

static RelaisTestMedia *
read_output (Fixture *self)
{
  g_autofree char *content = NULL;
  RelaisTestMedia *media;
  gsize size;

  if (!g_file_get_contents (self->output, &content, &size, NULL))
    return NULL;
  media = relais_test_media_new ();
  relais_test_media_append (media, content, size);
  return media;
}

typedef struct
{
  const char *name;
  const char *capture;
  const char *pipeline;
  const char *codec_ids[3];
} Case;

static const Case cases[] = {
  { "straight",
    CAPTURE ("chrome-vp8-opus.webm"),
    "d.video_0 ! m.video_0 d.audio_0 ! m.audio_0",
    { "V_VP8", "A_OPUS" } },
  { "vp9",
    CAPTURE ("chrome-vp9-opus.webm"),
    "d.video_0 ! m.video_0 d.audio_0 ! m.audio_0",
    { "V_VP9", "A_OPUS" } },
  { "firefox",
    CAPTURE ("firefox-vp8-opus.webm"),
    "d.video_0 ! m.video_0 d.audio_0 ! m.audio_0",
    { "V_VP8", "A_OPUS" } },
  { "audio", CAPTURE ("chrome-opus.webm"), "d.audio_0 ! m.audio_0", { "A_OPUS" } },
  { "video", CAPTURE ("chrome-vp8.webm"), "d.video_0 ! m.video_0", { "V_VP8" } },
};

static void
test_launch (Fixture *self, gconstpointer data)
{
  const Case *test = data;
  g_autoptr (RelaisTestMedia) media = NULL;

  mux (self, test->capture, "quiet-time=150000000", test->pipeline);
  media = read_output (self);
  if (media == NULL)
    return;
  g_assert_cmpuint (media->n_headers, ==, 1);
  relais_test_media_assert_in_order (media);
  for (guint i = 0; test->codec_ids[i] != NULL; i++)
    {
      g_autofree char *name = g_path_get_basename (test->capture);
      g_autoptr (GPtrArray) frames = relais_test_capture_read (name, test->codec_ids[i]);

      relais_test_media_assert_payloads (media, test->codec_ids[i], frames, 0);
    }
  judge (self);
}

/* A thread a track. One of them may be ahead by what its queue holds; with fillers and leaving
 * switched off nothing is lost or added. */
static void
test_queues (Fixture *self, gconstpointer data)
{
  g_autoptr (GPtrArray) vp8 = relais_test_capture_read ("chrome-vp8-opus.webm", "V_VP8");
  g_autoptr (GPtrArray) opus = relais_test_capture_read ("chrome-vp8-opus.webm", "A_OPUS");
  g_autoptr (RelaisTestMedia) media = NULL;

  mux (self, CAPTURE ("chrome-vp8-opus.webm"), "quiet-time=0",
       "d.video_0 ! queue ! m.video_0 d.audio_0 ! queue ! m.audio_0");
  media = read_output (self);
  if (media == NULL)
    return;
  relais_test_media_assert_in_order (media);
  relais_test_media_assert_payloads (media, "V_VP8", vp8, 0);
  relais_test_media_assert_payloads (media, "A_OPUS", opus, 0);
  /* No judge here: a file that is read without a clock arrives in whole stretches of one track, so
   * frames of the other are lifted to one time, of which ffmpeg's null muxer complains. */
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add ("/gst-launch/inspect", Fixture, NULL, set_up, test_inspect, tear_down);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *path = g_strconcat ("/gst-launch/", cases[i].name, NULL);

      g_test_add (path, Fixture, &cases[i], set_up, test_launch, tear_down);
    }
  g_test_add ("/gst-launch/queues", Fixture, NULL, set_up, test_queues, tear_down);
  return g_test_run ();
}
