/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A sender thread: owns viewers, sleeps in epoll_wait(), writes.
 *
 * It is woken by three things: a socket (edge-triggered, so a viewer that is blocked costs no
 * system call to watch), a ring that got a unit, and the main thread (a viewer to adopt, the stop).
 * The last two go through `inbox` and an eventfd; a wake that is already on its way is not sent
 * again. There is no timer on the way of the data: the tick is for stalls and pings only.
 *
 * Why epoll and not a GMainContext: a main context prepares, polls and checks every one of a
 * thousand sources at each turn.
 *
 * A stream's viewers on this thread form a group, which is the ring's listener. Groups come with
 * their first viewer and go with their last one. A viewer whose turn is over although it has more
 * to write goes to the end of `ready`.
 *
 * Locks: `lock` protects the inbox. It is a leaf; ring listeners take it under the ring's listeners
 * lock. */

#include "config.h"

#include "egress/relais-sender.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/relais-error.h"
#include "base/relais-log.h"

#define MAX_EVENTS      256
#define MAX_TICK_MS     1000
#define MIN_TICK_MS     10
#define STOP_TIMEOUT_US (3 * G_USEC_PER_SEC)

typedef struct
{
  RelaisSender *sender;
  RelaisStream *stream;
  GPtrArray *viewers;      /* RelaisViewer, owned */
  RelaisRingCursor cursor; /* what the viewers were written together so far */
  gboolean is_queued;      /* in the inbox; protected by the sender's lock */
} Group;

struct _RelaisSender
{
  const RelaisConfig *config; /* outlives the sender */
  RelaisViewerLeftFunc left_func;
  gpointer user_data;
  GThread *thread;
  int epoll_fd;
  int wake_fd;

  GMutex lock; /* protects the inbox: the fields up to the empty line, and is_queued of groups */
  GPtrArray *adopted; /* owned RelaisViewer */
  GPtrArray *news;    /* Group whose ring got a unit */
  gboolean wake_is_sent;
  gboolean stop_asked;

  /* Only the thread uses these. */
  GHashTable *groups; /* RelaisStream → owned Group */
  GQueue ready;       /* RelaisViewer that have more to write */
  gint64 next_tick;   /* monotonic, µs */
  gint64 tick_us;
  gint64 stop_deadline; /* 0 = not stopping */
};

/* The inbox */

/* Called with the lock held. Returns whether the caller has to wake the thread, without the lock.
 */
static gboolean
claim_wake (RelaisSender *self)
{
  gboolean claimed = !self->wake_is_sent;

  self->wake_is_sent = TRUE;
  return claimed;
}

static void
wake (RelaisSender *self)
{
  guint64 one = 1;

  if (write (self->wake_fd, &one, sizeof one) != sizeof one)
    relais_log_error (NULL, "a sender thread cannot be woken: %s", g_strerror (errno));
}

/* RelaisRingListener: on the streaming thread. */
static void
take_news (gpointer user_data)
{
  Group *group = user_data;
  RelaisSender *self = group->sender;
  gboolean must_wake = FALSE;

  g_mutex_lock (&self->lock);
  if (!group->is_queued)
    {
      group->is_queued = TRUE;
      g_ptr_array_add (self->news, group);
      must_wake = claim_wake (self);
    }
  g_mutex_unlock (&self->lock);
  if (must_wake)
    wake (self);
}

/* Viewers, on the thread */

static Group *
ensure_group (RelaisSender *self, RelaisStream *stream)
{
  Group *group = g_hash_table_lookup (self->groups, stream);

  if (group != NULL)
    return group;
  group = g_new0 (Group, 1);
  group->sender = self;
  group->stream = stream;
  group->viewers = g_ptr_array_new_with_free_func ((GDestroyNotify) relais_viewer_free);
  g_hash_table_insert (self->groups, stream, group);
  relais_media_ring_join (relais_stream_get_ring (stream), &group->cursor, TRUE);
  relais_media_ring_add_listener (relais_stream_get_ring (stream), take_news, group);
  return group;
}

