/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

gboolean relais_collect_pads_is_supported (GstPad *pad);
void relais_collect_pads_hold (GstPad *pad);
void relais_collect_pads_reset (GstPad *pad);
void relais_collect_pads_release (GstPad *pad, guint64 time);

G_END_DECLS
