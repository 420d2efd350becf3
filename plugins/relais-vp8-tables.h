/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define RELAIS_VP8_N_TOKEN_PROBABILITIES  (4 * 8 * 3 * 11)
#define RELAIS_VP8_N_VECTOR_PROBABILITIES (2 * 19)

extern const guint8 relais_vp8_token_update_probabilities[RELAIS_VP8_N_TOKEN_PROBABILITIES];
extern const guint8 relais_vp8_vector_update_probabilities[RELAIS_VP8_N_VECTOR_PROBABILITIES];

G_END_DECLS
