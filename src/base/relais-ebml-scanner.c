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
 * joined to the next chunk. So the reader of the spans sees element headers that are whole and that
 * were found valid; what stands between them after damage does not reach it. This is the rule, not
 * the exception: Chromium 156 ends every chunk after the first byte of the next element's ID (its
 * first chunk may be a lonely 1A), so its chunks are copied once here, rather than piece by piece
 * in a demuxer's adapter. Firefox's end with an element, and are not copied. Held back in the same
 * way is what may turn out to be an EBML header (up to 1 KiB) and, in a search, what may turn out
 * to be a Cluster (up to 268 bytes).
 *
 * Memory: at most max_header_bytes for the header of the current recording, and 2.5 KiB held back.
 * While a chunk is fed that follows held bytes, a copy of that chunk; spans keep it alive, as they
 * do the chunk.
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

#include "base/relais-ebml.h"
#include "base/relais-error.h"

/* About half a minute of a stream of 2.5 Mb/s: who lost that much has another problem. */
#define MAX_SEARCH_BYTES (G_GUINT64_CONSTANT (8) << 20)

typedef enum
{
  STATE_START,   /* nothing but the first recording's EBML header may come */
  STATE_ELEMENT, /* an element must begin */
  STATE_PAYLOAD, /* inside an element that is stepped over */
  STATE_SEARCH,  /* after damage */
} State;

struct _RelaisEbmlScanner
{
  gsize max_header_bytes;
  State state;
  GError *failure; /* set once, repeated by every later feed */

  GByteArray *held;  /* not handed on yet */
  gssize restart_at; /* where in held a chunk began that may be a new recording; -1: nowhere */
  guint64 offset;    /* of the first of them, or of the next chunk, within the connection */

  RelaisEbmlLevel level;
  guint64 end[RELAIS_EBML_N_LEVELS]; /* where the open parents end, or RELAIS_EBML_SIZE_UNKNOWN */
  gboolean cluster_unknown;          /* the open Cluster ends with the next level 1 element */
  gboolean segment_seen;
  gboolean tracks_seen;
  guint64 payload_left; /* of the element that is stepped over, in bytes */

  guint64 header_offset; /* where the bytes without a Cluster began */
  GByteArray *growing;   /* the header, until it is complete */
  GBytes *header;        /* afterwards */

  const char *damage;    /* the last: what, */
  char *damage_found;    /* the bytes there, */
  guint64 damage_offset; /* and where */
  guint64 searched;      /* bytes since then */
  guint64 skipped;       /* bytes, in all searches */
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

/* Hands on the open span, up to @to, where the next one begins. */
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

/* At @at stands an EBML header of @length bytes. */
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
  self->level = RELAIS_EBML_LEVEL_ROOT;
  self->segment_seen = FALSE;
  self->tracks_seen = FALSE;
}

