/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Reads what a muxer wrote, without GStreamer and without the server's own EBML code: RFC 8794 and
 * RFC 9559 as far as live WebM goes. Anything else in the data ends the test.
 *
 * It is fed in pieces that end where an element ends (only a Segment or a Cluster may be open), as
 * buffers of a muxer and messages to a viewer do. */

#include "relais-test-media.h"

#define ID_EBML            0x1a45dfa3
#define ID_DOC_TYPE        0x4282
#define ID_SEGMENT         0x18538067
#define ID_INFO            0x1549a966
#define ID_TIMESTAMP_SCALE 0x2ad7b1
#define ID_TRACKS          0x1654ae6b
#define ID_TRACK_ENTRY     0xae
#define ID_TRACK_NUMBER    0xd7
#define ID_TRACK_TYPE      0x83
#define ID_CODEC_ID        0x86
#define ID_CODEC_DELAY     0x56aa
#define ID_CLUSTER         0x1f43b675
#define ID_TIMESTAMP       0xe7
#define ID_BLOCK_GROUP     0xa0
#define ID_BLOCK           0xa1
#define ID_BLOCK_DURATION  0x9b
#define ID_REFERENCE_BLOCK 0xfb
#define ID_SIMPLE_BLOCK    0xa3
#define BLOCK_HEAD_SIZE    4
#define TYPE_VIDEO         1

static void
clear_track (gpointer data)
{
  RelaisTestTrack *track = data;

  g_free (track->codec_id);
}

static void
clear_block (gpointer data)
{
  RelaisTestBlock *block = data;

  g_bytes_unref (block->payload);
}

/**
 * relais_test_media_new:
 *
 * Returns: (transfer full): a reader that has read nothing
 */
RelaisTestMedia *
relais_test_media_new (void)
{
  RelaisTestMedia *self = g_new0 (RelaisTestMedia, 1);

  self->tracks = g_array_new (FALSE, TRUE, sizeof (RelaisTestTrack));
  g_array_set_clear_func (self->tracks, clear_track);
  self->blocks = g_array_new (FALSE, TRUE, sizeof (RelaisTestBlock));
  g_array_set_clear_func (self->blocks, clear_block);
  return self;
}

void
relais_test_media_free (RelaisTestMedia *self)
{
  g_free (self->doc_type);
  g_array_unref (self->tracks);
  g_array_unref (self->blocks);
  g_free (self);
}

/* An EBML variable-size integer, RFC 8794 section 4; the marker is kept for an id. */
static guint64
read_vint (const guint8 **data, const guint8 *end, gboolean keep_marker, gboolean *unknown)
{
  guint8 first;
  guint length = 1;
  guint64 value;

  g_assert_true (*data < end);
  first = *(*data)++;
  g_assert_cmpuint (first, !=, 0);
  while ((first & (0x100u >> length)) == 0)
    length++;
  g_assert_cmpint (end - *data, >=, (gssize) length - 1);
  value = keep_marker ? first : first & ((0x100u >> length) - 1);
  for (guint i = 1; i < length; i++)
    value = value << 8 | *(*data)++;
  if (unknown != NULL)
    *unknown = value == (G_GUINT64_CONSTANT (1) << (7 * length)) - 1;
  return value;
}

static guint64
read_uint (const guint8 *data, guint64 size)
{
  guint64 value = 0;

  g_assert_cmpuint (size, <=, 8);
  for (guint64 i = 0; i < size; i++)
    value = value << 8 | data[i];
  return value;
}

static RelaisTestTrack *
last_track (RelaisTestMedia *self)
{
  g_assert_cmpuint (self->tracks->len, >, 0);
  return &g_array_index (self->tracks, RelaisTestTrack, self->tracks->len - 1);
}

static RelaisTestBlock *
last_block (RelaisTestMedia *self)
{
  g_assert_cmpuint (self->blocks->len, >, 0);
  return &g_array_index (self->blocks, RelaisTestBlock, self->blocks->len - 1);
}

/* RFC 9559 section 10.2: track number, relative time, flags, the frame. */
static void
take_block (RelaisTestMedia *self, const guint8 *data, guint64 size)
{
  RelaisTestBlock block = { .header = self->n_headers,
                            .cluster = self->n_clusters,
                            .opens_cluster = self->opened,
                            .cluster_time = self->cluster_time };
  gint16 relative;

  g_assert_cmpuint (size, >=, BLOCK_HEAD_SIZE);
  g_assert_cmpuint (self->n_clusters, >, 0);
  g_assert_cmpuint (data[0] & 0x80, ==, 0x80); /* track numbers of one byte */
  g_assert_cmpuint (data[3] & 0x06, ==, 0);    /* no lacing */
  relative = (gint16) (data[1] << 8 | data[2]);
  block.track = data[0] & 0x7f;
  block.time = self->cluster_time + relative;
  block.is_key = (data[3] & 0x80) != 0;
  block.payload = g_bytes_new (data + BLOCK_HEAD_SIZE, size - BLOCK_HEAD_SIZE);
  g_array_append_val (self->blocks, block);
  self->opened = FALSE;
}

/**
 * relais_test_media_append:
 * @self: a reader
 * @data: what comes next
 * @size: bytes of @data
 */
