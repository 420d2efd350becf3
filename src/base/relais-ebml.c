/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the bytes at one place are, in the terms of EBML (RFC 8794) and Matroska (RFC 9559). Pure
 * functions over bytes that may end anywhere; RelaisEbmlScanner walks with them. */

#include "config.h"

#include "base/relais-ebml.h"

#include <string.h>

#include "base/relais-error.h"

/* EBML headers of browsers and ffmpeg are 31 to 40 bytes long. */
#define MAX_HEADER 1024
/* How far into a Cluster its Timestamp may stand. */
#define MAX_CLUSTER_PROBE 256
#define MAX_PAYLOAD       (G_GUINT64_CONSTANT (64) << 20)
/* Enough of a stream's first bytes to tell its container. */
#define MAX_DUMP 8

static const struct
{
  guint32 id;
  RelaisEbmlLevel level;
  guint64 max_size;
} known_elements[] = {
  /* RFC 9559 section 5.1. The children of BlockGroup and of level 1 elements are not looked at. */
  { RELAIS_EBML_ID_SIMPLE_BLOCK, RELAIS_EBML_LEVEL_CLUSTER, MAX_PAYLOAD },
  { RELAIS_EBML_ID_BLOCK_GROUP, RELAIS_EBML_LEVEL_CLUSTER, MAX_PAYLOAD },
  { RELAIS_EBML_ID_TIMESTAMP, RELAIS_EBML_LEVEL_CLUSTER, 8 },
  { 0xA7, RELAIS_EBML_LEVEL_CLUSTER, 8 },           /* Position */
  { 0xAB, RELAIS_EBML_LEVEL_CLUSTER, 8 },           /* PrevSize */
  { 0x5854, RELAIS_EBML_LEVEL_CLUSTER, 4096 },      /* SilentTracks */
  { 0xAF, RELAIS_EBML_LEVEL_CLUSTER, MAX_PAYLOAD }, /* EncryptedBlock */
  { RELAIS_EBML_ID_CLUSTER, RELAIS_EBML_LEVEL_SEGMENT, RELAIS_EBML_SIZE_UNKNOWN },
  { 0x114D9B74, RELAIS_EBML_LEVEL_SEGMENT, MAX_PAYLOAD }, /* SeekHead */
  { 0x1549A966, RELAIS_EBML_LEVEL_SEGMENT, MAX_PAYLOAD }, /* Info */
  { RELAIS_EBML_ID_TRACKS, RELAIS_EBML_LEVEL_SEGMENT, MAX_PAYLOAD },
  { 0x1C53BB6B, RELAIS_EBML_LEVEL_SEGMENT, MAX_PAYLOAD }, /* Cues */
  { 0x1254C367, RELAIS_EBML_LEVEL_SEGMENT, MAX_PAYLOAD }, /* Tags */
  { 0x1043A770, RELAIS_EBML_LEVEL_SEGMENT, MAX_PAYLOAD }, /* Chapters */
  { 0x1941A469, RELAIS_EBML_LEVEL_SEGMENT, MAX_PAYLOAD }, /* Attachments */
  { RELAIS_EBML_ID_SEGMENT, RELAIS_EBML_LEVEL_ROOT, RELAIS_EBML_SIZE_UNKNOWN },
};

/* RFC 8794 section 4.1: the number of leading zero bits tells the length; 0 for none. */
static gsize
vint_length (guint8 first)
{
  return first == 0 ? 0 : 9 - g_bit_storage (first);
}

/* Whether the bytes begin with the big-endian @id; of an ID of four bytes. */
static RelaisEbmlVerdict
match_id (const guint8 *data, gsize len, guint32 id)
{
  guint8 bytes[4] = { id >> 24, id >> 16 & 0xFF, id >> 8 & 0xFF, id & 0xFF };

  if (memcmp (data, bytes, MIN (len, sizeof bytes)) != 0)
    return RELAIS_EBML_NO;
  return len < sizeof bytes ? RELAIS_EBML_MORE : RELAIS_EBML_YES;
}

