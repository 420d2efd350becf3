/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* All sender threads. Viewers are dealt out one after the other, so each stream's viewers spread
 * over all threads. Main context only. */

#include "config.h"

#include "egress/relais-sender-pool.h"

struct _RelaisSenderPool
{
  GPtrArray *senders; /* owned RelaisSender */
  guint next;
};

/**
 * relais_sender_pool_new:
 * @config: the configuration, which must outlive the pool; `sender-threads` 0 means one a core
 * @left_func: called on a sender thread for every viewer that is gone
 * @user_data: passed to @left_func
 * @error: as in relais_sender_new()
 *
 * Returns: (transfer full): running sender threads
 */
RelaisSenderPool *
relais_sender_pool_new (const RelaisConfig *config,
                        RelaisViewerLeftFunc left_func,
                        gpointer user_data,
                        GError **error)
{
  g_autoptr (RelaisSenderPool) self = g_new0 (RelaisSenderPool, 1);
  guint n = config->sender_threads > 0 ? (guint) config->sender_threads : g_get_num_processors ();

  self->senders = g_ptr_array_new_with_free_func ((GDestroyNotify) relais_sender_free);
  for (guint i = 0; i < n; i++)
    {
      RelaisSender *sender = relais_sender_new (config, i, left_func, user_data, error);

      if (sender == NULL)
        return NULL;
      g_ptr_array_add (self->senders, sender);
    }
  return g_steal_pointer (&self);
}

/**
 * relais_sender_pool_free:
 * @self: the pool
 *
 * Sends all viewers a close frame (1012) and waits until the threads are through with them, which
 * is bounded in time.
 */
void
relais_sender_pool_free (RelaisSenderPool *self)
{
  for (guint i = 0; i < self->senders->len; i++)
    relais_sender_stop (g_ptr_array_index (self->senders, i));
  g_ptr_array_unref (self->senders);
  g_free (self);
}

/**
 * relais_sender_pool_adopt:
 * @self: the pool
 * @viewer: (transfer full): a viewer that no other thread touches from now on
 */
void
relais_sender_pool_adopt (RelaisSenderPool *self, RelaisViewer *viewer)
{
  relais_sender_adopt (g_ptr_array_index (self->senders, self->next), viewer);
  self->next = (self->next + 1) % self->senders->len;
}
