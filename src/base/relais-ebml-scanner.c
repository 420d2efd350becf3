/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Walks the element structure of what one publisher sends (EBML: RFC 8794, Matroska: RFC 9559),
 * chunk by chunk, and hands the bytes on in spans: where a recording begins, where it goes on, and
 * where it goes on after damage.
 *
 * Work is done per element, not per byte: payloads are stepped over, only a search after damage
 * looks at every byte. A chunk that is one span is handed on as it is; otherwise spans are slices
 * of the chunk.
 *
 * An element header (ID and size, up to 12 bytes) that a chunk's end cuts in two is held back and
 * joined to the next chunk. So whoever takes the spans sees element headers that are whole and that
 * were found valid, and damage between elements never reaches him. Held back in the same way is
 * what may turn out to be an EBML header (up to 1 KiB) and, in a search, what may turn out to be a
 * Cluster (up to 256 bytes).
 *
 * Memory: at most max_header_bytes for the header of the current recording, and 2.5 KiB held back.
 * While a chunk is fed that follows held bytes, a copy of that chunk.
 *
 * Damage cannot be seen inside the payload of an element: bytes lost there shift what follows, and
 * the walker notices at the next place where an element must begin. Before the first Cluster of a
 * recording damage is an error, as no one can play what follows; after it, the bytes up to the next
 * plausible Cluster or EBML header are skipped.
 *
 * Owned and used by one thread. */

#include "config.h"

#include "base/relais-ebml-scanner.h"

#include <string.h>

#include "base/relais-error.h"

#define ID_EBML          0x1A45DFA3
#define ID_EBML_DOC_TYPE 0x4282
#define ID_SEGMENT       0x18538067
#define ID_TRACKS        0x1654AE6B
#define ID_CLUSTER       0x1F43B675
#define ID_TIMESTAMP     0xE7
#define ID_SIMPLE_BLOCK  0xA3
#define ID_BLOCK_GROUP   0xA0
#define ID_VOID          0xEC
#define ID_CRC32         0xBF

#define SIZE_UNKNOWN G_MAXUINT64

/* EBML headers of browsers and ffmpeg are 31 to 40 bytes long. */
#define MAX_EBML_HEADER 1024
/* How far into a Cluster its Timestamp is looked for before a search believes in it. */
#define MAX_CLUSTER_PROBE 256
#define MAX_ELEMENT_BYTES (G_GUINT64_CONSTANT (64) << 20)
#define MAX_SEARCH_BYTES  (G_GUINT64_CONSTANT (8) << 20)
/* Enough of a stream's first bytes to tell its container. */
#define MAX_SNIFF 8

typedef enum
{
  VERDICT_NO,
  VERDICT_YES,
  VERDICT_MORE, /* so far so good, but the bytes end */
} Verdict;

typedef enum
{
  STATE_START,   /* nothing but the first recording's EBML header may come */
  STATE_ELEMENT, /* an element must begin */
  STATE_PAYLOAD, /* inside an element that is stepped over */
  STATE_SEARCH,  /* after damage */
} State;

typedef enum
{
  LEVEL_ROOT,
  LEVEL_SEGMENT,
  LEVEL_CLUSTER,
} Level;

typedef struct
{
  guint32 id;
  guint64 size; /* SIZE_UNKNOWN, or of the payload in bytes */
  gsize length; /* of the ID and the size, in bytes */
} Element;

struct _RelaisEbmlScanner
{
  gsize max_header_bytes;
  State state;
  GError *failure; /* set once, repeated by every later feed */

  GByteArray *held;  /* not handed on yet */
  gssize restart_at; /* where in held a chunk began that may be a new recording; -1: nowhere */
  guint64 offset;    /* of the first byte of held, or of the next chunk, from the connection's first
                        byte */

  Level level;
  guint64 end[LEVEL_CLUSTER + 1]; /* offsets at which the open parents end; SIZE_UNKNOWN */
  gboolean cluster_unknown; /* the open Cluster is of unknown size: a level 1 element ends it */
  gboolean segment_seen;
  gboolean tracks_seen;
  guint64 payload_left;

  guint64 header_offset; /* where the bytes without a Cluster began */
  GByteArray *growing;   /* the header, until it is complete */
  GBytes *header;        /* afterwards */

  const char *damage;
  char *damage_found;
  guint64 damage_offset;
  guint64 searched;
  guint64 skipped;
};