static void
free_group (gpointer data)
{
  Group *group = data;

  relais_media_ring_remove_listener (relais_stream_get_ring (group->stream), take_news, group);
  g_mutex_lock (&group->sender->lock);
  g_ptr_array_remove_fast (group->sender->news, group);
  g_mutex_unlock (&group->sender->lock);
  g_ptr_array_unref (group->viewers);
  g_free (group);
}

static void
remove_viewer (RelaisSender *self, RelaisViewer *viewer)
{
  RelaisStream *stream = relais_viewer_get_stream (viewer);
  Group *group = g_hash_table_lookup (self->groups, stream);
  guint index = relais_viewer_get_place (viewer)->index;
  g_autofree char *address = g_strdup (relais_viewer_get_address (viewer));

  epoll_ctl (self->epoll_fd, EPOLL_CTL_DEL, relais_viewer_get_fd (viewer), NULL);
  if (relais_viewer_get_place (viewer)->is_ready)
    g_queue_remove (&self->ready, viewer);
  relais_viewer_log_left (viewer, relais_stream_get_n_viewers (stream) - 1);

  /* The last viewer takes the free place. */
  g_ptr_array_remove_index_fast (group->viewers, index);
  if (index < group->viewers->len)
    relais_viewer_get_place (g_ptr_array_index (group->viewers, index))->index = index;
  else if (group->viewers->len == 0)
    g_hash_table_remove (self->groups, stream);

  self->left_func (stream, address, self->user_data);
}

/* Returns whether the viewer is still there. */
static gboolean
settle (RelaisSender *self, RelaisViewer *viewer, RelaisViewerResult result)
{
  RelaisViewerPlace *place;

  switch (result)
    {
    case RELAIS_VIEWER_GONE:
      remove_viewer (self, viewer);
      return FALSE;
    case RELAIS_VIEWER_MORE:
      place = relais_viewer_get_place (viewer);
      if (!place->is_ready)
        {
          place->is_ready = TRUE;
          g_queue_push_tail (&self->ready, viewer);
        }
      return TRUE;
    case RELAIS_VIEWER_IDLE:
    case RELAIS_VIEWER_BLOCKED:
    default:
      return TRUE;
    }
}

static void
adopt (RelaisSender *self, RelaisViewer *viewer)
{
  Group *group = ensure_group (self, relais_viewer_get_stream (viewer));
  struct epoll_event event
      = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = viewer };

  relais_viewer_get_place (viewer)->index = group->viewers->len;
  g_ptr_array_add (group->viewers, viewer);
  if (epoll_ctl (self->epoll_fd, EPOLL_CTL_ADD, relais_viewer_get_fd (viewer), &event) != 0)
    {
      relais_viewer_close (viewer, 1011, g_strerror (errno));
      remove_viewer (self, viewer);
      return;
    }
  if (self->stop_deadline != 0)
    relais_viewer_close (viewer, 1012, "the server restarts");
  relais_viewer_start (viewer);
  /* What the client sent right behind its handshake may be read already: epoll does not tell of it.
   */
  if (settle (self, viewer, relais_viewer_read (viewer)))
    settle (self, viewer, relais_viewer_write (viewer));
}

/* Writes what is new to the viewers of a group. A viewer that goes is replaced by the last one, so
 * the walk is backwards. */
static void
write_group (RelaisSender *self, RelaisStream *stream)
{
  Group *group = g_hash_table_lookup (self->groups, stream);
  g_auto (RelaisUnitBatch) batch;

  if (group == NULL)
    return;
  relais_unit_batch_read (&batch, relais_stream_get_ring (stream), &group->cursor);
  for (guint i = group->viewers->len; i > 0; i--)
    {
      RelaisViewer *viewer = g_ptr_array_index (group->viewers, i - 1);
      gboolean was_last = group->viewers->len == 1;

      if (i > 1)
        relais_viewer_prefetch (g_ptr_array_index (group->viewers, i - 2));
      if (!relais_viewer_is_blocked (viewer)
          && !settle (self, viewer, relais_viewer_write_batch (viewer, &batch)) && was_last)
        return;
    }
}

