/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What viewers get who come before, with and after the publisher. */

#include "relais-test-capture.h"
#include "relais-test-chunks.h"
#include "relais-test-client.h"
#include <gst/gst.h>

#define CAPTURE "chrome-vp8-opus.webm"

/* Without fillers everything that comes out is what went in. */
#define NO_FILLERS "quiet-track-ms", "0", "quiet-track-drop-ms", "86400000"

/* Every recording, to a viewer who was there first: all packets, in order, none changed; the MIME
 * type that browsers take. Sound before the first keyframe is left out, as nobody can begin there.
 */
static void
test_before_publisher (gconstpointer data)
{
  static const struct
  {
    const char *capture;
    const char *mime;
    guint n_audio_first; /* packets before the first keyframe */
    const char *codec_ids[2];
  } recordings[] = {
    { "chrome-vp8-opus.webm", "video/webm; codecs=\"vp8,opus\"", 0, { "V_VP8", "A_OPUS" } },
    { "chrome-vp8-720p.webm", "video/webm; codecs=\"vp8,opus\"", 1, { "V_VP8", "A_OPUS" } },
    { "chrome-vp8-videostop.webm", "video/webm; codecs=\"vp8,opus\"", 0, { "V_VP8", "A_OPUS" } },
    { "chrome-vp9-opus.webm", "video/webm; codecs=\"vp9,opus\"", 0, { "V_VP9", "A_OPUS" } },
    { "firefox-vp8-opus.webm", "video/webm; codecs=\"vp8,opus\"", 0, { "V_VP8", "A_OPUS" } },
    { "chrome-vp8.webm", "video/webm; codecs=\"vp8\"", 0, { "V_VP8" } },
    { "chrome-opus.webm", "audio/webm; codecs=\"opus\"", 0, { "A_OPUS" } },
  };
  g_autoptr (RelaisTestServer) server = relais_test_server_new (NO_FILLERS, NULL);

  for (guint i = 0; i < G_N_ELEMENTS (recordings); i++)
    {
      g_autoptr (GPtrArray) chunks = relais_test_chunks_read (recordings[i].capture);
      g_autoptr (RelaisTestClient) viewer
          = relais_test_client_new_viewer (server, recordings[i].capture, TRUE);
      g_autoptr (RelaisTestClient) publisher
          = relais_test_client_new_publisher (server, recordings[i].capture);

      g_test_message ("%s", recordings[i].capture);
      relais_test_client_send_chunks (publisher, chunks, 0, chunks->len);
      relais_test_client_end_publishing (publisher);
      relais_test_client_read_until (viewer, "interrupted");

      g_assert_cmpuint (viewer->n_inits, ==, 1);
      g_assert_cmpint (viewer->epoch, ==, 1);
      g_assert_cmpstr (viewer->mime, ==, recordings[i].mime);
      relais_test_media_assert_in_order (viewer->media);
      for (guint k = 0; k < 2 && recordings[i].codec_ids[k] != NULL; k++)
        {
          g_autoptr (GPtrArray) frames
              = relais_test_capture_read (recordings[i].capture, recordings[i].codec_ids[k]);

          relais_test_media_assert_payloads (viewer->media, recordings[i].codec_ids[k], frames,
                                             k == 1 ? recordings[i].n_audio_first : 0);
        }
    }
}

/* Chromium's H.264 comes as Annex B without codec data; Matroska needs lengths and avcC. */
static void
test_h264 (void)
{
  g_autoptr (GstElementFactory) parser = gst_element_factory_find ("h264parse");
  g_autoptr (RelaisTestServer) server = NULL;
  g_autoptr (GPtrArray) chunks = relais_test_chunks_read ("chrome-h264-opus.mkv");
  g_autoptr (RelaisTestClient) viewer = NULL;
  g_autoptr (RelaisTestClient) publisher = NULL;
  g_autoptr (GArray) times = NULL;

  if (parser == NULL)
    {
      g_test_skip ("h264parse (gst-plugins-bad) is missing");
      return;
    }
  server = relais_test_server_new (NO_FILLERS, NULL);
  viewer = relais_test_client_new_viewer (server, "h264", TRUE);
  publisher = relais_test_client_new_publisher (server, "h264");
  relais_test_client_send_chunks (publisher, chunks, 0, chunks->len);
  relais_test_client_end_publishing (publisher);
  relais_test_client_read_until (viewer, "interrupted");
  g_assert_true (g_str_has_prefix (viewer->mime, "video/x-matroska; codecs=\"avc1."));
  g_assert_cmpstr (viewer->media->doc_type, ==, "matroska");
  times = relais_test_media_list_times (viewer->media, "V_MPEG4/ISO/AVC");
  g_assert_cmpuint (times->len, ==, 159);
  relais_test_media_assert_in_order (viewer->media);
}

