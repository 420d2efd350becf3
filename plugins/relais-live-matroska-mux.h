/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

#define RELAIS_TYPE_LIVE_MATROSKA_MUX (relais_live_matroska_mux_get_type ())
G_DECLARE_FINAL_TYPE (RelaisLiveMatroskaMux,
                      relais_live_matroska_mux,
                      RELAIS,
                      LIVE_MATROSKA_MUX,
                      GstBin)

/* A serialized downstream event of this name, sent into any sink pad, ends a unit: see the
 * "hold-units" property. It leaves on the source pad behind the unit's last block. */
#define RELAIS_UNIT_END_EVENT "relais-unit-end"

G_END_DECLS