/**
 * relais_ebml_parse_element:
 * @data: bytes at which an element begins
 * @len: how many
 * @element: (out): the element, if the verdict is yes
 *
 * RFC 8794 sections 4 to 6: an ID of at most 4 bytes and a size of at most 8.
 *
 * Returns: whether an element can begin so
 */
RelaisEbmlVerdict
relais_ebml_parse_element (const guint8 *data, gsize len, RelaisEbmlElement *element)
{
  gsize id_length, size_length;
  guint64 mask;

  if (len == 0)
    return RELAIS_EBML_MORE;
  id_length = vint_length (data[0]);
  if (id_length == 0 || id_length > 4)
    return RELAIS_EBML_NO;
  if (len < id_length + 1)
    return RELAIS_EBML_MORE;
  size_length = vint_length (data[id_length]);
  if (size_length == 0)
    return RELAIS_EBML_NO;
  if (len < id_length + size_length)
    return RELAIS_EBML_MORE;

  element->id = 0;
  for (gsize i = 0; i < id_length; i++)
    element->id = element->id << 8 | data[i];
  element->size = 0;
  for (gsize i = 0; i < size_length; i++)
    element->size = element->size << 8 | data[id_length + i];
  mask = (G_GUINT64_CONSTANT (1) << (7 * size_length)) - 1;
  element->size &= mask;
  if (element->size == mask)
    element->size = RELAIS_EBML_SIZE_UNKNOWN;
  element->length = id_length + size_length;
  return RELAIS_EBML_YES;
}

/**
 * relais_ebml_element_is_known:
 * @id: an element's ID
 * @level: where it stands
 * @max_size: (out): the most bytes that it may have; RELAIS_EBML_SIZE_UNKNOWN if it may have an
 * unknown size (RFC 8794 section 6.2)
 *
 * Returns: whether Matroska (RFC 9559 section 5.1) or EBML (RFC 8794 section 11.3) has such an
 * element there
 */
gboolean
relais_ebml_element_is_known (guint32 id, RelaisEbmlLevel level, guint64 *max_size)
{
  /* The global elements of RFC 8794 section 11.3; a CRC-32 has a parent. */
  if (id == RELAIS_EBML_ID_VOID || (id == RELAIS_EBML_ID_CRC32 && level != RELAIS_EBML_LEVEL_ROOT))
    {
      *max_size = id == RELAIS_EBML_ID_VOID ? MAX_PAYLOAD : 4;
      return TRUE;
    }

  for (gsize i = 0; i < G_N_ELEMENTS (known_elements); i++)
    {
      if (known_elements[i].id == id && known_elements[i].level == level)
        {
          *max_size = known_elements[i].max_size;
          return TRUE;
        }
    }
  return FALSE;
}

static gboolean
is_header_child (guint32 id)
{
  switch (id)
    {
    case 0x4286: /* EBMLVersion */
    case 0x42F7: /* EBMLReadVersion */
    case 0x42F2: /* EBMLMaxIDLength */
    case 0x42F3: /* EBMLMaxSizeLength */
    case RELAIS_EBML_ID_DOC_TYPE:
    case 0x4287: /* DocTypeVersion */
    case 0x4285: /* DocTypeReadVersion */
    case 0x4281: /* DocTypeExtension */
    case RELAIS_EBML_ID_VOID:
    case RELAIS_EBML_ID_CRC32:
      return TRUE;
    default:
      return FALSE;
    }
}

static gboolean
is_our_doc_type (const guint8 *text, gsize len)
{
  /* RFC 8794 section 13: a zero byte ends a string. */
  const guint8 *end = memchr (text, 0, len);

  if (end != NULL)
    len = end - text;
  return (len == 4 && memcmp (text, "webm", 4) == 0)
         || (len == 8 && memcmp (text, "matroska", 8) == 0);
}