/* Chunks may be cut anywhere. */
static void
test_chunk_sizes (void)
{
  static const gsize sizes[] = { 1, 7, 1000, 100000, G_MAXSIZE };
  g_autoptr (GPtrArray) chunks = relais_test_chunks_read ("chrome-vp8.webm");
  g_autoptr (GBytes) whole = relais_test_chunks_join (chunks);
  g_autoptr (GPtrArray) frames = relais_test_capture_read ("chrome-vp8.webm", "V_VP8");
  g_autoptr (RelaisTestServer) server = relais_test_server_new (NO_FILLERS, NULL);

  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      /* byte by byte for the header and the first frames only: 120,000 messages tell no more */
      gsize n_small = sizes[i] < 100 ? 20000 : g_bytes_get_size (whole);
      g_autoptr (GBytes) head = g_bytes_new_from_bytes (whole, 0, n_small);
      g_autoptr (GBytes) rest
          = g_bytes_new_from_bytes (whole, n_small, g_bytes_get_size (whole) - n_small);
      g_autoptr (GPtrArray) small
          = relais_test_chunks_split (head, MIN (sizes[i], g_bytes_get_size (whole)));
      g_autofree char *id = g_strdup_printf ("cut-%u", i);
      g_autoptr (RelaisTestClient) viewer = relais_test_client_new_viewer (server, id, TRUE);
      g_autoptr (RelaisTestClient) publisher = relais_test_client_new_publisher (server, id);
      gsize size;
      gconstpointer data = g_bytes_get_data (rest, &size);

      relais_test_client_send_chunks (publisher, small, 0, small->len);
      if (size > 0)
        relais_test_client_send (publisher, RELAIS_TEST_BINARY, data, size);
      relais_test_client_end_publishing (publisher);
      relais_test_client_read_until (viewer, "interrupted");
      relais_test_media_assert_payloads (viewer->media, "V_VP8", frames, 0);
    }
}

/* Five who come at different moments: each begins with the keyframe that was the newest when he
 * came, and misses nothing from there on. */
static void
test_different_moments (void)
{
  static const guint moments[] = { 1, 10, 50, 70, 95 }; /* chunks that were sent */
  g_autoptr (GPtrArray) chunks = relais_test_chunks_read (CAPTURE);
  g_autoptr (RelaisTestServer) server = relais_test_server_new (NO_FILLERS, NULL);
  g_autoptr (RelaisTestClient) witness = relais_test_client_new_viewer (server, "demo", TRUE);
  g_autoptr (RelaisTestClient) publisher = relais_test_client_new_publisher (server, "demo");
  g_autoptr (GPtrArray) viewers
      = g_ptr_array_new_with_free_func ((GDestroyNotify) relais_test_client_free);
  guint newest_key[G_N_ELEMENTS (moments)];
  guint n_sent = 0;

  for (guint i = 0; i < G_N_ELEMENTS (moments); i++)
    {
      relais_test_client_send_chunks (publisher, chunks, n_sent, moments[i]);
      n_sent = moments[i];
      /* a chunk of 100 ms has two frames and more, but for the first ones */
      if (n_sent > 2)
        relais_test_client_read_blocks (witness, n_sent);
      newest_key[i] = 0;
      for (guint k = 0; k < witness->media->blocks->len; k++)
        if (relais_test_media_get_block (witness->media, k)->opens_cluster)
          newest_key[i] = k;
      g_ptr_array_add (viewers, relais_test_client_new_viewer (server, "demo", FALSE));
      /* Else all may be over before it has joined. */
      if (n_sent > 2)
        relais_test_client_read_until (g_ptr_array_index (viewers, i), "init");
    }
  relais_test_client_send_chunks (publisher, chunks, n_sent, chunks->len);
  relais_test_client_end_publishing (publisher);
  relais_test_client_read_until (witness, "interrupted");

  for (guint i = 0; i < viewers->len; i++)
    {
      RelaisTestClient *viewer = g_ptr_array_index (viewers, i);
      guint n, first;

      relais_test_client_read_until (viewer, "interrupted");
      g_assert_cmpuint (viewer->n_inits, ==, 1);
      n = viewer->media->blocks->len;
      g_assert_cmpuint (n, >, 0);
      first = witness->media->blocks->len - n;
      g_assert_cmpuint (first, >=, newest_key[i]);
      for (guint k = 0; k < n; k++)
        {
          const RelaisTestBlock *left = relais_test_media_get_block (viewer->media, k);
          const RelaisTestBlock *right = relais_test_media_get_block (witness->media, first + k);

          g_assert_cmpint (left->time, ==, right->time);
          g_assert_cmpuint (left->track, ==, right->track);
          g_assert_true (g_bytes_equal (left->payload, right->payload));
        }
    }
}

