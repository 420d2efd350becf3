/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* livematroskamux as an element: pads that come and go, EOS, flushes, states, odd buffers, several
 * threads. */

#include "relais-live-matroska-mux.h"
#include "relais-test-capture.h"
#include "relais-test-gst.h"
#include "relais-test-mux.h"

#define CAPTURE "chrome-vp8-opus.webm"

/* As in relais-block-writer.c. */
#define MAX_PENDING_BLOCKS 65536

static GPtrArray *vp8;  /* the frames of CAPTURE */
static GPtrArray *opus; /* its packets */

static RelaisTestMux *
new_mux (void)
{
  g_autofree char *opus_caps = relais_test_mux_make_opus_caps (0);

  return relais_test_mux_new (RELAIS_TEST_VP8_CAPS, opus_caps, "quiet-time", (guint64) 0,
                              "leave-time", (guint64) 0, NULL);
}

static void
push_video (RelaisTestMux *mux, guint64 time_ms, guint frame)
{
  g_assert_cmpint (relais_test_mux_push (mux->video, time_ms * 1000, g_ptr_array_index (vp8, frame),
                                         frame == 0),
                   ==, GST_FLOW_OK);
}

static void
push_audio (RelaisTestMux *mux, guint64 time_ms, guint packet)
{
  g_assert_cmpint (relais_test_mux_push (mux->audio, time_ms * 1000,
                                         g_ptr_array_index (opus, packet), TRUE),
                   ==, GST_FLOW_OK);
}

static guint
count_blocks (RelaisTestMux *mux)
{
  relais_test_mux_pull_all (mux);
  return mux->media->blocks->len;
}

static gboolean
eos_came (RelaisTestMux *mux)
{
  g_autoptr (GstEvent) event = NULL;

  while ((event = gst_harness_try_pull_event (mux->output)) != NULL)
    {
      if (GST_EVENT_TYPE (event) == GST_EVENT_EOS)
        return TRUE;
      gst_clear_event (&event);
    }
  return FALSE;
}

/* Caps */

/* No header may be written before every track has said what it is; what came before that is not
 * lost. */
static void
test_late_caps (void)
{
  g_autofree char *opus_caps = relais_test_mux_make_opus_caps (0);
  g_autoptr (RelaisTestMux) mux
      = relais_test_mux_new (RELAIS_TEST_VP8_CAPS, NULL, "quiet-time", (guint64) 0, NULL);

  mux->audio = gst_harness_new_with_element (mux->mux, "audio_%u", NULL);
  for (guint i = 0; i < 10; i++)
    push_video (mux, 50 * i, i);
  g_assert_cmpuint (count_blocks (mux), ==, 0);

  gst_harness_set_src_caps_str (mux->audio, opus_caps);
  push_audio (mux, 480, 0);
  g_assert_cmpuint (count_blocks (mux), ==, 11);
  g_assert_cmpuint (mux->media->tracks->len, ==, 2);
}

/* A track that ends without a word does not hold up the others. */
static void
test_no_caps (void)
{
  g_autoptr (RelaisTestMux) mux = relais_test_mux_new (RELAIS_TEST_VP8_CAPS, NULL, NULL);

  mux->audio = gst_harness_new_with_element (mux->mux, "audio_%u", NULL);
  push_video (mux, 0, 0);
  g_assert_cmpuint (count_blocks (mux), ==, 0);
  gst_harness_push_event (mux->audio, gst_event_new_stream_start ("silent"));
  gst_harness_push_event (mux->audio, gst_event_new_eos ());
  push_video (mux, 50, 1);
  g_assert_cmpuint (count_blocks (mux), ==, 2);
}

