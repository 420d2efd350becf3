/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The log goes to standard error, so each test looks at it from outside: it runs itself in a child.
 */

#include "base/relais-log.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

/* of each thread */
#define N_LINES 500

static void
run_child (const char *journal_stream)
{
  if (journal_stream != NULL)
    g_setenv ("JOURNAL_STREAM", journal_stream, TRUE);
  else
    g_unsetenv ("JOURNAL_STREAM");
  g_test_trap_subprocess (NULL, 0, 0);
  g_test_trap_assert_passed ();
  g_unsetenv ("JOURNAL_STREAM");
}

/* A time, a level, the stream, the sentence. */
static void
test_line (void)
{
  if (g_test_subprocess ())
    {
      relais_log_init (RELAIS_LOG_INFO);
      relais_log_info ("demo", "viewer %s (%u now)", "joined", 3);
      relais_log_warning (NULL, "the server itself");
      relais_log_error ("demo", "100 %%");
      return;
    }
  run_child (NULL);
  g_test_trap_assert_stderr ("??:??:??.??? info    demo: viewer joined (3 now)\n"
                             "??:??:??.??? warning relais: the server itself\n"
                             "??:??:??.??? error   demo: 100 %\n");
}

/* sd-daemon(3): the journal has the time and takes the priority from the prefix. */
static void
test_journal (void)
{
  if (g_test_subprocess ())
    {
      relais_log_init (RELAIS_LOG_DEBUG);
      relais_log_error ("demo", "e");
      relais_log_warning ("demo", "w");
      relais_log_info ("demo", "i");
      relais_log_debug ("demo", "d");
      return;
    }
  run_child ("8:1234");
  g_test_trap_assert_stderr ("<3>demo: e\n<4>demo: w\n<6>demo: i\n<7>demo: d\n");
}

static void
test_level (void)
{
  if (g_test_subprocess ())
    {
      relais_log_init (RELAIS_LOG_WARNING);
      relais_log_error ("demo", "e");
      relais_log_warning ("demo", "w");
      relais_log_info ("demo", "i");
      relais_log_debug ("demo", "d");
      return;
    }
  run_child ("8:1234");
  g_test_trap_assert_stderr ("<3>demo: e\n<4>demo: w\n");
}

/* What a peer sent cannot forge a line, or move a cursor. */
static void
test_control_characters (void)
{
  if (g_test_subprocess ())
    {
      relais_log_init (RELAIS_LOG_INFO);
      relais_log_info ("demo", "%s", "a\nb\r\033[2Jc\x7f\td é");
      return;
    }
  run_child ("8:1234");
  g_test_trap_assert_stderr ("<6>demo: a?b??[2Jc??d é\n");
}

/* GLib's own messages come the same way. */
static void
test_glib (void)
{
  if (g_test_subprocess ())
    {
      relais_log_init (RELAIS_LOG_DEBUG);
      g_log_set_always_fatal (G_LOG_LEVEL_ERROR);
      g_log_structured ("Domain", G_LOG_LEVEL_WARNING, "MESSAGE", "a %s", "warning");
      g_log_structured ("Domain", G_LOG_LEVEL_MESSAGE, "MESSAGE", "a message");
      return;
    }
  run_child ("8:1234");
  g_test_trap_assert_stderr ("<4>relais: Domain: a warning\n<7>relais: Domain: a message\n");
}

static gpointer
log_from_thread (gpointer data)
{
  for (guint i = 0; i < N_LINES; i++)
    relais_log_info ("demo", "%s%s", (const char *) data, (const char *) data);
  return NULL;
}

/* Lines of several threads never mix: each is written at once. */
static void
test_threads (void)
{
  static const char *const words[]
      = { "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
          "cccccccccccccccccccccccccccccccccccccccc" };
  GThread *threads[G_N_ELEMENTS (words)];
  guint n_lines[G_N_ELEMENTS (words)] = { 0 };
  g_autoptr (GError) error = NULL;
  g_autofree char *path = NULL;
  g_autofree char *text = NULL;
  g_auto (GStrv) lines = NULL;
  int file = g_file_open_tmp ("relais-log-XXXXXX", &path, &error);
  int stderr_copy = dup (STDERR_FILENO);

  g_assert_no_error (error);
  fcntl (file, F_SETFL, O_APPEND);
  dup2 (file, STDERR_FILENO);
  for (guint i = 0; i < G_N_ELEMENTS (words); i++)
    threads[i] = g_thread_new ("log", log_from_thread, (gpointer) words[i]);
  for (guint i = 0; i < G_N_ELEMENTS (words); i++)
    g_thread_join (threads[i]);
  dup2 (stderr_copy, STDERR_FILENO);
  g_close (stderr_copy, NULL);
  g_close (file, NULL);

  g_file_get_contents (path, &text, NULL, &error);
  g_assert_no_error (error);
  g_remove (path);
  lines = g_strsplit (text, "\n", -1);
  if (g_strv_length (lines) != G_N_ELEMENTS (words) * N_LINES + 1)
    g_test_message ("%s", text);
  g_assert_cmpuint (g_strv_length (lines), ==, G_N_ELEMENTS (words) * N_LINES + 1);
  for (guint i = 0; i < G_N_ELEMENTS (words) * N_LINES; i++)
    for (guint k = 0; k < G_N_ELEMENTS (words); k++)
      {
        g_autofree char *sentence = g_strdup_printf ("info    demo: %s%s", words[k], words[k]);

        g_assert_cmpuint (strlen (lines[i]), ==, strlen (sentence) + strlen ("00:00:00.000 "));
        n_lines[k] += g_str_has_suffix (lines[i], sentence);
      }
  for (guint k = 0; k < G_N_ELEMENTS (words); k++)
    g_assert_cmpuint (n_lines[k], ==, N_LINES);
}

static void
test_parse_level (void)
{
  static const char *const words[] = { "error", "warning", "info", "debug" };
  static const char *const others[] = { NULL, "", "Info", "warn", "3", "trace" };
  RelaisLogLevel level = RELAIS_LOG_ERROR;

  for (guint i = 0; i < G_N_ELEMENTS (words); i++)
    {
      g_assert_true (relais_log_parse_level (words[i], &level));
      g_assert_cmpint (level, ==, i);
    }
  for (guint i = 0; i < G_N_ELEMENTS (others); i++)
    g_assert_false (relais_log_parse_level (others[i], &level));
  g_assert_cmpint (level, ==, RELAIS_LOG_DEBUG);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/log/line", test_line);
  g_test_add_func ("/log/journal", test_journal);
  g_test_add_func ("/log/level", test_level);
  g_test_add_func ("/log/control-characters", test_control_characters);
  g_test_add_func ("/log/glib", test_glib);
  g_test_add_func ("/log/threads", test_threads);
  g_test_add_func ("/log/parse-level", test_parse_level);
  return g_test_run ();
}