/* Many streams side by side do not meet. */
static void
test_streams (void)
{
  static const char *const captures[] = { "chrome-vp8.webm", "chrome-opus.webm" };
  static const char *const codec_ids[] = { "V_VP8", "A_OPUS" };
  g_autoptr (RelaisTestServer) server = relais_test_server_new (NO_FILLERS, NULL);
  RelaisTestClient *viewers[10], *publishers[10];

  for (guint i = 0; i < G_N_ELEMENTS (viewers); i++)
    {
      g_autofree char *id = g_strdup_printf ("s%u", i);

      viewers[i] = relais_test_client_new_viewer (server, id, TRUE);
      publishers[i] = relais_test_client_new_publisher (server, id);
    }
  for (guint i = 0; i < G_N_ELEMENTS (viewers); i++)
    {
      g_autoptr (GPtrArray) chunks = relais_test_chunks_read (captures[i % 2]);

      relais_test_client_send_chunks (publishers[i], chunks, 0, chunks->len);
      relais_test_client_send_close (publishers[i], 1000);
    }
  for (guint i = 0; i < G_N_ELEMENTS (viewers); i++)
    {
      g_autoptr (GPtrArray) frames = relais_test_capture_read (captures[i % 2], codec_ids[i % 2]);

      relais_test_client_read_until (viewers[i], "interrupted");
      relais_test_media_assert_payloads (viewers[i]->media, codec_ids[i % 2], frames, 0);
      relais_test_client_free (viewers[i]);
      relais_test_client_free (publishers[i]);
    }
}

/* A stream is there as long as somebody wants it. */
static void
test_stream_comes_and_goes (void)
{
  g_autoptr (RelaisTestServer) server
      = relais_test_server_new ("republish-grace-ms", "0", NO_FILLERS, NULL);
  g_autoptr (GPtrArray) chunks = relais_test_chunks_read ("chrome-vp8.webm");
  RelaisTestClient *viewer, *publisher;

  relais_test_server_await_no_stream (server, "demo");
  viewer = relais_test_client_new_viewer (server, "demo", TRUE);
  g_assert_cmpint (relais_test_server_get_number (server, "demo", "viewers"), ==, 1);
  relais_test_client_free (viewer);
  relais_test_server_await_no_stream (server, "demo");

  publisher = relais_test_client_new_publisher (server, "demo");
  g_assert_cmpint (relais_test_server_get_number (server, "demo", "viewers"), ==, 0);
  relais_test_client_free (publisher);
  relais_test_server_await_no_stream (server, "demo");

  publisher = relais_test_client_new_publisher (server, "demo");
  viewer = relais_test_client_new_viewer (server, "demo", TRUE);
  relais_test_client_send_chunks (publisher, chunks, 0, chunks->len);
  relais_test_client_free (publisher);
  relais_test_client_read_until (viewer, "ended");
  g_assert_cmpint (relais_test_server_get_number (server, "demo", "viewers"), ==, 1);
  relais_test_client_free (viewer);
  relais_test_server_await_no_stream (server, "demo");
}

int
main (int argc, char **argv)
{
  relais_test_server_init (&argc, &argv);
  g_test_add_data_func ("/server-viewers/before-publisher", NULL, test_before_publisher);
  g_test_add_func ("/server-viewers/h264", test_h264);
  g_test_add_func ("/server-viewers/chunk-sizes", test_chunk_sizes);
  g_test_add_func ("/server-viewers/different-moments", test_different_moments);
  g_test_add_func ("/server-viewers/streams", test_streams);
  g_test_add_func ("/server-viewers/stream-comes-and-goes", test_stream_comes_and_goes);
  return relais_test_server_run ();
}