/* The limit of what is held: the element gives up instead of growing for ever. */
static void
test_too_many_pending (void)
{
  g_autoptr (RelaisTestMux) mux = relais_test_mux_new (RELAIS_TEST_VP8_CAPS, NULL, NULL);
  g_autoptr (GstBus) bus = gst_bus_new ();
  g_autoptr (GstMessage) message = NULL;

  mux->audio = gst_harness_new_with_element (mux->mux, "audio_%u", NULL);
  gst_element_set_bus (mux->mux, bus);
  for (guint i = 0; i < MAX_PENDING_BLOCKS; i++)
    push_video (mux, i, i == 0 ? 0 : 1);
  g_assert_null (gst_bus_pop_filtered (bus, GST_MESSAGE_ERROR));
  g_assert_cmpint (relais_test_mux_push (mux->video, 70000000, g_ptr_array_index (vp8, 1), FALSE),
                   ==, GST_FLOW_ERROR);
  message = gst_bus_pop_filtered (bus, GST_MESSAGE_ERROR);
  g_assert_nonnull (message);
  gst_element_set_bus (mux->mux, NULL);
}

static void
test_caps_query (void)
{
  g_autoptr (RelaisTestMux) mux = new_mux ();
  g_autoptr (GstPad) pad = gst_element_get_static_pad (mux->mux, "video_0");
  g_autoptr (GstCaps) vp9 = gst_caps_from_string ("video/x-vp9");
  g_autoptr (GstCaps) theora = gst_caps_from_string ("video/x-theora");
  g_autoptr (GstCaps) caps = gst_pad_query_caps (pad, NULL);

  g_assert_true (gst_caps_can_intersect (caps, vp9));
  g_assert_false (gst_caps_can_intersect (caps, theora));
  g_assert_true (gst_pad_query_accept_caps (pad, vp9));
  g_assert_false (gst_pad_query_accept_caps (pad, theora));
}

/* Buffers */

/* A frame without a time, or outside of its segment, is dropped and counted; the rest goes on. */
static void
test_odd_buffers (void)
{
  g_autoptr (RelaisTestMux) mux = new_mux ();
  GstSegment segment;
  GstBuffer *buffer;

  push_video (mux, 0, 0);
  g_assert_cmpint (gst_harness_push (mux->video,
                                     gst_buffer_new_wrapped_bytes (g_ptr_array_index (vp8, 1))),
                   ==, GST_FLOW_OK);
  g_assert_cmpuint (count_blocks (mux), ==, 1);

  /* a decoding time alone will do */
  buffer = gst_buffer_new_wrapped_bytes (g_ptr_array_index (vp8, 2));
  GST_BUFFER_DTS (buffer) = 100 * GST_MSECOND;
  g_assert_cmpint (gst_harness_push (mux->video, buffer), ==, GST_FLOW_OK);
  g_assert_cmpuint (count_blocks (mux), ==, 2);

  gst_segment_init (&segment, GST_FORMAT_TIME);
  segment.start = 10 * GST_SECOND;
  segment.base = 200 * GST_MSECOND;
  g_assert_true (gst_harness_push_event (mux->video, gst_event_new_segment (&segment)));
  push_video (mux, 5000, 3);
  g_assert_cmpuint (count_blocks (mux), ==, 2);
  push_video (mux, 10050, 4);
  g_assert_cmpuint (count_blocks (mux), ==, 3);
  g_assert_cmpint (relais_test_media_get_block (mux->media, 2)->time, ==, 250);
  g_assert_cmpuint (relais_test_mux_get_stat (mux, "video_0", "dropped"), ==, 2);
}

static void
test_empty_buffer (void)
{
  g_autoptr (RelaisTestMux) mux = new_mux ();
  g_autoptr (GBytes) empty = g_bytes_new_static (NULL, 0);

  g_assert_cmpint (relais_test_mux_push (mux->video, 0, empty, TRUE), ==, GST_FLOW_OK);
  g_assert_cmpint (relais_test_mux_push (mux->audio, 0, empty, TRUE), ==, GST_FLOW_OK);
  push_video (mux, 0, 0);
  g_assert_cmpint (relais_test_mux_push (mux->video, 50000, empty, TRUE), ==, GST_FLOW_OK);
  push_video (mux, 100, 1);
  relais_test_mux_pull_all (mux);
  relais_test_media_assert_in_order (mux->media);
}

/* End and beginning */