/**
 * relais_ebml_probe_header:
 * @data: bytes, at least one
 * @len: how many
 * @length: (out): of the whole header in bytes, if the verdict is yes
 * @reason: (out): what is wrong with it, if the verdict is no
 *
 * RFC 8794 sections 8.1 and 11.2. An answer takes at most the first 1024 bytes.
 *
 * Returns: whether the bytes begin with a whole EBML header for WebM or Matroska
 */
RelaisEbmlVerdict
relais_ebml_probe_header (const guint8 *data, gsize len, gsize *length, const char **reason)
{
  RelaisEbmlElement header, child;
  gboolean doc_type_seen = FALSE;
  RelaisEbmlVerdict verdict;

  *reason = "no EBML header";
  verdict = match_id (data, len, RELAIS_EBML_ID_EBML);
  if (verdict != RELAIS_EBML_YES)
    return verdict;

  *reason = "damaged EBML header";
  verdict = relais_ebml_parse_element (data, len, &header);
  if (verdict != RELAIS_EBML_YES)
    return verdict;
  if (header.size > MAX_HEADER - header.length)
    return RELAIS_EBML_NO;
  *length = header.length + header.size;

  for (gsize at = header.length; at < *length; at += child.length + child.size)
    {
      verdict = relais_ebml_parse_element (data + at, MIN (len, *length) - at, &child);
      if (verdict == RELAIS_EBML_MORE && len < *length)
        return RELAIS_EBML_MORE;
      if (verdict != RELAIS_EBML_YES || child.size > *length - at - child.length
          || !is_header_child (child.id))
        return RELAIS_EBML_NO;
      if (at + child.length + child.size > len)
        return RELAIS_EBML_MORE;
      if (child.id != RELAIS_EBML_ID_DOC_TYPE)
        continue;
      if (!is_our_doc_type (data + at + child.length, child.size))
        {
          *reason = "an EBML header whose DocType is neither webm nor matroska";
          return RELAIS_EBML_NO;
        }
      doc_type_seen = TRUE;
    }

  *reason = "an EBML header without DocType";
  return doc_type_seen ? RELAIS_EBML_YES : RELAIS_EBML_NO;
}

/**
 * relais_ebml_probe_cluster:
 * @data: bytes, at least one
 * @len: how many
 *
 * For a search among damaged bytes, and so more strict than RFC 9559 section 5.1.3: a Timestamp
 * must follow, before which only a CRC-32 and Void may stand. An answer takes at most the first 268
 * bytes.
 *
 * Returns: whether the bytes begin with a plausible Cluster
 */
RelaisEbmlVerdict
relais_ebml_probe_cluster (const guint8 *data, gsize len)
{
  RelaisEbmlElement cluster, child;
  RelaisEbmlVerdict verdict;
  guint64 room;

  verdict = match_id (data, len, RELAIS_EBML_ID_CLUSTER);
  if (verdict != RELAIS_EBML_YES)
    return verdict;
  verdict = relais_ebml_parse_element (data, len, &cluster);
  if (verdict != RELAIS_EBML_YES)
    return verdict;

  room = cluster.size;
  for (gsize at = cluster.length; at < MAX_CLUSTER_PROBE; at += child.length + child.size)
    {
      if (at >= len)
        return RELAIS_EBML_MORE;
      verdict = relais_ebml_parse_element (data + at, len - at, &child);
      if (verdict != RELAIS_EBML_YES)
        return verdict;
      if (child.size >= MAX_CLUSTER_PROBE || child.length + child.size > room)
        return RELAIS_EBML_NO;
      if (child.id == RELAIS_EBML_ID_TIMESTAMP)
        return child.size <= 8 ? RELAIS_EBML_YES : RELAIS_EBML_NO;
      if (child.id != RELAIS_EBML_ID_VOID && (child.id != RELAIS_EBML_ID_CRC32 || child.size != 4))
        return RELAIS_EBML_NO;
      if (room != RELAIS_EBML_SIZE_UNKNOWN)
        room -= child.length + child.size;
    }
  return RELAIS_EBML_NO;
}

