/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The one place that reaches into another element: it stops the stock matroskamux from waiting.
 *
 * matroskamux collects one buffer on every pad before it writes any (GstCollectPads, its audio and
 * video pads LOCKED in the waiting state). That is right for files and wrong for live: with one
 * silent track everything stops, for good. Its pads keep their GstCollectData in the pad's element
 * private; GstCollectPads is public API, so before a buffer enters one pad we tell the collection,
 * under its stream lock, that no other pad is waited for: unlock the state, move the pad's position
 * past the buffer's time (otherwise the next recalculation makes it wait again) and clear its
 * waiting flag. The muxer then writes the buffer on the calling thread at once, so blocks leave in
 * the order in which they arrive.
 *
 * Works with matroskamux 1.22, which is a GstCollectPads muxer; a later one may be a GstAggregator.
 * Whoever uses this asks relais_collect_pads_is_supported() first and refuses to run if not. */

#include "config.h"

#include "relais-collect-pads.h"

#include <gst/base/gstcollectpads.h>

static GstCollectData *
get_collect_data (GstPad *pad)
{
  return gst_pad_get_element_private (pad);
}

/**
 * relais_collect_pads_is_supported:
 * @pad: a sink pad of a muxer
 *
 * Returns: whether @pad really is collected by a #GstCollectPads
 */
gboolean
relais_collect_pads_is_supported (GstPad *pad)
{
  GstCollectData *data = get_collect_data (pad);

  return data != NULL && data->pad == pad && GST_IS_COLLECT_PADS (data->collect);
}

/**
 * relais_collect_pads_release:
 * @pad: a sink pad of the muxer for which relais_collect_pads_is_supported() holds
 * @time: running time in ns of the buffer that is about to enter another pad
 *
 * Tells the muxer not to wait for @pad before it writes that buffer. Takes the collection's stream
 * lock; the caller must see to it that no buffer enters any pad of the muxer meanwhile.
 */
void
relais_collect_pads_release (GstPad *pad, guint64 time)
{
  GstCollectData *data = get_collect_data (pad);

  GST_COLLECT_PADS_STREAM_LOCK (data->collect);
  GST_COLLECT_PADS_STATE_UNSET (data, GST_COLLECT_PADS_STATE_LOCKED);
  /* Before its first event a pad has no segment, and the collection would begin one at zero, behind
   * the buffer's time. */
  if (data->segment.format != GST_FORMAT_TIME)
    gst_segment_init (&data->segment, GST_FORMAT_TIME);
  data->segment.position = MAX (data->segment.position, time + 1);
  gst_collect_pads_set_waiting (data->collect, data, FALSE);
  GST_COLLECT_PADS_STREAM_UNLOCK (data->collect);
}

/**
 * relais_collect_pads_hold:
 * @pad: a sink pad of the muxer for which relais_collect_pads_is_supported() holds
 *
 * Undoes relais_collect_pads_release(). When another pad ends, a collection that waits for nobody
 * would take the whole stream to be over.
 */
void
relais_collect_pads_hold (GstPad *pad)
{
  GstCollectData *data = get_collect_data (pad);

  GST_COLLECT_PADS_STREAM_LOCK (data->collect);
  gst_collect_pads_set_waiting (data->collect, data, TRUE);
  GST_COLLECT_PADS_STREAM_UNLOCK (data->collect);
}

/**
 * relais_collect_pads_reset:
 * @pad: a sink pad of the muxer for which relais_collect_pads_is_supported() holds, and which has
 * stopped
 *
 * A collection that stops forgets how many pads it waits for, but not which: after this both say
 * all.
 */
void
relais_collect_pads_reset (GstPad *pad)
{
  GstCollectData *data = get_collect_data (pad);

  GST_COLLECT_PADS_STREAM_LOCK (data->collect);
  GST_COLLECT_PADS_STATE_SET (data, GST_COLLECT_PADS_STATE_WAITING);
  GST_COLLECT_PADS_STREAM_UNLOCK (data->collect);
}
