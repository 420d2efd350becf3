/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* The ids that have a meaning here, as they stand in the file (RFC 8794 section 11, RFC 9559
 * section 5.1). */
#define RELAIS_EBML_ID_EBML         0x1A45DFA3
#define RELAIS_EBML_ID_DOC_TYPE     0x4282
#define RELAIS_EBML_ID_SEGMENT      0x18538067
#define RELAIS_EBML_ID_TRACKS       0x1654AE6B
#define RELAIS_EBML_ID_CLUSTER      0x1F43B675
#define RELAIS_EBML_ID_TIMESTAMP    0xE7
#define RELAIS_EBML_ID_SIMPLE_BLOCK 0xA3
#define RELAIS_EBML_ID_BLOCK_GROUP  0xA0
#define RELAIS_EBML_ID_VOID         0xEC
#define RELAIS_EBML_ID_CRC32        0xBF

#define RELAIS_EBML_SIZE_UNKNOWN G_MAXUINT64

/**
 * RelaisEbmlVerdict:
 * @RELAIS_EBML_NO: the bytes are not what was asked for, whatever follows
 * @RELAIS_EBML_YES: they are
 * @RELAIS_EBML_MORE: they are so far, but they end too early to tell
 */
typedef enum
{
  RELAIS_EBML_NO,
  RELAIS_EBML_YES,
  RELAIS_EBML_MORE,
} RelaisEbmlVerdict;

/* What the parent of an element is: none, a Segment or a Cluster. */
typedef enum
{
  RELAIS_EBML_LEVEL_ROOT,
  RELAIS_EBML_LEVEL_SEGMENT,
  RELAIS_EBML_LEVEL_CLUSTER,
  RELAIS_EBML_N_LEVELS,
} RelaisEbmlLevel;

/**
 * RelaisEbmlElement:
 * @id: the element's ID, with its length marker
 * @size: of its payload in bytes, or RELAIS_EBML_SIZE_UNKNOWN
 * @length: of its ID and size in bytes, at most 12
 */
typedef struct
{
  guint32 id;
  guint64 size;
  gsize length;
} RelaisEbmlElement;

RelaisEbmlVerdict
relais_ebml_parse_element (const guint8 *data, gsize len, RelaisEbmlElement *element);
gboolean relais_ebml_element_is_known (guint32 id, RelaisEbmlLevel level, guint64 *max_size);
RelaisEbmlVerdict
relais_ebml_probe_header (const guint8 *data, gsize len, gsize *length, const char **reason);
RelaisEbmlVerdict relais_ebml_probe_cluster (const guint8 *data, gsize len);
RelaisEbmlVerdict
relais_ebml_explain_start (const guint8 *data, gsize len, const char *reason, GError **error);
char *relais_ebml_dump (const guint8 *data, gsize len);

G_END_DECLS
