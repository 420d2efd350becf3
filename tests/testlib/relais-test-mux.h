/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gst/check/gstharness.h>

#include "relais-test-media.h"

G_BEGIN_DECLS

#define RELAIS_TEST_VP8_CAPS "video/x-vp8, width=640, height=360, framerate=0/1"
#define RELAIS_TEST_H264_CAPS                                                                      \
  "video/x-h264, stream-format=avc, alignment=au, width=640, height=360, framerate=0/1, "          \
  "codec_data=(buffer)0142c01effe1000467420042010002684e"

/* The pre-skip of RELAIS_TEST_OPUS_CAPS, 312 samples of 48 kHz, in ns: what libopus and Firefox
 * say. */
#define RELAIS_TEST_OPUS_DELAY G_GUINT64_CONSTANT (6500000)

/* livematroskamux alone, with a pad for each of the caps. */
typedef struct
{
  GstElement *mux;        /* owned */
  GstHarness *video;      /* owned; NULL without video */
  GstHarness *audio;      /* owned; NULL without audio */
  GstHarness *output;     /* the one of the two that holds what the mux pushed */
  RelaisTestMedia *media; /* owned: everything that was pulled, parsed */
} RelaisTestMux;

RelaisTestMux *relais_test_mux_new (const char *video_caps,
                                    const char *audio_caps,
                                    const char *first_property,
                                    ...);
void relais_test_mux_free (RelaisTestMux *self);
char *relais_test_mux_make_opus_caps (guint pre_skip);

GstFlowReturn
relais_test_mux_push (GstHarness *pad, guint64 time_us, GBytes *frame, gboolean flagged_key);
gboolean relais_test_mux_end_unit (GstHarness *pad);
GstBuffer *relais_test_mux_pull (RelaisTestMux *self);
guint relais_test_mux_pull_all (RelaisTestMux *self);
guint64 relais_test_mux_get_end_time (RelaisTestMux *self);
guint64 relais_test_mux_get_stat (RelaisTestMux *self, const char *pad, const char *name);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (RelaisTestMux, relais_test_mux_free)

G_END_DECLS