static void
test_eos (void)
{
  g_autoptr (RelaisTestMux) mux = new_mux ();

  push_video (mux, 0, 0);
  push_audio (mux, 0, 0);
  gst_harness_push_event (mux->audio, gst_event_new_eos ());
  /* the other track plays on */
  for (guint i = 1; i < 10; i++)
    {
      push_video (mux, 50 * i, i);
      g_assert_cmpuint (count_blocks (mux), ==, i + 2);
    }
  g_assert_false (eos_came (mux));
  gst_harness_push_event (mux->video, gst_event_new_eos ());
  g_assert_true (eos_came (mux));
}

static void
test_release_pad (void)
{
  g_autoptr (RelaisTestMux) mux = new_mux ();

  push_video (mux, 0, 0);
  push_audio (mux, 0, 0);
  g_clear_pointer (&mux->audio, gst_harness_teardown);
  g_assert_cmpint (mux->mux->numsinkpads, ==, 1);
  for (guint i = 1; i < 10; i++)
    {
      push_video (mux, 50 * i, i);
      g_assert_cmpuint (count_blocks (mux), ==, i + 2);
    }
  /* the header is out: a track cannot be added any more */
  g_assert_null (gst_element_request_pad_simple (mux->mux, "audio_%u"));
  gst_harness_push_event (mux->video, gst_event_new_eos ());
  g_assert_true (eos_came (mux));
}

/* A pad that goes takes its blocks with it. */
static void
test_release_held (void)
{
  g_autofree char *opus_caps = relais_test_mux_make_opus_caps (0);
  g_autoptr (RelaisTestMux) mux
      = relais_test_mux_new (RELAIS_TEST_VP8_CAPS, opus_caps, "hold-units", TRUE, NULL);

  push_video (mux, 0, 0);
  push_audio (mux, 10, 0);
  push_video (mux, 50, 1);
  push_audio (mux, 70, 1);
  g_clear_pointer (&mux->audio, gst_harness_teardown);
  relais_test_mux_end_unit (mux->video);
  g_assert_cmpuint (count_blocks (mux), ==, 2);
}

static void
test_flush (void)
{
  g_autofree char *opus_caps = relais_test_mux_make_opus_caps (0);
  g_autoptr (RelaisTestMux) mux
      = relais_test_mux_new (RELAIS_TEST_VP8_CAPS, opus_caps, "hold-units", TRUE, NULL);

  push_video (mux, 0, 0);
  push_audio (mux, 10, 0);
  gst_harness_push_event (mux->video, gst_event_new_flush_start ());
  gst_harness_push_event (mux->video, gst_event_new_flush_stop (TRUE));
  relais_test_mux_end_unit (mux->video);
  g_assert_cmpuint (count_blocks (mux), ==, 0);
}

/* Each run begins anew: header, offset, the wait for a keyframe. */
static void
test_states (void)
{
  g_autoptr (RelaisTestMux) mux = new_mux ();

  for (guint run = 0; run < 3; run++)
    {
      guint n_before = mux->media->blocks->len;

      push_video (mux, 1000, 0);
      push_audio (mux, 1010, 0);
      push_video (mux, 1050, 1);
      g_assert_cmpuint (count_blocks (mux), ==, n_before + 3);
      g_assert_cmpuint (mux->media->n_headers, ==, run + 1);
      g_assert_cmpint (relais_test_media_get_block (mux->media, n_before)->time, ==, 0);

      gst_element_set_state (mux->mux, run == 1 ? GST_STATE_NULL : GST_STATE_READY);
      gst_element_set_state (mux->mux, GST_STATE_PLAYING);
      for (guint i = 0; i < 2; i++)
        {
          g_autofree char *opus_caps = relais_test_mux_make_opus_caps (0);
          GstHarness *pad = i == 0 ? mux->video : mux->audio;
          g_autoptr (GstCaps) caps
              = gst_caps_from_string (i == 0 ? RELAIS_TEST_VP8_CAPS : opus_caps);
          GstSegment segment;

          gst_segment_init (&segment, GST_FORMAT_TIME);
          gst_harness_push_event (pad, gst_event_new_stream_start ("again"));
          gst_harness_push_event (pad, gst_event_new_caps (caps));
          gst_harness_push_event (pad, gst_event_new_segment (&segment));
        }
      /* without its keyframe */
      push_video (mux, 0, 2);
      g_assert_cmpuint (count_blocks (mux), ==, n_before + 3);
    }
}

