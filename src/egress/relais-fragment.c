/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a viewer writes: pieces of memory that others own, in an array of the caller's. */

#include "config.h"

#include "egress/relais-fragment.h"

/**
 * relais_fragments_add:
 * @fragments: an array with room
 * @n: (inout): how many there are
 * @data: the next piece
 * @size: in bytes
 * @owner: (transfer full): what keeps @data alive
 * @release: lets go of @owner
 */
void
relais_fragments_add (RelaisFragment *fragments,
                      guint *n,
                      const guint8 *data,
                      gsize size,
                      gpointer owner,
                      GDestroyNotify release)
{
  fragments[(*n)++]
      = (RelaisFragment){ .data = data, .size = size, .owner = owner, .release = release };
}

/**
 * relais_fragments_add_unit:
 * @fragments: an array with room
 * @n: (inout): how many there are
 * @unit: (transfer full): its whole frame is the next piece
 */
void
relais_fragments_add_unit (RelaisFragment *fragments, guint *n, RelaisUnit *unit)
{
  relais_fragments_add (fragments, n, unit->frame, unit->size, unit,
                        (GDestroyNotify) relais_unit_unref);
}

void
relais_fragments_release (RelaisFragment *fragments, guint n)
{
  for (guint i = 0; i < n; i++)
    fragments[i].release (fragments[i].owner);
}

/**
 * relais_fragments_write:
 * @fragments: what to write
 * @n: how many, at least one; those over RELAIS_FRAGMENTS_MAX are left out
 * @connection: where to
 * @error: as of relais_connection_write()
 *
 * Returns: what relais_connection_write() does
 */
gssize
relais_fragments_write (const RelaisFragment *fragments,
                        guint n,
                        RelaisConnection *connection,
                        GError **error)
{
  struct iovec pieces[RELAIS_FRAGMENTS_MAX];

  n = MIN (n, RELAIS_FRAGMENTS_MAX);
  for (guint i = 0; i < n; i++)
    pieces[i] = (struct iovec){ (gpointer) fragments[i].data, fragments[i].size };
  return relais_connection_write (connection, pieces, n, error);
}

/**
 * relais_fragments_skip:
 * @fragments: what was to be written
 * @n: how many
 * @written: bytes that were
 *
 * Releases those that are done; the next one is cut where the socket stopped.
 *
 * Returns: how many are done
 */
guint
relais_fragments_skip (RelaisFragment *fragments, guint n, gsize written)
{
  guint done = 0;

  while (done < n && written >= fragments[done].size)
    written -= fragments[done++].size;
  relais_fragments_release (fragments, done);
  if (done < n)
    {
      fragments[done].data += written;
      fragments[done].size -= written;
    }
  return done;
}
