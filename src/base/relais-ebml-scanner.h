/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * RelaisEbmlSpanKind:
 * @RELAIS_EBML_SPAN_DATA: the bytes go on where the last span ended
 * @RELAIS_EBML_SPAN_NEW_RECORDING: the bytes begin with an EBML header: a new recording
 * @RELAIS_EBML_SPAN_RESYNC: bytes before these were damaged and skipped; these begin with a Cluster
 * of the same recording
 */
typedef enum
{
  RELAIS_EBML_SPAN_DATA = 0,
  RELAIS_EBML_SPAN_NEW_RECORDING = 1,
  RELAIS_EBML_SPAN_RESYNC = 2,
} RelaisEbmlSpanKind;

typedef struct _RelaisEbmlScanner RelaisEbmlScanner;

/**
 * RelaisEbmlSpanFunc:
 * @span: (transfer none): the bytes; take a reference to keep them
 * @kind: what they are
 * @user_data: what was given to relais_ebml_scanner_feed()
 */
typedef void (*RelaisEbmlSpanFunc) (GBytes *span, RelaisEbmlSpanKind kind, gpointer user_data);

RelaisEbmlScanner *relais_ebml_scanner_new (gsize max_header_bytes);
void relais_ebml_scanner_free (RelaisEbmlScanner *self);
gboolean relais_ebml_scanner_feed (RelaisEbmlScanner *self,
                                   GBytes *chunk,
                                   RelaisEbmlSpanFunc func,
                                   gpointer user_data,
                                   GError **error);
gboolean relais_ebml_scanner_has_header (RelaisEbmlScanner *self);
GBytes *relais_ebml_scanner_get_header (RelaisEbmlScanner *self);
guint64 relais_ebml_scanner_get_skipped (RelaisEbmlScanner *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (RelaisEbmlScanner, relais_ebml_scanner_free)

G_END_DECLS
