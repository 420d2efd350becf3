/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* ThreadSanitizer and a GLib that was built without it. GMutex is a futex of GLib's own, so the
 * sanitizer sees two threads at one variable and no lock; everything would be a race. These
 * functions take the place of GLib's, tell the sanitizer what happens, and call them. They are
 * linked into tests of a build with -Db_sanitize=thread only (tests/meson.build), and are exported,
 * so that GStreamer, GIO and libsoup come by here as well. What GLib calls within itself does not.
 *
 * Told are: mutexes (as such, so that a wrong order of locks is found too), conditions, one-time
 * initialisation, work for other threads and main contexts, and reference counts: the last to let
 * go sees what all others did before. GLib's slices have to be off (G_SLICE=always-malloc): they
 * move memory from thread to thread. */

#include <dlfcn.h>
#include <gio/gio.h>
#include <gst/gst.h>

/* <sanitizer/tsan_interface.h>, which not every compiler installs */
#define LINKER_INIT     (1u << 0)
#define REENTRANT       (1u << 1)
#define READ_LOCK       (1u << 3)
#define TRY_LOCK        (1u << 4)
#define TRY_LOCK_FAILED (1u << 5)

void __tsan_mutex_destroy (void *address, unsigned flags);
void __tsan_mutex_pre_lock (void *address, unsigned flags);
void __tsan_mutex_post_lock (void *address, unsigned flags, int recursion);
int __tsan_mutex_pre_unlock (void *address, unsigned flags);
void __tsan_mutex_post_unlock (void *address, unsigned flags);
void __tsan_acquire (void *address);
void __tsan_release (void *address);

static void *
find (void **function, const char *name)
{
  void *found = __atomic_load_n (function, __ATOMIC_RELAXED);

  if (found == NULL)
    {
      found = dlsym (RTLD_NEXT, name);
      __atomic_store_n (function, found, __ATOMIC_RELAXED);
    }
  return found;
}

