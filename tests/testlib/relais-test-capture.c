/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Takes the frames of one track out of a recording of tests/data/captures, without GStreamer: just
 * enough of RFC 8794 and RFC 9559 for what browsers write (no lacing, no EBMLMaxIDLength). A
 * recording that is not as expected ends the test. */

#include "relais-test-capture.h"

#include <string.h>

#define ID_SEGMENT      0x18538067
#define ID_CLUSTER      0x1f43b675
#define ID_BLOCK_GROUP  0xa0
#define ID_BLOCK        0xa1
#define ID_SIMPLE_BLOCK 0xa3
#define ID_TRACKS       0x1654ae6b
#define ID_TRACK_ENTRY  0xae
#define ID_TRACK_NUMBER 0xd7
#define ID_CODEC_ID     0x86
#define BLOCK_HEAD_SIZE 4

typedef struct
{
  const char *codec_id;
  guint64 entry_number; /* of the TrackEntry being read */
  guint64 track_number; /* of the track of codec_id */
  GPtrArray *frames;
} Walk;

/* An EBML variable-size integer, RFC 8794 section 4; the marker is kept for an id. */
static guint64
read_vint (const guint8 **data, const guint8 *end, gboolean keep_marker, gboolean *unknown)
{
  guint8 first;
  guint length = 1;
  guint64 value;
  gboolean all_ones;

  g_assert_true (*data < end);
  first = *(*data)++;
  g_assert_cmpuint (first, !=, 0);
  while ((first & (0x100u >> length)) == 0)
    length++;
  g_assert_cmpint (end - *data, >=, (gssize) length - 1);
  value = keep_marker ? first : first & ((0x100u >> length) - 1);
  all_ones = (first | (0xffu << (8 - length) & 0xff)) == 0xff;
  for (guint i = 1; i < length; i++)
    {
      all_ones = all_ones && **data == 0xff;
      value = value << 8 | *(*data)++;
    }
  if (unknown != NULL)
    *unknown = all_ones;
  return value;
}

static void
walk (Walk *self, const guint8 *data, const guint8 *end)
{
  while (data < end)
    {
      guint64 id = read_vint (&data, end, TRUE, NULL);
      gboolean unknown;
      guint64 size = read_vint (&data, end, FALSE, &unknown);
      const guint8 *content = data;

      if (unknown)
        size = (guint64) (end - data);
      /* The last cluster of a recording may be cut off. */
      size = MIN (size, (guint64) (end - data));

      switch (id)
        {
        case ID_SEGMENT:
        case ID_CLUSTER:
          /* Flattened: the end of a cluster of unknown size is the next one. */
          continue;

        case ID_TRACKS:
        case ID_TRACK_ENTRY:
        case ID_BLOCK_GROUP:
          walk (self, content, content + size);
          break;

        case ID_TRACK_NUMBER:
          g_assert_cmpuint (size, ==, 1);
          self->entry_number = content[0];
          break;

        case ID_CODEC_ID:
          if (size == strlen (self->codec_id) && memcmp (content, self->codec_id, size) == 0)
            self->track_number = self->entry_number;
          break;

        case ID_BLOCK:
        case ID_SIMPLE_BLOCK:
          g_assert_cmpuint (size, >=, BLOCK_HEAD_SIZE);
          g_assert_cmpuint (content[BLOCK_HEAD_SIZE - 1] & 0x06, ==, 0); /* no lacing */
          if ((content[0] & 0x7fu) == self->track_number)
            g_ptr_array_add (self->frames,
                             g_bytes_new (content + BLOCK_HEAD_SIZE, size - BLOCK_HEAD_SIZE));
          break;

        default:
          break;
        }
      data = content + size;
    }
}

/**
 * relais_test_capture_read:
 * @name: a file of tests/data/captures
 * @codec_id: the Matroska codec id of the track wanted
 *
 * Returns: (transfer full) (element-type GBytes): the payloads of the track's blocks; at least one
 */
GPtrArray *
relais_test_capture_read (const char *name, const char *codec_id)
{
  g_autofree char *path = g_build_filename (RELAIS_TEST_DATA_DIR, "captures", name, NULL);
  g_autofree char *content = NULL;
  g_autoptr (GError) error = NULL;
  gsize size;
  Walk self = { .codec_id = codec_id };

  g_file_get_contents (path, &content, &size, &error);
  g_assert_no_error (error);

  self.frames = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
  walk (&self, (const guint8 *) content, (const guint8 *) content + size);
  g_assert_cmpuint (self.frames->len, >, 0);
  return self.frames;
}