/* An element that never saw a buffer, in every state. */
static void
test_unused (void)
{
  for (GstState state = GST_STATE_NULL; state <= GST_STATE_PLAYING; state++)
    for (guint n_pads = 0; n_pads < 3; n_pads++)
      {
        g_autoptr (GstElement) mux
            = gst_object_ref_sink (gst_element_factory_make ("livematroskamux", NULL));
        g_autoptr (GstPad) video = NULL;
        g_autoptr (GstPad) audio = NULL;

        if (n_pads > 0)
          video = gst_element_request_pad_simple (mux, "video_%u");
        gst_element_set_state (mux, state);
        if (n_pads > 1)
          audio = gst_element_request_pad_simple (mux, "audio_%u");
        if (n_pads > 1 && state > GST_STATE_READY)
          gst_element_release_request_pad (mux, video);
        gst_element_set_state (mux, GST_STATE_NULL);
      }
}

/* Threads */

typedef struct
{
  GstHarness *pad;
  GPtrArray *frames;
  guint64 step_us;
} Source;

static gpointer
push_from_thread (gpointer data)
{
  const Source *source = data;

  for (guint i = 0; i < source->frames->len; i++)
    {
      GstFlowReturn ret = relais_test_mux_push (source->pad, source->step_us * i,
                                                g_ptr_array_index (source->frames, i), i == 0);

      g_assert_cmpint (ret, ==, GST_FLOW_OK);
    }
  return NULL;
}

/* Each pad has its own streaming thread, as behind queues; nothing is lost and time does not go
 * back, whoever is ahead. */
static void
test_threads (void)
{
  for (guint round = 0; round < 10; round++)
    {
      g_autoptr (RelaisTestMux) mux = new_mux ();
      Source video = { mux->video, vp8, 50000 };
      Source audio = { mux->audio, opus, 60000 };
      GThread *video_thread, *audio_thread;

      video_thread = g_thread_new ("video", push_from_thread, &video);
      audio_thread = g_thread_new ("audio", push_from_thread, &audio);
      g_thread_join (video_thread);
      g_thread_join (audio_thread);

      g_assert_cmpuint (count_blocks (mux), ==, vp8->len + opus->len);
      relais_test_media_assert_in_order (mux->media);
      relais_test_media_assert_payloads (mux->media, "V_VP8", vp8, 0);
      relais_test_media_assert_payloads (mux->media, "A_OPUS", opus, 0);
    }
}

int
main (int argc, char **argv)
{
  int result;

  g_test_init (&argc, &argv, NULL);
  relais_test_gst_init ();
  vp8 = relais_test_capture_read (CAPTURE, "V_VP8");
  opus = relais_test_capture_read (CAPTURE, "A_OPUS");

  g_test_add_func ("/live-matroska-mux-life/late-caps", test_late_caps);
  g_test_add_func ("/live-matroska-mux-life/no-caps", test_no_caps);
  g_test_add_func ("/live-matroska-mux-life/too-many-pending", test_too_many_pending);
  g_test_add_func ("/live-matroska-mux-life/caps-query", test_caps_query);
  g_test_add_func ("/live-matroska-mux-life/odd-buffers", test_odd_buffers);
  g_test_add_func ("/live-matroska-mux-life/empty-buffer", test_empty_buffer);
  g_test_add_func ("/live-matroska-mux-life/eos", test_eos);
  g_test_add_func ("/live-matroska-mux-life/release-pad", test_release_pad);
  g_test_add_func ("/live-matroska-mux-life/release-held", test_release_held);
  g_test_add_func ("/live-matroska-mux-life/flush", test_flush);
  g_test_add_func ("/live-matroska-mux-life/states", test_states);
  g_test_add_func ("/live-matroska-mux-life/unused", test_unused);
  g_test_add_func ("/live-matroska-mux-life/threads", test_threads);
  result = g_test_run ();

  g_ptr_array_unref (vp8);
  g_ptr_array_unref (opus);
  return result;
}