/* The first bytes of the connection. */
static RelaisEbmlVerdict
walk_start (RelaisEbmlScanner *self, Feed *feed, const guint8 *data, gsize len, GError **error)
{
  const char *reason;
  gsize length;
  RelaisEbmlVerdict verdict;

  verdict = relais_ebml_probe_header (data, len, &length, &reason);
  if (verdict == RELAIS_EBML_YES)
    begin_recording (self, feed, 0, length);
  if (verdict == RELAIS_EBML_NO)
    verdict = relais_ebml_explain_start (data, len, reason, error);
  return verdict;
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
  self->damage_found = relais_ebml_dump (feed->data + at, len);
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
enter_element (RelaisEbmlScanner *self, const RelaisEbmlElement *element, guint64 at)
{
  guint64 max_size, end;

  while (self->level > RELAIS_EBML_LEVEL_ROOT && at >= self->end[self->level])
    self->level--;
  /* RFC 8794 section 6.2: an element of unknown size ends with the first that cannot be its child.
   */
  if (self->level == RELAIS_EBML_LEVEL_CLUSTER && self->cluster_unknown
      && !relais_ebml_element_is_known (element->id, RELAIS_EBML_LEVEL_CLUSTER, &max_size)
      && relais_ebml_element_is_known (element->id, RELAIS_EBML_LEVEL_SEGMENT, &max_size))
    self->level = RELAIS_EBML_LEVEL_SEGMENT;

  if (!relais_ebml_element_is_known (element->id, self->level, &max_size))
    return "an element that is not known there";
  if (element->id == RELAIS_EBML_ID_SEGMENT && self->segment_seen)
    return "a second Segment";
  if (element->size == RELAIS_EBML_SIZE_UNKNOWN && max_size != RELAIS_EBML_SIZE_UNKNOWN)
    return "an element of unknown size";
  if (element->size != RELAIS_EBML_SIZE_UNKNOWN && element->size > max_size)
    return "an element of excessive size";

  end = element->size == RELAIS_EBML_SIZE_UNKNOWN ? RELAIS_EBML_SIZE_UNKNOWN
                                                  : at + element->length + element->size;
  if (self->level > RELAIS_EBML_LEVEL_ROOT)
    {
      guint64 parent_end = self->end[self->level];

      if (at + element->length > parent_end
          || (end != RELAIS_EBML_SIZE_UNKNOWN && end > parent_end))
        return "an element larger than its parent";
      end = MIN (end, parent_end);
    }

  self->state = STATE_PAYLOAD;
  self->payload_left = element->length;
  if (element->id == RELAIS_EBML_ID_SEGMENT || element->id == RELAIS_EBML_ID_CLUSTER)
    {
      self->level = element->id == RELAIS_EBML_ID_SEGMENT ? RELAIS_EBML_LEVEL_SEGMENT
                                                          : RELAIS_EBML_LEVEL_CLUSTER;
      self->end[self->level] = end;
      self->segment_seen = TRUE;
      self->cluster_unknown = element->size == RELAIS_EBML_SIZE_UNKNOWN;
    }
  else
    {
      self->payload_left += element->size;
      self->tracks_seen = self->tracks_seen || element->id == RELAIS_EBML_ID_TRACKS;
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

/* Walks one element header at @at; RELAIS_EBML_NO with @error, or after damage without. */
static RelaisEbmlVerdict
walk_element (RelaisEbmlScanner *self, Feed *feed, gsize at, gsize to, GError **error)
{
  const guint8 *data = feed->data + at;
  const char *damage;
  RelaisEbmlElement element;
  gsize length;
  RelaisEbmlVerdict verdict;

  /* RFC 8794 section 9, but whatever parents are open: a recorder that was stopped leaves them so.
   */
  verdict = relais_ebml_probe_header (data, to - at, &length, &damage);
  if (verdict == RELAIS_EBML_YES)
    begin_recording (self, feed, at, length);
  if (verdict != RELAIS_EBML_NO)
    return verdict;

  verdict = relais_ebml_parse_element (data, to - at, &element);
  if (verdict == RELAIS_EBML_MORE)
    return verdict;
  damage = verdict == RELAIS_EBML_NO ? "no element"
                                     : enter_element (self, &element, self->offset + at);
  if (damage != NULL)
    {
      take_damage (self, feed, at, to - at, damage, error);
      return RELAIS_EBML_NO;
    }
  if (self->growing != NULL && element.id == RELAIS_EBML_ID_CLUSTER
      && !complete_header (self, feed, at, error))
    return RELAIS_EBML_NO;
  return RELAIS_EBML_YES;
}

/* Looks for the place from which the stream can be read again; @at moves to it or to what is to be
 * held. */
static RelaisEbmlVerdict
walk_search (RelaisEbmlScanner *self, Feed *feed, gsize *at, gsize to, GError **error)
{
  gsize from = *at;
  RelaisEbmlVerdict verdict = RELAIS_EBML_NO;
  gboolean is_cluster = FALSE;
  const char *reason;
  gsize length;

  while (*at < to)
    {
      const guint8 *data = feed->data + *at;

      is_cluster = data[0] == RELAIS_EBML_ID_CLUSTER >> 24;
      if (is_cluster)
        verdict = relais_ebml_probe_cluster (data, to - *at);
      else if (data[0] == RELAIS_EBML_ID_EBML >> 24)
        verdict = relais_ebml_probe_header (data, to - *at, &length, &reason);
      if (verdict != RELAIS_EBML_NO)
        break;
      *at += 1;
    }

  self->searched += *at - from;
  self->skipped += *at - from;
  feed->start = *at;
  if (self->searched > MAX_SEARCH_BYTES)
    {
      g_set_error (error, RELAIS_ERROR, RELAIS_ERROR_CORRUPT,
                   "%s at byte %" G_GUINT64_FORMAT ", found %s, and no Cluster after it",
                   self->damage, self->damage_offset, self->damage_found);
      return RELAIS_EBML_NO;
    }
  if (verdict == RELAIS_EBML_YES && is_cluster)
    {
      /* Bytes are missing: where the Segment was to end no longer tells anything. */
      feed->kind = RELAIS_EBML_SPAN_RESYNC;
      self->level = RELAIS_EBML_LEVEL_SEGMENT;
      self->end[RELAIS_EBML_LEVEL_SEGMENT] = RELAIS_EBML_SIZE_UNKNOWN;
      self->state = STATE_ELEMENT;
    }
  else if (verdict == RELAIS_EBML_YES)
    begin_recording (self, feed, *at, length);
  return verdict;
}

/* Steps over the rest of an element, as far as it has come. */
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
  RelaisEbmlVerdict verdict = RELAIS_EBML_YES;

  while (at < to && verdict != RELAIS_EBML_MORE && failure == NULL)
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
static RelaisEbmlVerdict
find_restart (RelaisEbmlScanner *self,
              Feed *feed,
              gsize chunk_at,
              gsize len,
              gsize *at,
              gsize *length)
{
  const char *reason;

  if (self->state == STATE_START)
    return RELAIS_EBML_NO;
  if (self->restart_at >= 0)
    {
      RelaisEbmlVerdict verdict;

      *at = self->restart_at;
      verdict = relais_ebml_probe_header (feed->data + *at, len - *at, length, &reason);
      if (verdict != RELAIS_EBML_NO)
        return verdict;
    }
  *at = chunk_at;
  return relais_ebml_probe_header (feed->data + *at, len - *at, length, &reason);
}

/* Takes the @len bytes of the feed; the chunk itself begins at @chunk_at, after what was held. */
static void
scan (RelaisEbmlScanner *self, Feed *feed, gsize chunk_at, gsize len, GError **error)
{
  gsize restart_at = 0, length = 0;
  RelaisEbmlVerdict restart;
  gssize stop;

  restart = find_restart (self, feed, chunk_at, len, &restart_at, &length);
  stop = walk (self, feed, 0, restart == RELAIS_EBML_NO ? len : restart_at, error);
  if (stop >= 0 && restart == RELAIS_EBML_YES)
    {
      /* What was held for more bytes: the cut off end of a recording, or damage. */
      if (self->state == STATE_SEARCH)
        {
          self->skipped += restart_at - stop;
          feed->start = restart_at;
        }
      begin_recording (self, feed, restart_at, length);
      stop = walk (self, feed, restart_at, len, error);
    }
  if (stop < 0)
    return;

  grow_header (self, feed, stop);
  feed_span (feed, stop);
  g_byte_array_set_size (self->held, 0);
  g_byte_array_append (self->held, feed->data + stop, len - stop);
  self->restart_at = restart == RELAIS_EBML_MORE ? (gssize) restart_at - stop : -1;
  self->offset += stop;
}

/* Returns: (transfer full): what was held, and the chunk after it */
static GBytes *
join (const GByteArray *held, GBytes *chunk)
{
  gsize len;
  const guint8 *data = g_bytes_get_data (chunk, &len);
  guint8 *joined = g_malloc (held->len + len);

  memcpy (joined, held->data, held->len);
  memcpy (joined + held->len, data, len);
  return g_bytes_new_take (joined, held->len + len);
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
        joined = join (self->held, chunk);
      feed.chunk = joined != NULL ? joined : chunk;
      feed.data = g_bytes_get_data (feed.chunk, NULL);
      scan (self, &feed, held, held + len, &self->failure);
    }

  if (self->failure == NULL)
    return TRUE;
  g_propagate_error (error, g_error_copy (self->failure));
  return FALSE;
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
