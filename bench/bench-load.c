/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Publishers and viewers in one process and one thread, so that a unit's arrival can be set against
 * the moment its chunk was sent. A timer paces the publishers; where there are several they send in
 * turn, spread over the time of a chunk. */

#include "config.h"

#include "bench-load.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define MAX_EVENTS 256

static void
note_unit (BenchViewer *viewer, guint64 number, guint64 size, gint64 arrived_ns, gpointer user_data)
{
  BenchLoad *self = user_data;
  gint64 *first;
  guint64 *known_size;
  gint64 delay;

  if (number >= self->published_ns->len)
    return;
  first = &g_array_index (self->first_ns, gint64, number);
  known_size = &g_array_index (self->sizes, guint64, number);
  if (*first == 0 || arrived_ns < *first)
    *first = arrived_ns;
  if (*known_size == 0)
    *known_size = size;
  else if (*known_size != size)
    self->n_odd_units++;
  if (!self->collects || viewer < self->viewers + self->collects_from)
    return;
  delay = arrived_ns - g_array_index (self->published_ns, gint64, number);
  g_array_append_val (self->delays_ns, delay);
}

/**
 * bench_load_new:
 * @options: what to do; must outlive the load
 * @n_viewers: viewers that there can be
 *
 * Returns: (transfer full): a load with nothing connected
 */
BenchLoad *
bench_load_new (const BenchOptions *options, guint n_viewers)
{
  BenchLoad *self = g_new0 (BenchLoad, 1);
  struct epoll_event event = { .events = EPOLLIN, .data.ptr = NULL };

  self->options = options;
  self->epoll_fd = epoll_create1 (EPOLL_CLOEXEC);
  self->timer_fd = timerfd_create (CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  epoll_ctl (self->epoll_fd, EPOLL_CTL_ADD, self->timer_fd, &event);
  self->media = bench_media_new ((guint) options->unit_bytes, (guint) options->unit_ms,
                                 (guint) options->keyframe_ms);
  self->sources = g_ptr_array_new_with_free_func ((GDestroyNotify) bench_source_free);
  self->n_viewers = n_viewers;
  self->viewers = g_new0 (BenchViewer, n_viewers);
  for (guint i = 0; i < n_viewers; i++)
    {
      self->viewers[i].fd = -1;
      self->viewers[i].unit_func = note_unit;
      self->viewers[i].user_data = self;
    }
  self->published_ns = g_array_new (FALSE, TRUE, sizeof (gint64));
  self->first_ns = g_array_new (FALSE, TRUE, sizeof (gint64));
  self->sizes = g_array_new (FALSE, TRUE, sizeof (guint64));
  self->delays_ns = g_array_new (FALSE, FALSE, sizeof (gint64));
  return self;
}

void
bench_load_free (BenchLoad *self)
{
  bench_load_close (self, 0, self->n_viewers);
  g_ptr_array_unref (self->sources);
  bench_media_free (self->media);
  g_free (self->viewers);
  g_array_unref (self->published_ns);
  g_array_unref (self->first_ns);
  g_array_unref (self->sizes);
  g_array_unref (self->delays_ns);
  close (self->timer_fd);
  close (self->epoll_fd);
  g_free (self);
}

static BenchSource *
make_source (BenchLoad *self, guint number)
{
  const BenchOptions *options = self->options;
  g_auto (GStrv) parts = g_strsplit (options->publish_path, "%u", 2);
  g_autofree char *name = g_strdup_printf ("%u", number);
  g_autofree char *path
      = parts[1] != NULL ? g_strconcat (parts[0], name, parts[1], NULL) : g_strdup (parts[0]);

  if (g_str_equal (options->source, "put"))
    return bench_source_new_put ((guint) options->port, path, options->credentials, self->media);
  return bench_source_new_websocket ((guint) options->port, path, self->media);
}

/**
 * bench_load_start_sources:
 * @self: a load
 *
 * Connects all publishers. Unless as many bytes as possible are wanted, the timer paces them.
 */
void
bench_load_start_sources (BenchLoad *self)
{
  const BenchOptions *options = self->options;
  gint64 period_ns = options->unit_ms * G_GINT64_CONSTANT (1000000);
  struct itimerspec interval = { 0 };

  if (g_str_equal (options->source, "none"))
    return;
  for (guint i = 0; i < (guint) options->streams; i++)
    g_ptr_array_add (self->sources, make_source (self, i));
  if (options->megabytes > 0)
    return;
  period_ns /= options->streams;
  interval.it_interval.tv_sec = interval.it_value.tv_sec = period_ns / 1000000000;
  interval.it_interval.tv_nsec = interval.it_value.tv_nsec = period_ns % 1000000000;
  timerfd_settime (self->timer_fd, 0, &interval, NULL);
}

static void
publish (BenchLoad *self)
{
  BenchSource *source = g_ptr_array_index (self->sources, self->turn);

  if (self->turn == 0)
    {
      guint n = (guint) bench_source_get_next (source) + 1;

      g_array_set_size (self->first_ns, n);
      g_array_set_size (self->sizes, n);
      g_array_set_size (self->published_ns, n);
      g_array_index (self->published_ns, gint64, n - 1) = bench_now_ns ();
    }
  bench_source_send_chunk (source);
  self->turn = (self->turn + 1) % self->sources->len;
}

static BenchProtocol
get_protocol (const BenchOptions *options)
{
  if (g_str_equal (options->protocol, "frames"))
    return BENCH_PROTOCOL_FRAMES;
  if (g_str_equal (options->protocol, "http"))
    return BENCH_PROTOCOL_HTTP;
  return BENCH_PROTOCOL_WEBSOCKET;
}

static void
watch_viewer (BenchLoad *self, guint viewer, int operation, guint32 events)
{
  struct epoll_event event = { .events = events, .data.ptr = &self->viewers[viewer] };

  if (epoll_ctl (self->epoll_fd, operation, self->viewers[viewer].fd, &event) != 0)
    g_error ("epoll_ctl: %s", g_strerror (errno));
}

/**
 * bench_load_connect:
 * @self: a load
 * @first: the first viewer to connect
 * @n: how many
 *
 * Connects them in one go, without waiting for any.
 */
void
bench_load_connect (BenchLoad *self, guint first, guint n)
{
  for (guint i = first; i < first + n; i++)
    {
      bench_viewer_connect (&self->viewers[i], (guint) self->options->port,
                            get_protocol (self->options), self->options->watch_path,
                            self->options->stamps);
      watch_viewer (self, i, EPOLL_CTL_ADD, EPOLLIN | EPOLLOUT);
    }
}

void
bench_load_close (BenchLoad *self, guint first, guint n)
{
  for (guint i = first; i < first + n; i++)
    bench_viewer_close (&self->viewers[i]);
}

/**
 * bench_load_pause:
 * @self: a load
 * @viewer: a viewer that stops reading
 */
void
bench_load_pause (BenchLoad *self, guint viewer)
{
  watch_viewer (self, viewer, EPOLL_CTL_DEL, 0);
}

void
bench_load_resume (BenchLoad *self, guint viewer)
{
  watch_viewer (self, viewer, EPOLL_CTL_ADD, EPOLLIN);
}

static void
take_timer (BenchLoad *self)
{
  guint64 ticks;

  if (read (self->timer_fd, &ticks, sizeof ticks) != sizeof ticks)
    return;
  for (; ticks > 0; ticks--)
    publish (self);
}

static void
take_event (BenchLoad *self, BenchViewer *viewer, guint32 events)
{
  if ((events & EPOLLOUT) != 0 && viewer->fd >= 0)
    {
      bench_viewer_write (viewer);
      if (viewer->fd >= 0)
        watch_viewer (self, (guint) (viewer - self->viewers), EPOLL_CTL_MOD, EPOLLIN);
    }
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0)
    bench_viewer_read (viewer);
}