/* The function of that name in the library behind this program. */
#define REAL(name)                                                                                 \
  static void *function;                                                                           \
  __typeof__ (name) *real = (__typeof__ (real)) find (&function, #name)

#define LOCK(name, type, flags)                                                                    \
  void name (type *lock)                                                                           \
  {                                                                                                \
    REAL (name);                                                                                   \
    __tsan_mutex_pre_lock (lock, LINKER_INIT | (flags));                                           \
    real (lock);                                                                                   \
    __tsan_mutex_post_lock (lock, LINKER_INIT | (flags), 1);                                       \
  }

#define TRYLOCK(name, type, flags)                                                                 \
  gboolean name (type *lock)                                                                       \
  {                                                                                                \
    gboolean taken;                                                                                \
    REAL (name);                                                                                   \
    __tsan_mutex_pre_lock (lock, LINKER_INIT | TRY_LOCK | (flags));                                \
    taken = real (lock);                                                                           \
    __tsan_mutex_post_lock (lock,                                                                  \
                            LINKER_INIT | TRY_LOCK | (taken ? 0 : TRY_LOCK_FAILED) | (flags), 1);  \
    return taken;                                                                                  \
  }

#define UNLOCK(name, type, flags)                                                                  \
  void name (type *lock)                                                                           \
  {                                                                                                \
    REAL (name);                                                                                   \
    __tsan_mutex_pre_unlock (lock, flags);                                                         \
    real (lock);                                                                                   \
    __tsan_mutex_post_unlock (lock, flags);                                                        \
  }

#define CLEAR(name, type)                                                                          \
  void name (type *lock)                                                                           \
  {                                                                                                \
    REAL (name);                                                                                   \
    __tsan_mutex_destroy (lock, LINKER_INIT);                                                      \
    real (lock);                                                                                   \
  }

LOCK (g_mutex_lock, GMutex, 0)
TRYLOCK (g_mutex_trylock, GMutex, 0)
UNLOCK (g_mutex_unlock, GMutex, 0)
CLEAR (g_mutex_clear, GMutex)

LOCK (g_rec_mutex_lock, GRecMutex, REENTRANT)
TRYLOCK (g_rec_mutex_trylock, GRecMutex, REENTRANT)
UNLOCK (g_rec_mutex_unlock, GRecMutex, 0)
CLEAR (g_rec_mutex_clear, GRecMutex)

LOCK (g_rw_lock_writer_lock, GRWLock, 0)
TRYLOCK (g_rw_lock_writer_trylock, GRWLock, 0)
UNLOCK (g_rw_lock_writer_unlock, GRWLock, 0)
LOCK (g_rw_lock_reader_lock, GRWLock, READ_LOCK)
TRYLOCK (g_rw_lock_reader_trylock, GRWLock, READ_LOCK)
UNLOCK (g_rw_lock_reader_unlock, GRWLock, READ_LOCK)
CLEAR (g_rw_lock_clear, GRWLock)

/* A condition lets go of its mutex and takes it again. */
void
g_cond_wait (GCond *cond, GMutex *mutex)
{
  REAL (g_cond_wait);
  __tsan_mutex_pre_unlock (mutex, 0);
  __tsan_mutex_post_unlock (mutex, 0);
  real (cond, mutex);
  __tsan_mutex_pre_lock (mutex, LINKER_INIT);
  __tsan_mutex_post_lock (mutex, LINKER_INIT, 1);
}

gboolean
g_cond_wait_until (GCond *cond, GMutex *mutex, gint64 end_time)
{
  gboolean signalled;

  REAL (g_cond_wait_until);
  __tsan_mutex_pre_unlock (mutex, 0);
  __tsan_mutex_post_unlock (mutex, 0);
  signalled = real (cond, mutex, end_time);
  __tsan_mutex_pre_lock (mutex, LINKER_INIT);
  __tsan_mutex_post_lock (mutex, LINKER_INIT, 1);
  return signalled;
}

/* One-time initialisation */

#undef g_once_init_enter
#undef g_once_init_leave

gboolean
g_once_init_enter (volatile void *location)
{
  gboolean is_first;

  REAL (g_once_init_enter);
  is_first = real (location);
  __tsan_acquire ((void *) location);
  return is_first;
}

void
g_once_init_leave (volatile void *location, gsize result)
{
  REAL (g_once_init_leave);
  __tsan_release ((void *) location);
  real (location, result);
}

/* What one thread hands to the main context of another */

typedef struct
{
  GSource *source; /* not owned: it owns this */
  GSourceFunc func;
  gpointer data;
  GDestroyNotify notify;
} Callback;

static gboolean
call_back (gpointer data)
{
  Callback *callback = data;

  __tsan_acquire (callback);
  __tsan_acquire (callback->source);
  return callback->func (callback->data);
}

static void
free_callback (gpointer data)
{
  Callback *callback = data;

  __tsan_acquire (callback);
  __tsan_acquire (callback->source);
  if (callback->notify != NULL)
    callback->notify (callback->data);
  g_free (callback);
}

/* Callbacks of other sources have other arguments. */
void
g_source_set_callback (GSource *source, GSourceFunc func, gpointer data, GDestroyNotify notify)
{
  Callback *callback;

  REAL (g_source_set_callback);
  if (source->source_funcs != &g_idle_funcs && source->source_funcs != &g_timeout_funcs)
    {
      real (source, func, data, notify);
      return;
    }
  callback = g_new0 (Callback, 1);
  callback->source = source;
  callback->func = func;
  callback->data = data;
  callback->notify = notify;
  __tsan_release (callback);
  real (source, call_back, callback, free_callback);
}

guint
g_source_attach (GSource *source, GMainContext *context)
{
  GMainContext *target = context != NULL ? context : g_main_context_default ();
  guint id;

  REAL (g_source_attach);
  __tsan_release (source);
  __tsan_acquire (target);
  id = real (source, context);
  __tsan_release (target);
  return id;
}

/* GLib's calls the functions above within itself; but it runs @func at once where it can, and that
 * must stay so. */
void
g_main_context_invoke_full (GMainContext *context,
                            int priority,
                            GSourceFunc func,
                            gpointer data,
                            GDestroyNotify notify)
{
  GMainContext *own = g_main_context_get_thread_default ();
  GSource *source;

  REAL (g_main_context_invoke_full);
  context = context != NULL ? context : g_main_context_default ();
  own = own != NULL ? own : g_main_context_default ();
  if (own == context && g_main_context_acquire (context))
    {
      real (context, priority, func, data, notify);
      g_main_context_release (context);
      return;
    }
  source = g_idle_source_new ();
  g_source_set_priority (source, priority);
  g_source_set_callback (source, func, data, notify);
  g_source_attach (source, context);
  g_source_unref (source);
}

/* Work that is handed to a thread of a pool, as GStreamer's streaming threads are */

typedef struct
{
  GFunc func;
  gpointer user_data;
} Worker;

static void
take_work (gpointer data, gpointer user_data)
{
  Worker *worker = user_data;

  __tsan_acquire (data);
  worker->func (data, worker->user_data);
}

GThreadPool *
g_thread_pool_new (GFunc func,
                   gpointer user_data,
                   int max_threads,
                   gboolean exclusive,
                   GError **error)
{
  Worker *worker = g_new0 (Worker, 1); /* pools live to the end */

  REAL (g_thread_pool_new);
  worker->func = func;
  worker->user_data = user_data;
  return real (take_work, worker, max_threads, exclusive, error);
}

gboolean
g_thread_pool_push (GThreadPool *pool, gpointer data, GError **error)
{
  REAL (g_thread_pool_push);
  __tsan_release (data);
  return real (pool, data, error);
}

/* What GLib guards with locks of its own, within itself: the nodes of the queue between the two,
 * and the time zones. */
const char *__tsan_default_suppressions (void);

const char *
__tsan_default_suppressions (void)
{
  return "race:g_queue_pop_tail\n"
         "race:g_time_zone_new_identifier\n"; /* its cache */
}

/* Reference counts */

#undef g_atomic_ref_count_dec
#undef g_object_ref

gboolean
g_atomic_ref_count_dec (gatomicrefcount *count)
{
  gboolean is_last;

  REAL (g_atomic_ref_count_dec);
  __tsan_release (count);
  is_last = real (count);
  if (is_last)
    __tsan_acquire (count);
  return is_last;
}

/* Whether this is the last reference is known inside only, so each one that is given up is taken
 * for the last. */
#define UNREF(name, type)                                                                          \
  void name (type object)                                                                          \
  {                                                                                                \
    REAL (name);                                                                                   \
    if (object != NULL)                                                                            \
      {                                                                                            \
        __tsan_release ((void *) object);                                                          \
        __tsan_acquire ((void *) object);                                                          \
      }                                                                                            \
    real (object);                                                                                 \
  }

UNREF (g_object_unref, gpointer)
UNREF (g_bytes_unref, GBytes *)
UNREF (g_source_unref, GSource *)
UNREF (gst_mini_object_unref, GstMiniObject *)
UNREF (gst_object_unref, gpointer)