/**
 * relais_ebml_dump:
 * @data: bytes
 * @len: how many
 *
 * Returns: (transfer full): the first 8 of them, in hexadecimal, for a message
 */
char *
relais_ebml_dump (const guint8 *data, gsize len)
{
  GString *text = g_string_new (NULL);

  for (gsize i = 0; i < MIN (len, MAX_DUMP); i++)
    g_string_append_printf (text, "%s%02x", i > 0 ? " " : "", data[i]);
  return g_string_free (text, FALSE);
}

/* Whether the @len bytes at @data could still become the four of @text, which stands at @at. */
static RelaisEbmlVerdict
match_text (const guint8 *data, gsize len, gsize at, const char *text)
{
  if (len <= at)
    return RELAIS_EBML_MORE;
  if (memcmp (data + at, text, MIN (len - at, 4)) != 0)
    return RELAIS_EBML_NO;
  return len < at + 4 ? RELAIS_EBML_MORE : RELAIS_EBML_YES;
}

/**
 * relais_ebml_explain_start:
 * @data: the first bytes of a connection that do not begin an EBML header
 * @len: how many, at least one
 * @reason: what relais_ebml_probe_header() said
 * @error: (out): why they are refused
 *
 * Tells a recording that is joined in its middle (RELAIS_ERROR_NO_HEADER) from what is no Matroska
 * (RELAIS_ERROR_NOT_MATROSKA), and MP4 and Ogg by name.
 *
 * Returns: RELAIS_EBML_MORE as long as more bytes may make a better message, then RELAIS_EBML_NO
 * with @error set
 */
RelaisEbmlVerdict
relais_ebml_explain_start (const guint8 *data, gsize len, const char *reason, GError **error)
{
  static const guint32 middle[]
      = { RELAIS_EBML_ID_CLUSTER, RELAIS_EBML_ID_SEGMENT, RELAIS_EBML_ID_TRACKS };
  g_autofree char *found = relais_ebml_dump (data, len);
  RelaisEbmlVerdict in_middle = RELAIS_EBML_NO, is_ogg, is_mp4;

  for (gsize i = 0; i < G_N_ELEMENTS (middle) && in_middle == RELAIS_EBML_NO; i++)
    in_middle = match_id (data, len, middle[i]);
  if (data[0] == RELAIS_EBML_ID_SIMPLE_BLOCK || data[0] == RELAIS_EBML_ID_BLOCK_GROUP)
    in_middle = RELAIS_EBML_YES;
  is_ogg = match_text (data, len, 0, "OggS");
  /* ISO/IEC 14496-12 section 4.3: a box begins with its size, and this one is small. */
  is_mp4 = data[0] == 0 ? match_text (data, len, 4, "ftyp") : RELAIS_EBML_NO;

  if (in_middle == RELAIS_EBML_MORE || is_ogg == RELAIS_EBML_MORE || is_mp4 == RELAIS_EBML_MORE)
    return RELAIS_EBML_MORE;
  if (in_middle == RELAIS_EBML_YES)
    {
      g_set_error (
          error, RELAIS_ERROR, RELAIS_ERROR_NO_HEADER,
          "the stream begins in the middle of a recording, without EBML header and Tracks: %s",
          found);
      return RELAIS_EBML_NO;
    }

  if (is_ogg == RELAIS_EBML_YES)
    reason = "this is Ogg";
  else if (is_mp4 == RELAIS_EBML_YES)
    reason = "this is MP4 (ftyp)";
  g_set_error (error, RELAIS_ERROR, RELAIS_ERROR_NOT_MATROSKA,
               "not WebM or Matroska: %s; it begins with %s", reason, found);
  return RELAIS_EBML_NO;
}
