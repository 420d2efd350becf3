/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * RelaisError:
 * @RELAIS_ERROR_NOT_MATROSKA: the bytes do not begin with an EBML header of DocType webm or
 * matroska
 * @RELAIS_ERROR_NO_HEADER: a stream that begins in the middle (a Cluster without EBML header and
 * Tracks)
 * @RELAIS_ERROR_HEADER_TOO_LARGE: no Cluster within the header's byte limit
 * @RELAIS_ERROR_HEADER_TIMEOUT: no Cluster within the header's time limit
 * @RELAIS_ERROR_CORRUPT: the element structure is damaged beyond resynchronisation
 * @RELAIS_ERROR_UNSUPPORTED_CODEC: a track holds a codec that relais cannot carry; the message
 * names it
 * @RELAIS_ERROR_TOO_LARGE: a chunk or frame is over its limit
 * @RELAIS_ERROR_BUSY: the stream already has a publisher
 * @RELAIS_ERROR_LIMIT: a configured limit (streams, viewers) is reached
 * @RELAIS_ERROR_NOT_FOUND: there is no such stream
 * @RELAIS_ERROR_INVALID: an argument, a configuration key or an id is not valid
 * @RELAIS_ERROR_PROTOCOL: the peer broke the WebSocket protocol
 * @RELAIS_ERROR_TIMEOUT: the peer was silent for longer than its limit
 * @RELAIS_ERROR_INTERNAL: our fault, or a missing GStreamer element
 */
typedef enum
{
  RELAIS_ERROR_NOT_MATROSKA,
  RELAIS_ERROR_NO_HEADER,
  RELAIS_ERROR_HEADER_TOO_LARGE,
  RELAIS_ERROR_HEADER_TIMEOUT,
  RELAIS_ERROR_CORRUPT,
  RELAIS_ERROR_UNSUPPORTED_CODEC,
  RELAIS_ERROR_TOO_LARGE,
  RELAIS_ERROR_BUSY,
  RELAIS_ERROR_LIMIT,
  RELAIS_ERROR_NOT_FOUND,
  RELAIS_ERROR_INVALID,
  RELAIS_ERROR_PROTOCOL,
  RELAIS_ERROR_TIMEOUT,
  RELAIS_ERROR_INTERNAL,
} RelaisError;

#define RELAIS_ERROR (relais_error_quark ())
GQuark relais_error_quark (void);

const char *relais_error_get_code (const GError *error);
guint16 relais_error_get_close_code (const GError *error);

G_END_DECLS