/* One feed. The span that is open runs from start; what is before start has been handed on or
 * skipped. */
typedef struct
{
  GBytes *chunk; /* with the held bytes before it */
  const guint8 *data;
  gsize start;
  gsize header_from; /* what follows is not in growing yet */
  RelaisEbmlSpanKind kind;
  RelaisEbmlSpanFunc func;
  gpointer user_data;
} Feed;

static const struct
{
  guint32 id;
  Level level;
  guint64 max_size;
} known_elements[] = {
  /* RFC 9559 section 5.1; the children of BlockGroup and of the level 1 elements are not looked at.
   */
  { ID_SIMPLE_BLOCK, LEVEL_CLUSTER, MAX_ELEMENT_BYTES },
  { ID_BLOCK_GROUP, LEVEL_CLUSTER, MAX_ELEMENT_BYTES },
  { ID_TIMESTAMP, LEVEL_CLUSTER, 8 },
  { 0xA7, LEVEL_CLUSTER, 8 },                 /* Position */
  { 0xAB, LEVEL_CLUSTER, 8 },                 /* PrevSize */
  { 0x5854, LEVEL_CLUSTER, 4096 },            /* SilentTracks */
  { 0xAF, LEVEL_CLUSTER, MAX_ELEMENT_BYTES }, /* EncryptedBlock */
  { ID_CLUSTER, LEVEL_SEGMENT, SIZE_UNKNOWN },
  { 0x114D9B74, LEVEL_SEGMENT, MAX_ELEMENT_BYTES }, /* SeekHead */
  { 0x1549A966, LEVEL_SEGMENT, MAX_ELEMENT_BYTES }, /* Info */
  { ID_TRACKS, LEVEL_SEGMENT, MAX_ELEMENT_BYTES },
  { 0x1C53BB6B, LEVEL_SEGMENT, MAX_ELEMENT_BYTES }, /* Cues */
  { 0x1254C367, LEVEL_SEGMENT, MAX_ELEMENT_BYTES }, /* Tags */
  { 0x1043A770, LEVEL_SEGMENT, MAX_ELEMENT_BYTES }, /* Chapters */
  { 0x1941A469, LEVEL_SEGMENT, MAX_ELEMENT_BYTES }, /* Attachments */
  { ID_SEGMENT, LEVEL_ROOT, SIZE_UNKNOWN },
};