void
relais_test_media_append (RelaisTestMedia *self, gconstpointer data, gsize size)
{
  const guint8 *at = data, *end = at + size;

  while (at < end)
    {
      guint64 id = read_vint (&at, end, TRUE, NULL);
      gboolean unknown;
      guint64 length = read_vint (&at, end, FALSE, &unknown);
      const guint8 *content = at;

      if (id == ID_SEGMENT)
        continue;
      if (id == ID_CLUSTER)
        {
          self->n_clusters++;
          self->opened = TRUE;
          continue;
        }
      g_assert_false (unknown);
      g_assert_cmpuint (length, <=, (guint64) (end - at));
      switch (id)
        {
        case ID_EBML:
          self->n_headers++;
          g_array_set_size (self->tracks, 0);
          relais_test_media_append (self, content, length);
          break;

        case ID_TRACK_ENTRY:
          g_array_set_size (self->tracks, self->tracks->len + 1);
          relais_test_media_append (self, content, length);
          break;

        case ID_INFO:
        case ID_TRACKS:
          relais_test_media_append (self, content, length);
          break;

        case ID_BLOCK_GROUP:
          /* A block of a group is a keyframe unless the group refers to another. */
          self->group = (RelaisTestBlock){ .is_key = TRUE };
          relais_test_media_append (self, content, length);
          last_block (self)->is_key = self->group.is_key;
          last_block (self)->duration = self->group.duration;
          break;

        case ID_DOC_TYPE:
          g_free (self->doc_type);
          self->doc_type = g_strndup ((const char *) content, length);
          break;

        case ID_TIMESTAMP_SCALE:
          g_assert_cmpuint (read_uint (content, length), ==, 1000000);
          break;

        case ID_TRACK_NUMBER:
          last_track (self)->number = (guint) read_uint (content, length);
          break;

        case ID_TRACK_TYPE:
          last_track (self)->is_video = read_uint (content, length) == TYPE_VIDEO;
          break;

        case ID_CODEC_ID:
          last_track (self)->codec_id = g_strndup ((const char *) content, length);
          break;

        case ID_CODEC_DELAY:
          last_track (self)->codec_delay = read_uint (content, length);
          break;

        case ID_TIMESTAMP:
          self->cluster_time = (gint64) read_uint (content, length);
          break;

        case ID_BLOCK_DURATION:
          self->group.duration = (gint64) read_uint (content, length);
          break;

        case ID_REFERENCE_BLOCK:
          self->group.is_key = FALSE;
          break;

        case ID_BLOCK:
        case ID_SIMPLE_BLOCK:
          take_block (self, content, length);
          break;

        default:
          break;
        }
      at = content + length;
    }
}

/**
 * relais_test_media_get_block:
 * @self: a reader
 * @index: of a block that was read
 *
 * Returns: (transfer none): the block
 */
const RelaisTestBlock *
relais_test_media_get_block (const RelaisTestMedia *self, guint index)
{
  g_assert_cmpuint (index, <, self->blocks->len);
  return &g_array_index (self->blocks, RelaisTestBlock, index);
}

/**
 * relais_test_media_get_track:
 * @self: a reader
 * @codec_id: a Matroska codec id
 *
 * Returns: the number of the newest header's track with that codec; 0 = there is none
 */
guint
relais_test_media_get_track (const RelaisTestMedia *self, const char *codec_id)
{
  for (guint i = 0; i < self->tracks->len; i++)
    {
      const RelaisTestTrack *track = &g_array_index (self->tracks, RelaisTestTrack, i);

      if (g_strcmp0 (track->codec_id, codec_id) == 0)
        return track->number;
    }
  return 0;
}

/**
 * relais_test_media_list_times:
 * @self: a reader
 * @codec_id: a Matroska codec id
 *
 * Returns: (transfer full) (element-type gint64): the times of that track's blocks in ms, as
 * written
 */
GArray *
relais_test_media_list_times (const RelaisTestMedia *self, const char *codec_id)
{
  guint track = relais_test_media_get_track (self, codec_id);
  GArray *times = g_array_new (FALSE, FALSE, sizeof (gint64));

  for (guint i = 0; i < self->blocks->len; i++)
    {
      const RelaisTestBlock *block = relais_test_media_get_block (self, i);

      if (block->track == track)
        g_array_append_val (times, block->time);
    }
  return times;
}

/**
 * relais_test_media_assert_in_order:
 * @self: a reader
 *
 * What Chromium's MSE demands: no block is earlier than the block before it, of whatever track, or
 * than its Cluster.
 */
void
relais_test_media_assert_in_order (const RelaisTestMedia *self)
{
  gint64 last = 0;

  for (guint i = 0; i < self->blocks->len; i++)
    {
      const RelaisTestBlock *block = relais_test_media_get_block (self, i);

      g_assert_cmpint (block->time, >=, last);
      g_assert_cmpint (block->time, >=, block->cluster_time);
      last = block->time;
    }
}

/**
 * relais_test_media_assert_payloads:
 * @self: a reader
 * @codec_id: a Matroska codec id
 * @frames: (element-type GBytes): frames of that track
 * @first: the first of @frames that is expected
 *
 * The track's blocks are these frames, in order, all of them and no other.
 */
void
relais_test_media_assert_payloads (const RelaisTestMedia *self,
                                   const char *codec_id,
                                   GPtrArray *frames,
                                   guint first)
{
  guint track = relais_test_media_get_track (self, codec_id);
  guint next = first;

  for (guint i = 0; i < self->blocks->len; i++)
    {
      const RelaisTestBlock *block = relais_test_media_get_block (self, i);

      if (block->track != track)
        continue;
      g_assert_cmpuint (next, <, frames->len);
      if (!g_bytes_equal (block->payload, g_ptr_array_index (frames, next)))
        g_error ("%s: block %u is not frame %u", codec_id, i, next);
      next++;
    }
  g_assert_cmpuint (next, ==, frames->len);
}
