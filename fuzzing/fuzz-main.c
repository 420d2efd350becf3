/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Stands in for libFuzzer in builds without it, so that every build runs the fuzzers: calls
 * LLVMFuzzerTestOneInput() with each file of a corpus and with mutations of it. The mutations of a
 * file depend on nothing but its name and the corpus, so that a failure comes again.
 *
 *   fuzz-NAME DIRECTORY [MUTATIONS]   one TAP test a file of the corpus
 *   fuzz-NAME FILE                    this input alone
 *
 * An input that makes the fuzzer abort is left in the working directory as `crash-NAME`; sanitizers
 * abort with ASAN_OPTIONS=abort_on_error=1. */

#include "config.h"

#include <fcntl.h>
#include <glib.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_MUTATIONS 2000
#define MAX_INPUT_BYTES   65536
#define MAX_STEPS         4

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

typedef struct
{
  char *name;
  GBytes *bytes;
} Seed;

/* What the fuzzer is being called with, for the signal handler. */
static struct
{
  const guint8 *data;
  gsize size;
  char path[128];
} current;

static void
on_abort (int number)
{
  int fd = open (current.path, O_WRONLY | O_CREAT | O_TRUNC, 0666);

  if (fd >= 0 && write (fd, current.data, current.size) == (gssize) current.size)
    {
      static const char note[] = "Bail out! the input is in ";

      if (write (STDOUT_FILENO, note, sizeof note - 1) > 0
          && write (STDOUT_FILENO, current.path, strlen (current.path)) > 0)
        fsync (fd);
    }
  signal (number, SIG_DFL);
  raise (number);
}

/* The input lies in memory of its own size, so that a sanitizer sees a read past its end. */
static void
run_one (const guint8 *data, gsize size)
{
  g_autofree guint8 *copy = g_malloc (MAX (size, 1));

  if (size > 0)
    memcpy (copy, data, size);
  current.data = copy;
  current.size = size;
  LLVMFuzzerTestOneInput (size > 0 ? copy : NULL, size);
}

static gsize
rand_below (GRand *rand, gsize limit)
{
  return limit == 0 ? 0 : g_rand_int (rand) % limit;
}

static void
insert (GByteArray *input, gsize at, const guint8 *data, gsize size)
{
  gsize rest = input->len - at;

  size = MIN (size, MAX_INPUT_BYTES - input->len);
  g_byte_array_set_size (input, input->len + size);
  memmove (input->data + at + size, input->data + at, rest);
  memcpy (input->data + at, data, size);
}

static void
mutate_step (GByteArray *input, GRand *rand, GPtrArray *seeds)
{
  static const guint8 edges[] = { 0x00, 0x01, 0x7F, 0x80, 0x81, 0xFE, 0xFF };
  gsize at = rand_below (rand, input->len), left = input->len - at;
  gsize span = 1 + rand_below (rand, (gsize) 1 << rand_below (rand, 12));
  const Seed *other = seeds->pdata[rand_below (rand, seeds->len)];
  guint8 noise[8];

  if (input->len == 0)
    {
      insert (input, 0, g_bytes_get_data (other->bytes, NULL), g_bytes_get_size (other->bytes));
      return;
    }

  span = MIN (span, left);
  switch (rand_below (rand, 8))
    {
    case 0:
      input->data[at] ^= 1 << rand_below (rand, 8);
      break;
    case 1:
      input->data[at] = edges[rand_below (rand, sizeof edges)];
      break;
    case 2:
      input->data[at] = rand_below (rand, 256);
      break;
    case 3:
      g_byte_array_set_size (input, at);
      break;
    case 4:
      g_byte_array_remove_range (input, at, span);
      break;
    case 5:
      {
        g_autofree guint8 *copy = g_memdup2 (input->data + at, span);

        insert (input, rand_below (rand, input->len), copy, span);
      }
      break;
    case 6:
      for (gsize i = 0; i < sizeof noise; i++)
        noise[i] = rand_below (rand, 256);
      insert (input, at, noise, 1 + rand_below (rand, sizeof noise));
      break;
    default:
      {
        gsize size;
        const guint8 *data = g_bytes_get_data (other->bytes, &size);
        gsize from = rand_below (rand, size);

        g_byte_array_set_size (input, at);
        insert (input, at, data + from, size - from);
      }
      break;
    }
}

