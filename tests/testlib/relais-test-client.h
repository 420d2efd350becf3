/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "relais-test-media.h"
#include "relais-test-server.h"

G_BEGIN_DECLS

/* RFC 6455 section 11.8. */
#define RELAIS_TEST_TEXT   0x1
#define RELAIS_TEST_BINARY 0x2
#define RELAIS_TEST_CLOSE  0x8
#define RELAIS_TEST_PING   0x9
#define RELAIS_TEST_PONG   0xA

typedef struct
{
  guint8 opcode; /* 0: the connection is over */
  GBytes *payload;
} RelaisTestFrame;

/* A WebSocket client that hides nothing: it sends what it is told to and returns every frame. */
typedef struct
{
  GIOStream *io;
  GInputStream *input;
  GOutputStream *output;
  RelaisTestMedia *media; /* every binary message, parsed */
  guint n_inits;          /* `init` messages */
  guint n_drops;          /* `drop` messages */
  gint64 epoch;           /* of the last of them */
  char *mime;             /* the same */
  guint n_units;          /* binary messages that are no init segment */
  gboolean wants_init;    /* the next binary message is an init segment */
  gboolean has_video;     /* the epoch's first video block has come */
} RelaisTestClient;

RelaisTestClient *relais_test_client_new (RelaisTestServer *server, const char *path);
RelaisTestClient *relais_test_client_new_publisher (RelaisTestServer *server, const char *id);
RelaisTestClient *
relais_test_client_new_viewer (RelaisTestServer *server, const char *id, gboolean waits);
RelaisTestClient *relais_test_client_new_for_io (GIOStream *io);
void relais_test_client_free (RelaisTestClient *self);
GSocket *relais_test_client_get_socket (RelaisTestClient *self);
void relais_test_client_send_handshake (RelaisTestClient *self, const char *path);
void relais_test_client_finish_handshake (RelaisTestClient *self);

void relais_test_client_send_bytes (RelaisTestClient *self, gconstpointer data, gsize size);
void
relais_test_client_send (RelaisTestClient *self, guint8 opcode, gconstpointer data, gsize size);
void relais_test_client_end_publishing (RelaisTestClient *self);
void relais_test_client_send_close (RelaisTestClient *self, guint16 code);
void
relais_test_client_send_chunks (RelaisTestClient *self, GPtrArray *chunks, guint from, guint to);

RelaisTestFrame relais_test_client_read_frame (RelaisTestClient *self);
void relais_test_frame_clear (RelaisTestFrame *frame);
char *relais_test_client_read_text (RelaisTestClient *self);
void relais_test_client_expect_type (RelaisTestClient *self, const char *type);
void relais_test_client_expect_unit (RelaisTestClient *self);
void relais_test_client_read_until (RelaisTestClient *self, const char *type);
void relais_test_client_read_blocks (RelaisTestClient *self, guint n_blocks);
void relais_test_client_read_units (RelaisTestClient *self, guint n_units);
void
relais_test_client_expect_refusal (RelaisTestClient *self, const char *code, guint16 close_code);
void relais_test_client_expect_error (RelaisTestClient *self, const char *code, guint16 close_code);
void relais_test_client_expect_close (RelaisTestClient *self, guint16 close_code);
void relais_test_client_expect_end (RelaisTestClient *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (RelaisTestClient, relais_test_client_free)
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (RelaisTestFrame, relais_test_frame_clear)

G_END_DECLS
