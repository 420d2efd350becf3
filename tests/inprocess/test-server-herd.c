/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Many viewers: a thousand that come in the same instant, thousands that come and go; descriptors
 * and memory return to where they were. */

#include <malloc.h>
#include <string.h>
#include <sys/resource.h>

#include "relais-test-chunks.h"
#include "relais-test-client.h"

#define N_HERD  1000
#define N_JOINS 2000

/* Sanitizers keep what was freed for a while, so memory is measured without them only. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MEASURES_MEMORY FALSE
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define MEASURES_MEMORY FALSE
#endif
#endif
#ifndef MEASURES_MEMORY
#define MEASURES_MEMORY TRUE
#endif

static gboolean
has_descriptors (guint n)
{
  struct rlimit limit;

  g_assert_cmpint (getrlimit (RLIMIT_NOFILE, &limit), ==, 0);
  if (limit.rlim_cur >= n)
    return TRUE;
  g_test_skip ("the limit of descriptors is too low");
  return FALSE;
}

/* Connects without waiting for anybody. */
static RelaisTestClient *
rush_in (RelaisTestServer *server)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GSocket) socket
      = g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_TCP, &error);

  g_assert_no_error (error);
  g_socket_set_blocking (socket, FALSE);
  if (!g_socket_connect (socket, relais_test_server_get_address (server), NULL, &error))
    {
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_PENDING);
      g_clear_error (&error);
    }
  return relais_test_client_new_for_io (
      G_IO_STREAM (g_socket_connection_factory_create_connection (socket)));
}

/* All are let in and served, from a keyframe on, although they came at once. */
static void
test_herd (void)
{
  g_autoptr (RelaisTestServer) server = NULL;
  g_autoptr (GPtrArray) chunks = relais_test_chunks_read ("chrome-vp8.webm");
  g_autoptr (GPtrArray) herd
      = g_ptr_array_new_with_free_func ((GDestroyNotify) relais_test_client_free);
  g_autoptr (RelaisTestClient) witness = NULL;
  g_autoptr (RelaisTestClient) publisher = NULL;

  if (!has_descriptors (2 * N_HERD + 100))
    return;
  server = relais_test_server_new (NULL);
  witness = relais_test_client_new_viewer (server, "demo", TRUE);
  publisher = relais_test_client_new_publisher (server, "demo");
  relais_test_client_send_chunks (publisher, chunks, 0, 20);
  relais_test_client_read_blocks (witness, 20);

  for (guint i = 0; i < N_HERD; i++)
    g_ptr_array_add (herd, rush_in (server));
  for (guint i = 0; i < N_HERD; i++)
    {
      RelaisTestClient *viewer = g_ptr_array_index (herd, i);
      GSocket *socket = relais_test_client_get_socket (viewer);
      g_autoptr (GError) error = NULL;

      g_socket_set_blocking (socket, TRUE);
      g_socket_condition_wait (socket, G_IO_OUT, NULL, &error);
      g_assert_no_error (error);
      g_assert_true (g_socket_check_connect_result (socket, &error));
      relais_test_client_send_handshake (viewer, "/live/demo");
    }
  for (guint i = 0; i < N_HERD; i++)
    {
      RelaisTestClient *viewer = g_ptr_array_index (herd, i);

      relais_test_client_finish_handshake (viewer);
      relais_test_client_expect_type (viewer, "init");
      relais_test_client_expect_unit (viewer);
      relais_test_client_expect_unit (viewer);
    }
  relais_test_client_send_chunks (publisher, chunks, 20, chunks->len);
  relais_test_client_end_publishing (publisher);
  relais_test_client_read_until (witness, "interrupted");
  for (guint i = 0; i < N_HERD; i++)
    {
      RelaisTestClient *viewer = g_ptr_array_index (herd, i);
      const RelaisTestMedia *media = viewer->media;

      relais_test_client_read_until (viewer, "interrupted");
      g_assert_cmpint (
          relais_test_media_get_block (media, media->blocks->len - 1)->time, ==,
          relais_test_media_get_block (witness->media, witness->media->blocks->len - 1)->time);
    }
  g_assert_cmpint (relais_test_server_get_number (server, "demo", "viewers"), ==, N_HERD + 1);
}