static void
for_each_viewer (RelaisSender *self,
                 void (*func) (RelaisSender *, RelaisViewer *, gint64),
                 gint64 now)
{
  g_autoptr (GPtrArray) viewers = g_ptr_array_new ();
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, self->groups);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    {
      Group *group = value;

      for (guint i = 0; i < group->viewers->len; i++)
        g_ptr_array_add (viewers, g_ptr_array_index (group->viewers, i));
    }
  for (guint i = 0; i < viewers->len; i++)
    func (self, g_ptr_array_index (viewers, i), now);
}

static void
check_viewer (RelaisSender *self, RelaisViewer *viewer, gint64 now)
{
  settle (self, viewer, relais_viewer_check_time (viewer, now));
}

static void
stop_viewer (RelaisSender *self, RelaisViewer *viewer, gint64 now)
{
  relais_viewer_close (viewer, 1012, "the server restarts");
  if (!relais_viewer_is_blocked (viewer))
    settle (self, viewer, relais_viewer_write (viewer));
}

static void
abandon_viewer (RelaisSender *self, RelaisViewer *viewer, gint64 now)
{
  remove_viewer (self, viewer);
}

/* The thread */

static void
empty_inbox (RelaisSender *self)
{
  g_autoptr (GPtrArray) adopted = NULL;
  g_autoptr (GPtrArray) streams = g_ptr_array_new ();
  gboolean stop;
  guint64 count;

  if (read (self->wake_fd, &count, sizeof count) < 0 && errno != EAGAIN)
    relais_log_error (NULL, "a sender thread cannot read its wake-ups: %s", g_strerror (errno));

  g_mutex_lock (&self->lock);
  adopted = g_steal_pointer (&self->adopted);
  self->adopted = g_ptr_array_new ();
  for (guint i = 0; i < self->news->len; i++)
    {
      Group *group = g_ptr_array_index (self->news, i);

      group->is_queued = FALSE;
      g_ptr_array_add (streams, group->stream);
    }
  g_ptr_array_set_size (self->news, 0);
  self->wake_is_sent = FALSE;
  stop = self->stop_asked;
  g_mutex_unlock (&self->lock);

  /* By stream, not by group: a group may go while another one is written. */
  for (guint i = 0; i < streams->len; i++)
    write_group (self, g_ptr_array_index (streams, i));
  for (guint i = 0; i < adopted->len; i++)
    adopt (self, g_ptr_array_index (adopted, i));
  if (stop && self->stop_deadline == 0)
    {
      self->stop_deadline = g_get_monotonic_time () + STOP_TIMEOUT_US;
      for_each_viewer (self, stop_viewer, 0);
    }
}

static void
take_event (RelaisSender *self, RelaisViewer *viewer, guint32 events)
{
  /* An error or a hang-up shows in the read. */
  if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0
      && !settle (self, viewer, relais_viewer_read (viewer)))
    return;
  if ((events & EPOLLOUT) != 0)
    settle (self, viewer, relais_viewer_write (viewer));
}

/* One more turn for each viewer that had more to write when it began. */
static void
write_ready (RelaisSender *self)
{
  for (guint n = g_queue_get_length (&self->ready); n > 0; n--)
    {
      RelaisViewer *viewer = g_queue_pop_head (&self->ready);

      if (viewer == NULL)
        return;
      relais_viewer_get_place (viewer)->is_ready = FALSE;
      /* It may also have stopped in the middle of reading. */
      settle (self, viewer, relais_viewer_read (viewer));
    }
}

static int
get_timeout_ms (RelaisSender *self, gint64 now)
{
  if (!g_queue_is_empty (&self->ready))
    return 0;
  if (g_hash_table_size (self->groups) == 0)
    return -1;
  return (int) CLAMP ((self->next_tick - now) / 1000 + 1, 0, MAX_TICK_MS);
}