static gboolean
element_is_known (guint32 id, Level level, guint64 *max_size)
{
  /* The global elements of RFC 8794 section 11.3; a CRC-32 has a parent. */
  if (id == ID_VOID || (id == ID_CRC32 && level != LEVEL_ROOT))
    {
      *max_size = id == ID_VOID ? MAX_ELEMENT_BYTES : 4;
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

/* RFC 8794 section 4.1: the number of leading zero bits tells the length; 0 for none. */
static gsize
vint_length (guint8 first)
{
  return first == 0 ? 0 : 9 - g_bit_storage (first);
}

/* RFC 8794 sections 5 and 6. */
static Verdict
element_parse (const guint8 *data, gsize len, Element *element)
{
  gsize id_length, size_length;
  guint64 mask;

  if (len == 0)
    return VERDICT_MORE;
  id_length = vint_length (data[0]);
  if (id_length == 0 || id_length > 4)
    return VERDICT_NO;
  if (len < id_length + 1)
    return VERDICT_MORE;
  size_length = vint_length (data[id_length]);
  if (size_length == 0)
    return VERDICT_NO;
  if (len < id_length + size_length)
    return VERDICT_MORE;

  element->id = 0;
  for (gsize i = 0; i < id_length; i++)
    element->id = element->id << 8 | data[i];
  element->size = 0;
  for (gsize i = 0; i < size_length; i++)
    element->size = element->size << 8 | data[id_length + i];
  mask = (G_GUINT64_CONSTANT (1) << (7 * size_length)) - 1;
  element->size &= mask;
  if (element->size == mask)
    element->size = SIZE_UNKNOWN;
  element->length = id_length + size_length;
  return VERDICT_YES;
}

/* Whether the bytes begin with the big-endian @id; of an ID of four bytes. */
static Verdict
match_id (const guint8 *data, gsize len, guint32 id)
{
  guint8 bytes[4] = { id >> 24, id >> 16 & 0xFF, id >> 8 & 0xFF, id & 0xFF };

  if (memcmp (data, bytes, MIN (len, sizeof bytes)) != 0)
    return VERDICT_NO;
  return len < sizeof bytes ? VERDICT_MORE : VERDICT_YES;
}

/* RFC 8794 section 8.1 and 11.2: a whole EBML header, its length in @length; @reason for a no. */
static Verdict
probe_ebml_header (const guint8 *data, gsize len, gsize *length, const char **reason)
{
  static const guint16 children[] = { 0x4286, 0x42F7, 0x42F2, 0x42F3,  ID_EBML_DOC_TYPE,
                                      0x4287, 0x4285, 0x4281, ID_VOID, ID_CRC32 };
  Element header, child;
  gboolean doc_type_seen = FALSE;
  Verdict verdict;

  *reason = "no EBML header";
  verdict = match_id (data, len, ID_EBML);
  if (verdict != VERDICT_YES)
    return verdict;

  *reason = "damaged EBML header";
  verdict = element_parse (data, len, &header);
  if (verdict != VERDICT_YES)
    return verdict;
  if (header.size > MAX_EBML_HEADER - header.length)
    return VERDICT_NO;
  *length = header.length + header.size;

  for (gsize at = header.length; at < *length; at += child.length + child.size)
    {
      gboolean known = FALSE;

      verdict = element_parse (data + at, MIN (len, *length) - at, &child);
      if (verdict == VERDICT_MORE && len < *length)
        return VERDICT_MORE;
      if (verdict != VERDICT_YES || child.size > *length - at - child.length)
        return VERDICT_NO;
      for (gsize i = 0; i < G_N_ELEMENTS (children); i++)
        known = known || children[i] == child.id;
      if (!known)
        return VERDICT_NO;
      if (child.id == ID_EBML_DOC_TYPE)
        {
          const guint8 *text = data + at + child.length;
          gsize text_len = child.size;

          if (at + child.length + child.size > len)
            return VERDICT_MORE;
          /* RFC 8794 section 7.4: a string may be padded with zeros. */
          while (text_len > 0 && text[text_len - 1] == 0)
            text_len--;
          if (!(text_len == 4 && memcmp (text, "webm", 4) == 0)
              && !(text_len == 8 && memcmp (text, "matroska", 8) == 0))
            {
              *reason = "an EBML header whose DocType is neither webm nor matroska";
              return VERDICT_NO;
            }
          doc_type_seen = TRUE;
        }
      if (at + child.length + child.size > len)
        return VERDICT_MORE;
    }

  *reason = "an EBML header without DocType";
  return doc_type_seen ? VERDICT_YES : VERDICT_NO;
}

/* A Cluster, for a search: its ID, a valid size, and its Timestamp, before which only a CRC-32 and
 * Void may stand. */
static Verdict
probe_cluster (const guint8 *data, gsize len)
{
  gboolean cut = len < MAX_CLUSTER_PROBE;
  Element cluster, child;
  Verdict verdict;
  guint64 room;

  verdict = match_id (data, len, ID_CLUSTER);
  if (verdict != VERDICT_YES)
    return verdict;
  verdict = element_parse (data, len, &cluster);
  if (verdict != VERDICT_YES)
    return verdict;

  room = cluster.size;
  for (gsize at = cluster.length; at < MAX_CLUSTER_PROBE; at += child.length + child.size)
    {
      if (at >= len)
        return VERDICT_MORE;
      verdict = element_parse (data + at, len - at, &child);
      if (verdict != VERDICT_YES)
        return cut ? verdict : VERDICT_NO;
      if (child.size >= MAX_CLUSTER_PROBE || child.length + child.size > room)
        return VERDICT_NO;
      if (child.id == ID_TIMESTAMP)
        return child.size <= 8 ? VERDICT_YES : VERDICT_NO;
      if (child.id != ID_VOID && (child.id != ID_CRC32 || child.size != 4))
        return VERDICT_NO;
      if (room != SIZE_UNKNOWN)
        room -= child.length + child.size;
    }
  return VERDICT_NO;
}

static char *
dump (const guint8 *data, gsize len)
{
  GString *text = g_string_new (NULL);

  for (gsize i = 0; i < MIN (len, MAX_SNIFF); i++)
    g_string_append_printf (text, "%s%02x", i > 0 ? " " : "", data[i]);
  return g_string_free (text, FALSE);
}

static void
feed_span (Feed *feed, gsize to)
{
  g_autoptr (GBytes) span = NULL;

  if (to == feed->start)
    return;
  span = g_bytes_new_from_bytes (feed->chunk, feed->start, to - feed->start);
  feed->func (span, feed->kind, feed->user_data);
  feed->start = to;
  feed->kind = RELAIS_EBML_SPAN_DATA;
}

/* What is in the feed up to @to belongs to a header that is not complete. */
static void
grow_header (RelaisEbmlScanner *self, Feed *feed, gsize to)
{
  if (self->growing == NULL || to <= feed->header_from)
    return;
  g_byte_array_append (self->growing, feed->data + feed->header_from, to - feed->header_from);
  feed->header_from = to;
}

static void
begin_recording (RelaisEbmlScanner *self, Feed *feed, gsize at, gsize length)
{
  feed_span (feed, at);
  feed->kind = RELAIS_EBML_SPAN_NEW_RECORDING;
  feed->header_from = at;

  /* Recordings that never come to a Cluster share one limit. */
  if (self->growing == NULL)
    self->header_offset = self->offset + at;
  g_clear_pointer (&self->growing, g_byte_array_unref);
  g_clear_pointer (&self->header, g_bytes_unref);
  self->growing = g_byte_array_new ();

  self->state = STATE_PAYLOAD;
  self->payload_left = length;
  self->level = LEVEL_ROOT;
  self->segment_seen = FALSE;
  self->tracks_seen = FALSE;
}

static gboolean
fail_at_start (RelaisEbmlScanner *self,
               const guint8 *data,
               gsize len,
               const char *reason,
               GError **error)
{
  g_autofree char *found = dump (data, len);

  if (len >= 4 && memcmp (data, "OggS", 4) == 0)
    reason = "this is Ogg";
  else if (len >= 8 && memcmp (data + 4, "ftyp", 4) == 0)
    reason = "this is MP4 (ftyp)";
  g_set_error (error, RELAIS_ERROR, RELAIS_ERROR_NOT_MATROSKA,
               "not WebM or Matroska: %s; it begins with %s", reason, found);
  return FALSE;
}

/* The first bytes of the connection. They are waited for as long as they may name a container that
 * the error can tell. */
static Verdict
walk_start (RelaisEbmlScanner *self, Feed *feed, const guint8 *data, gsize len, GError **error)
{
  static const guint32 middle[] = { ID_CLUSTER, ID_SEGMENT, ID_TRACKS };
  const char *reason;
  gsize length;
  Verdict verdict;

  verdict = probe_ebml_header (data, len, &length, &reason);
  if (verdict == VERDICT_YES)
    begin_recording (self, feed, 0, length);
  if (verdict != VERDICT_NO)
    return verdict;

  for (gsize i = 0; i < G_N_ELEMENTS (middle) && verdict == VERDICT_NO; i++)
    verdict = match_id (data, len, middle[i]);
  if (data[0] == ID_SIMPLE_BLOCK || data[0] == ID_BLOCK_GROUP)
    verdict = VERDICT_YES;
  if (verdict == VERDICT_YES)
    {
      g_autofree char *found = dump (data, len);

      g_set_error (
          error, RELAIS_ERROR, RELAIS_ERROR_NO_HEADER,
          "the stream begins in the middle of a recording, without EBML header and Tracks: %s",
          found);
      return VERDICT_NO;
    }
  if (verdict == VERDICT_MORE || (len < 4 && memcmp (data, "OggS", len) == 0)
      || (len < 8 && data[0] == 0
          && memcmp (data + MIN (len, 4), "ftyp", len > 4 ? len - 4 : 0) == 0))
    return VERDICT_MORE;

  fail_at_start (self, data, len, reason, error);
  return VERDICT_NO;
}

/* Where an element must begin stands something else: an error in a header, the begin of a search
 * after it. */
static void
take_damage (RelaisEbmlScanner *self,
             Feed *feed,
             gsize at,
             gsize len,
             const char *damage,
             GError **error)
{
  self->damage = damage;
  self->damage_offset = self->offset + at;
  g_free (self->damage_found);
  self->damage_found = dump (feed->data + at, len);
  if (self->header == NULL)
    {
      g_set_error (error, RELAIS_ERROR, RELAIS_ERROR_CORRUPT,
                   "the header is damaged: %s at byte %" G_GUINT64_FORMAT ", found %s", damage,
                   self->damage_offset, self->damage_found);
      return;
    }

  feed_span (feed, at);
  self->state = STATE_SEARCH;
  self->searched = 0;
}

/* Enters the element whose header is @element at offset @at. Returns: what is wrong with it, or
 * NULL. */
static const char *
enter_element (RelaisEbmlScanner *self, const Element *element, guint64 at)
{
  guint64 max_size, end;

  while (self->level > LEVEL_ROOT && at >= self->end[self->level])
    self->level--;
  /* RFC 8794 section 6.2: an element of unknown size ends with the first that cannot be its child.
   */
  if (self->level == LEVEL_CLUSTER && self->cluster_unknown
      && !element_is_known (element->id, LEVEL_CLUSTER, &max_size)
      && element_is_known (element->id, LEVEL_SEGMENT, &max_size))
    self->level = LEVEL_SEGMENT;

  if (!element_is_known (element->id, self->level, &max_size))
    return "an element that is not known there";
  if (element->id == ID_SEGMENT && self->segment_seen)
    return "a second Segment";
  if (element->size == SIZE_UNKNOWN && max_size != SIZE_UNKNOWN)
    return "an element of unknown size";
  if (element->size != SIZE_UNKNOWN && element->size > max_size)
    return "an element of excessive size";

  end = element->size == SIZE_UNKNOWN ? SIZE_UNKNOWN : at + element->length + element->size;
  if (self->level > LEVEL_ROOT)
    {
      guint64 parent_end = self->end[self->level];

      if (at + element->length > parent_end || (end != SIZE_UNKNOWN && end > parent_end))
        return "an element larger than its parent";
      end = MIN (end, parent_end);
    }

  self->state = STATE_PAYLOAD;
  self->payload_left = element->length;
  if (element->id == ID_SEGMENT || element->id == ID_CLUSTER)
    {
      self->level = element->id == ID_SEGMENT ? LEVEL_SEGMENT : LEVEL_CLUSTER;
      self->end[self->level] = end;
      self->segment_seen = TRUE;
      self->cluster_unknown = element->size == SIZE_UNKNOWN;
    }
  else
    {
      self->payload_left += element->size;
      self->tracks_seen = self->tracks_seen || element->id == ID_TRACKS;
    }
  return NULL;
}

/* The first Cluster begins at @at. */
static gboolean
complete_header (RelaisEbmlScanner *self, Feed *feed, gsize at, GError **error)
{
  if (!self->tracks_seen)
    {
      g_set_error_literal (error, RELAIS_ERROR, RELAIS_ERROR_NO_HEADER,
                           "the first Cluster comes before any Tracks");
      return FALSE;
    }
  grow_header (self, feed, at);
  self->header = g_byte_array_free_to_bytes (g_steal_pointer (&self->growing));
  return TRUE;
}

/* Walks one element header at @at; VERDICT_NO with @error, or after damage without. */
static Verdict
walk_element (RelaisEbmlScanner *self, Feed *feed, gsize at, gsize to, GError **error)
{
  const guint8 *data = feed->data + at;
  const char *damage;
  Element element;
  gsize length;
  Verdict verdict;

  /* Whatever parents are open: a recorder that was stopped leaves them so. */
  verdict = probe_ebml_header (data, to - at, &length, &damage);
  if (verdict == VERDICT_YES)
    begin_recording (self, feed, at, length);
  if (verdict != VERDICT_NO)
    return verdict;

  verdict = element_parse (data, to - at, &element);
  if (verdict == VERDICT_MORE)
    return verdict;
  damage = verdict == VERDICT_NO ? "no element" : enter_element (self, &element, self->offset + at);
  if (damage != NULL)
    {
      take_damage (self, feed, at, to - at, damage, error);
      return VERDICT_NO;
    }
  if (self->growing != NULL && element.id == ID_CLUSTER && !complete_header (self, feed, at, error))
    return VERDICT_NO;
  return VERDICT_YES;
}

/* Looks for the place from which the stream can be read again; @at moves to it or to what is to be
 * held. */
static Verdict
walk_search (RelaisEbmlScanner *self, Feed *feed, gsize *at, gsize to, GError **error)
{
  gsize from = *at;
  Verdict verdict = VERDICT_NO;
  gboolean is_cluster = FALSE;
  const char *reason;
  gsize length;

  for (; *at < to && verdict == VERDICT_NO; *at += verdict == VERDICT_NO)
    {
      const guint8 *data = feed->data + *at;

      if (data[0] == ID_CLUSTER >> 24)
        {
          verdict = probe_cluster (data, to - *at);
          is_cluster = TRUE;
        }
      else if (data[0] == ID_EBML >> 24)
        {
          verdict = probe_ebml_header (data, to - *at, &length, &reason);
          is_cluster = FALSE;
        }
    }

  self->searched += *at - from;
  self->skipped += *at - from;
  feed->start = *at;
  if (self->searched > MAX_SEARCH_BYTES)
    {
      g_set_error (error, RELAIS_ERROR, RELAIS_ERROR_CORRUPT,
                   "%s at byte %" G_GUINT64_FORMAT ", found %s, and no Cluster after it",
                   self->damage, self->damage_offset, self->damage_found);
      return VERDICT_NO;
    }
  if (verdict == VERDICT_YES && is_cluster)
    {
      /* Bytes are missing: where the Segment was to end no longer tells anything. */
      feed->kind = RELAIS_EBML_SPAN_RESYNC;
      self->level = LEVEL_SEGMENT;
      self->end[LEVEL_SEGMENT] = SIZE_UNKNOWN;
      self->state = STATE_ELEMENT;
    }
  else if (verdict == VERDICT_YES)
    begin_recording (self, feed, *at, length);
  return verdict;
}

static void
walk_payload (RelaisEbmlScanner *self, gsize *at, gsize to, GError **error)
{
  gsize step = MIN (self->payload_left, to - *at);

  if (self->growing != NULL
      && self->offset + *at + self->payload_left - self->header_offset > self->max_header_bytes)
    {
      g_set_error (error, RELAIS_ERROR, RELAIS_ERROR_HEADER_TOO_LARGE,
                   "no Cluster within the first %" G_GSIZE_FORMAT " bytes", self->max_header_bytes);
      return;
    }

  *at += step;
  self->payload_left -= step;
  if (self->payload_left == 0)
    self->state = STATE_ELEMENT;
}

/* Walks the bytes [@at, @to). Returns: where it stopped for want of bytes, that is @to or before
 * it; -1 with @error. */
static gssize
walk (RelaisEbmlScanner *self, Feed *feed, gsize at, gsize to, GError **error)
{
  GError *failure = NULL;
  Verdict verdict = VERDICT_YES;

  while (at < to && verdict != VERDICT_MORE && failure == NULL)
    {
      switch (self->state)
        {
        case STATE_START:
          verdict = walk_start (self, feed, feed->data + at, to - at, &failure);
          break;
        case STATE_ELEMENT:
          verdict = walk_element (self, feed, at, to, &failure);
          break;
        case STATE_SEARCH:
          verdict = walk_search (self, feed, &at, to, &failure);
          break;
        case STATE_PAYLOAD:
        default:
          walk_payload (self, &at, to, &failure);
          break;
        }
    }

  if (failure != NULL)
    {
      g_propagate_error (error, failure);
      return -1;
    }
  return at;
}

/* A chunk that begins with an EBML header begins a recording, even if the last one ended in the
 * middle of an element. Two chunks may have been the first of a recording: this one, which begins
 * at @chunk_at, and one that is held because it was too short to tell. */
static Verdict
find_restart (RelaisEbmlScanner *self,
              Feed *feed,
              gsize chunk_at,
              gsize len,
              gsize *at,
              gsize *length)
{
  const char *reason;

  if (self->state == STATE_START)
    return VERDICT_NO;
  if (self->restart_at >= 0)
    {
      Verdict verdict;

      *at = self->restart_at;
      verdict = probe_ebml_header (feed->data + *at, len - *at, length, &reason);
      if (verdict != VERDICT_NO)
        return verdict;
    }
  *at = chunk_at;
  return probe_ebml_header (feed->data + *at, len - *at, length, &reason);
}

static gboolean
scan (RelaisEbmlScanner *self, Feed *feed, gsize chunk_at, gsize len, GError **error)
{
  gsize restart_at = 0, length = 0;
  Verdict restart;
  gssize stop;

  restart = find_restart (self, feed, chunk_at, len, &restart_at, &length);
  stop = walk (self, feed, 0, restart == VERDICT_NO ? len : restart_at, error);
  if (stop >= 0 && restart == VERDICT_YES)
    {
      if (self->state == STATE_SEARCH)
        {
          self->skipped += restart_at - stop;
          feed->start = restart_at;
        }
      begin_recording (self, feed, restart_at, length);
      stop = walk (self, feed, restart_at, len, error);
    }
  if (stop < 0)
    return FALSE;

  grow_header (self, feed, stop);
  if (self->state == STATE_SEARCH)
    feed->start = stop;
  feed_span (feed, stop);
  g_byte_array_set_size (self->held, 0);
  g_byte_array_append (self->held, feed->data + stop, len - stop);
  self->restart_at = restart == VERDICT_MORE ? (gssize) restart_at - stop : -1;
  self->offset += stop;
  return TRUE;
}

/**
 * relais_ebml_scanner_new:
 * @max_header_bytes: the largest header (EBML header up to the first Cluster) that is accepted
 *
 * Returns: (transfer full): a scanner for the bytes of one connection
 */
RelaisEbmlScanner *
relais_ebml_scanner_new (gsize max_header_bytes)
{
  RelaisEbmlScanner *self = g_new0 (RelaisEbmlScanner, 1);

  self->max_header_bytes = max_header_bytes;
  self->held = g_byte_array_new ();
  self->restart_at = -1;
  return self;
}

void
relais_ebml_scanner_free (RelaisEbmlScanner *self)
{
  g_clear_error (&self->failure);
  g_byte_array_unref (self->held);
  g_clear_pointer (&self->growing, g_byte_array_unref);
  g_clear_pointer (&self->header, g_bytes_unref);
  g_free (self->damage_found);
  g_free (self);
}

/**
 * relais_ebml_scanner_feed:
 * @self: the scanner
 * @chunk: the next bytes of the connection, cut anywhere
 * @func: (scope call): takes the spans, in order; may ask the scanner, may not feed or free it
 * @user_data: for @func
 * @error: a place for an error
 *
 * All bytes of a connection leave in spans, once and in order, but those that were skipped as
 * damaged and the few that are held back until the next chunk tells what they are. After an error
 * the scanner is of no more use; every later call fails with the same error.
 *
 * Errors: RELAIS_ERROR_NOT_MATROSKA and RELAIS_ERROR_NO_HEADER as soon as the first bytes tell;
 * RELAIS_ERROR_HEADER_TOO_LARGE as soon as an element is announced that goes past the limit;
 * RELAIS_ERROR_CORRUPT for damage before the first Cluster, or when within 8 MiB after damage no
 * Cluster and no EBML header is found.
 *
 * Returns: FALSE with @error set if nothing more can be made of this connection
 */
gboolean
relais_ebml_scanner_feed (RelaisEbmlScanner *self,
                          GBytes *chunk,
                          RelaisEbmlSpanFunc func,
                          gpointer user_data,
                          GError **error)
{
  g_autoptr (GBytes) joined = NULL;
  gsize held = self->held->len;
  gsize len = g_bytes_get_size (chunk);
  Feed feed = { .func = func, .user_data = user_data };

  if (self->failure == NULL && len > 0)
    {
      if (held > 0)
        {
          g_byte_array_append (self->held, g_bytes_get_data (chunk, NULL), len);
          joined = g_byte_array_free_to_bytes (self->held);
          self->held = g_byte_array_new ();
        }
      feed.chunk = joined != NULL ? joined : chunk;
      feed.data = g_bytes_get_data (feed.chunk, NULL);
      scan (self, &feed, held, held + len, &self->failure);
    }

  if (self->failure != NULL && error != NULL)
    *error = g_error_copy (self->failure);
  return self->failure == NULL;
}

/**
 * relais_ebml_scanner_has_header:
 * @self: the scanner
 *
 * Returns: whether the first Cluster of the current recording has begun, so that its header is
 * complete
 */
gboolean
relais_ebml_scanner_has_header (RelaisEbmlScanner *self)
{
  return self->header != NULL;
}

/**
 * relais_ebml_scanner_get_header:
 * @self: the scanner
 *
 * Returns: (transfer none) (nullable): the current recording from its EBML header up to its first
 * Cluster; NULL until that Cluster has begun
 */
GBytes *
relais_ebml_scanner_get_header (RelaisEbmlScanner *self)
{
  return self->header;
}

/**
 * relais_ebml_scanner_get_skipped:
 * @self: the scanner
 *
 * Returns: the bytes that were skipped after damage so far
 */
guint64
relais_ebml_scanner_get_skipped (RelaisEbmlScanner *self)
{
  return self->skipped;
}