static gsize
measure_memory (void)
{
  malloc_trim (0);
  return mallinfo2 ().uordblks;
}

static void
join_and_leave (RelaisTestServer *server, guint n)
{
  for (guint i = 0; i < n; i++)
    {
      g_autoptr (RelaisTestClient) viewer = relais_test_client_new_viewer (server, "demo", FALSE);

      /* some leave before the first word, some after it, some in a frame, some politely */
      if (i % 4 > 0)
        relais_test_client_expect_type (viewer, "init");
      if (i % 4 > 1)
        relais_test_client_expect_unit (viewer);
      if (i % 4 > 2)
        {
          relais_test_client_send_close (viewer, 1000);
          relais_test_client_expect_refusal (viewer, NULL, 1000);
        }
    }
  relais_test_server_await_number (server, "demo", "viewers", 1);
}

static void
test_joins_and_leaves (void)
{
  g_autoptr (RelaisTestServer) server = relais_test_server_new (NULL);
  g_autoptr (GPtrArray) chunks = relais_test_chunks_read ("chrome-vp8.webm");
  g_autoptr (RelaisTestClient) witness = relais_test_client_new_viewer (server, "demo", TRUE);
  g_autoptr (RelaisTestClient) publisher = relais_test_client_new_publisher (server, "demo");
  gsize memory;
  guint n_fds;

  relais_test_client_send_chunks (publisher, chunks, 0, 20);
  relais_test_client_read_blocks (witness, 20);
  /* the first ones warm the allocators of all threads up */
  join_and_leave (server, 200);
  n_fds = relais_test_server_get_idle_fds (server);
  memory = measure_memory ();

  join_and_leave (server, N_JOINS);
  relais_test_server_await_fds (server, n_fds);
  /* less than 64 bytes for each of them would be a leak already */
  if (MEASURES_MEMORY)
    g_assert_cmpuint (measure_memory (), <, memory + 64 * N_JOINS);

  relais_test_client_send_chunks (publisher, chunks, 20, chunks->len);
  relais_test_client_end_publishing (publisher);
  relais_test_client_read_until (witness, "interrupted");
  g_assert_cmpuint (witness->n_inits, ==, 1);
}

/* Whoever comes while units are written is never left without one, and the others go on. */
static gpointer
join_from_thread (gpointer data)
{
  RelaisTestServer *server = data;

  for (guint i = 0; i < 200; i++)
    {
      g_autoptr (RelaisTestClient) viewer = relais_test_client_new_viewer (server, "demo", FALSE);

      relais_test_client_expect_type (viewer, "init");
      relais_test_client_expect_unit (viewer);
      relais_test_client_expect_unit (viewer);
    }
  return NULL;
}

static void
test_joins_under_load (void)
{
  g_autoptr (RelaisTestServer) server
      = relais_test_server_new ("quiet-track-ms", "0", "quiet-track-drop-ms", "86400000", NULL);
  g_autoptr (GPtrArray) chunks = relais_test_chunks_read ("chrome-vp8-opus.webm");
  g_autoptr (RelaisTestClient) witness = relais_test_client_new_viewer (server, "demo", TRUE);
  g_autoptr (RelaisTestClient) publisher = relais_test_client_new_publisher (server, "demo");
  GThread *threads[4];

  relais_test_client_send_chunks (publisher, chunks, 0, 10);
  relais_test_client_read_blocks (witness, 10);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("joins", join_from_thread, server);
  for (guint i = 10; i < chunks->len; i++)
    {
      relais_test_client_send_chunks (publisher, chunks, i, i + 1);
      relais_test_client_read_units (witness, i - 3);
    }
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
  relais_test_client_end_publishing (publisher);
  relais_test_client_read_until (witness, "interrupted");
  g_assert_cmpuint (witness->n_drops, ==, 0);
  relais_test_media_assert_in_order (witness->media);
  relais_test_server_await_number (server, "demo", "viewers", 1);
}

int
main (int argc, char **argv)
{
  relais_test_server_init (&argc, &argv);
  g_test_add_func ("/server-herd/herd", test_herd);
  g_test_add_func ("/server-herd/joins-and-leaves", test_joins_and_leaves);
  g_test_add_func ("/server-herd/joins-under-load", test_joins_under_load);
  return relais_test_server_run ();
}