static gpointer
run (gpointer data)
{
  RelaisSender *self = data;
  struct epoll_event events[MAX_EVENTS];

  while (self->stop_deadline == 0 || g_hash_table_size (self->groups) > 0)
    {
      gint64 now = g_get_monotonic_time ();
      int n = epoll_wait (self->epoll_fd, events, MAX_EVENTS, get_timeout_ms (self, now));
      gboolean has_news = FALSE;

      for (int i = 0; i < n; i++)
        {
          if (events[i].data.ptr == NULL)
            has_news = TRUE;
          else
            take_event (self, events[i].data.ptr, events[i].events);
        }
      /* After the sockets: an event of this batch must not meet a viewer that the inbox removed. */
      if (has_news)
        empty_inbox (self);
      write_ready (self);

      now = g_get_monotonic_time ();
      if (now >= self->next_tick)
        {
          self->next_tick = now + self->tick_us;
          for_each_viewer (self, check_viewer, now);
        }
      if (self->stop_deadline != 0 && now >= self->stop_deadline)
        for_each_viewer (self, abandon_viewer, now);
    }
  return NULL;
}

/**
 * relais_sender_new:
 * @config: the configuration, which must outlive the sender
 * @number: for the thread's name
 * @left_func: called on the thread for every viewer that is gone
 * @user_data: passed to @left_func
 * @error: a #GFileError where the kernel gives no descriptor
 *
 * Returns: (transfer full): a running sender thread
 */
RelaisSender *
relais_sender_new (const RelaisConfig *config,
                   guint number,
                   RelaisViewerLeftFunc left_func,
                   gpointer user_data,
                   GError **error)
{
  RelaisSender *self = g_new0 (RelaisSender, 1);
  struct epoll_event event = { .events = EPOLLIN, .data.ptr = NULL };
  g_autofree char *name = g_strdup_printf ("sender-%u", number);

  self->config = config;
  self->left_func = left_func;
  self->user_data = user_data;
  self->tick_us
      = CLAMP (MIN (config->viewer_stall_ms, config->viewer_ping_ms) / 4, MIN_TICK_MS, MAX_TICK_MS)
        * 1000;
  g_mutex_init (&self->lock);
  self->adopted = g_ptr_array_new ();
  self->news = g_ptr_array_new ();
  self->groups = g_hash_table_new_full (NULL, NULL, NULL, free_group);
  g_queue_init (&self->ready);
  self->epoll_fd = epoll_create1 (EPOLL_CLOEXEC);
  self->wake_fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (self->epoll_fd < 0 || self->wake_fd < 0
      || epoll_ctl (self->epoll_fd, EPOLL_CTL_ADD, self->wake_fd, &event) != 0)
    {
      g_set_error (error, G_FILE_ERROR, g_file_error_from_errno (errno),
                   "a sender thread cannot be made: %s", g_strerror (errno));
      relais_sender_free (self);
      return NULL;
    }
  self->thread = g_thread_new (name, run, self);
  return self;
}

/**
 * relais_sender_adopt:
 * @self: a sender
 * @viewer: (transfer full): a viewer that no other thread touches from now on
 *
 * From any thread.
 */
void
relais_sender_adopt (RelaisSender *self, RelaisViewer *viewer)
{
  gboolean must_wake;

  g_mutex_lock (&self->lock);
  g_ptr_array_add (self->adopted, viewer);
  must_wake = claim_wake (self);
  g_mutex_unlock (&self->lock);
  if (must_wake)
    wake (self);
}

/**
 * relais_sender_stop:
 * @self: a sender
 *
 * Asks the thread to send all viewers a close frame (1012) and to end when they are gone, at the
 * latest after STOP_TIMEOUT_US.
 */
void
relais_sender_stop (RelaisSender *self)
{
  gboolean must_wake;

  g_mutex_lock (&self->lock);
  self->stop_asked = TRUE;
  must_wake = claim_wake (self);
  g_mutex_unlock (&self->lock);
  if (must_wake)
    wake (self);
}

/**
 * relais_sender_free:
 * @self: a sender that was asked to stop
 *
 * Waits for the thread.
 */
void
relais_sender_free (RelaisSender *self)
{
  if (self->thread != NULL)
    g_thread_join (self->thread);
  if (self->epoll_fd >= 0)
    close (self->epoll_fd);
  if (self->wake_fd >= 0)
    close (self->wake_fd);
  g_hash_table_unref (self->groups);
  g_ptr_array_set_free_func (self->adopted, (GDestroyNotify) relais_viewer_free);
  g_ptr_array_unref (self->adopted);
  g_ptr_array_unref (self->news);
  g_mutex_clear (&self->lock);
  g_free (self);
}