/**
 * bench_load_run:
 * @self: a load
 * @seconds: how long at most
 * @until: (nullable): ends it earlier
 *
 * Returns: whether @until came true
 */
gboolean
bench_load_run (BenchLoad *self, double seconds, BenchLoadCondition until)
{
  gint64 end = g_get_monotonic_time () + (gint64) (seconds * G_USEC_PER_SEC);
  struct epoll_event events[MAX_EVENTS];

  for (;;)
    {
      gint64 left = end - g_get_monotonic_time ();
      int n;

      if (until != NULL && until (self))
        return TRUE;
      if (left <= 0)
        return FALSE;
      n = epoll_wait (self->epoll_fd, events, MAX_EVENTS, (int) (left / 1000) + 1);
      for (int i = 0; i < n; i++)
        {
          if (events[i].data.ptr == NULL)
            take_timer (self);
          else
            take_event (self, events[i].data.ptr, events[i].events);
        }
    }
}

/**
 * bench_load_collect:
 * @self: a load
 *
 * From now on delays are kept; those kept before are let go.
 */
void
bench_load_collect (BenchLoad *self)
{
  g_array_set_size (self->delays_ns, 0);
  self->collects = TRUE;
  memset (self->first_ns->data, 0, self->first_ns->len * sizeof (gint64));
}

/**
 * bench_load_take_first_delays:
 * @self: a load
 *
 * Returns: (transfer full): of each chunk since bench_load_collect(), the delay to the first viewer
 * that got its unit
 */
GArray *
bench_load_take_first_delays (BenchLoad *self)
{
  GArray *delays = g_array_new (FALSE, FALSE, sizeof (gint64));

  for (guint i = 0; i < self->first_ns->len; i++)
    {
      gint64 first = g_array_index (self->first_ns, gint64, i);
      gint64 delay = first - g_array_index (self->published_ns, gint64, i);

      if (first != 0)
        g_array_append_val (delays, delay);
    }
  return delays;
}

guint64
bench_load_count_bytes (BenchLoad *self)
{
  guint64 bytes = 0;

  for (guint i = 0; i < self->n_viewers; i++)
    bytes += self->viewers[i].bytes;
  return bytes;
}