static void
run_seed (const Seed *seed, GPtrArray *seeds, guint mutations)
{
  g_autoptr (GRand) rand = g_rand_new_with_seed (g_str_hash (seed->name));
  g_autoptr (GByteArray) input = g_byte_array_new ();
  gsize size;
  const guint8 *data = g_bytes_get_data (seed->bytes, &size);

  run_one (data, size);
  for (guint i = 0; i < mutations; i++)
    {
      g_byte_array_set_size (input, 0);
      g_byte_array_append (input, data, MIN (size, MAX_INPUT_BYTES));
      for (gsize step = 1 + rand_below (rand, MAX_STEPS); step > 0; step--)
        mutate_step (input, rand, seeds);
      run_one (input->data, input->len);
    }
}

static void
seed_free (gpointer data)
{
  Seed *seed = data;

  g_free (seed->name);
  g_bytes_unref (seed->bytes);
  g_free (seed);
}

static gint
seed_compare (gconstpointer a, gconstpointer b)
{
  return strcmp ((*(Seed *const *) a)->name, (*(Seed *const *) b)->name);
}

static gboolean
add_seed (GPtrArray *seeds, const char *path, GError **error)
{
  g_autofree char *data = NULL;
  gsize size;
  Seed *seed;

  if (!g_file_get_contents (path, &data, &size, error))
    return FALSE;
  seed = g_new0 (Seed, 1);
  seed->name = g_path_get_basename (path);
  seed->bytes = g_bytes_new_take (g_steal_pointer (&data), size);
  g_ptr_array_add (seeds, seed);
  return TRUE;
}

/* Returns: the corpus, sorted by name, for its order on disk is not the same everywhere. */
static GPtrArray *
load_corpus (const char *path, GError **error)
{
  g_autoptr (GPtrArray) seeds = g_ptr_array_new_with_free_func (seed_free);
  g_autoptr (GDir) dir = g_dir_open (path, 0, error);
  const char *name;

  if (dir == NULL)
    return NULL;
  while ((name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *file = g_build_filename (path, name, NULL);

      if (!add_seed (seeds, file, error))
        return NULL;
    }
  g_ptr_array_sort (seeds, seed_compare);
  return g_steal_pointer (&seeds);
}

int
main (int argc, char **argv)
{
  g_autoptr (GPtrArray) seeds = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *program = g_path_get_basename (argv[0]);
  guint mutations = argc > 2 ? (guint) g_ascii_strtoull (argv[2], NULL, 10) : DEFAULT_MUTATIONS;

  if (argc < 2)
    {
      g_printerr ("usage: %s DIRECTORY [MUTATIONS] | FILE\n", program);
      return EXIT_FAILURE;
    }
  g_snprintf (current.path, sizeof current.path, "crash-%s", program);

  if (g_file_test (argv[1], G_FILE_TEST_IS_DIR))
    {
      seeds = load_corpus (argv[1], &error);
      signal (SIGABRT, on_abort);
    }
  else
    {
      seeds = g_ptr_array_new_with_free_func (seed_free);
      mutations = 0;
      if (!add_seed (seeds, argv[1], &error))
        g_clear_pointer (&seeds, g_ptr_array_unref);
    }
  if (seeds == NULL || seeds->len == 0)
    {
      g_print ("Bail out! %s\n", error != NULL ? error->message : "the corpus is empty");
      return EXIT_FAILURE;
    }

  g_print ("1..%u\n", seeds->len);
  for (guint i = 0; i < seeds->len; i++)
    {
      const Seed *seed = seeds->pdata[i];

      run_seed (seed, seeds, mutations);
      g_print ("ok %u %s and %u mutations\n", i + 1, seed->name, mutations);
    }
  return EXIT_SUCCESS;
}
