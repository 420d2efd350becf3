/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The one error domain. Every code has a word that travels to peers in {"type":"error","code":WORD}
 * and a WebSocket close code; both are looked up here so that no caller invents its own. */

#include "config.h"

#include "base/relais-error.h"

G_DEFINE_QUARK (relais - error - quark, relais_error)

/* RFC 6455 section 7.4.1, and 1012/1013 from the IANA registry of close codes. */
static const struct
{
  const char *word;
  guint16 close_code;
} codes[] = {
  [RELAIS_ERROR_NOT_MATROSKA] = { "not-matroska", 1003 },
  [RELAIS_ERROR_NO_HEADER] = { "no-header", 1003 },
  [RELAIS_ERROR_HEADER_TOO_LARGE] = { "header-too-large", 1003 },
  [RELAIS_ERROR_HEADER_TIMEOUT] = { "header-timeout", 1003 },
  [RELAIS_ERROR_CORRUPT] = { "corrupt", 1003 },
  [RELAIS_ERROR_UNSUPPORTED_CODEC] = { "unsupported-codec", 1003 },
  [RELAIS_ERROR_TOO_LARGE] = { "too-large", 1009 },
  [RELAIS_ERROR_BUSY] = { "busy", 1008 },
  [RELAIS_ERROR_LIMIT] = { "limit", 1013 },
  [RELAIS_ERROR_NOT_FOUND] = { "not-found", 1008 },
  [RELAIS_ERROR_INVALID] = { "invalid", 1008 },
  [RELAIS_ERROR_PROTOCOL] = { "protocol", 1002 },
  [RELAIS_ERROR_TIMEOUT] = { "timeout", 1008 },
  [RELAIS_ERROR_INTERNAL] = { "internal", 1011 },
};

/**
 * relais_error_get_code:
 * @error: an error of any domain
 *
 * Returns: (transfer none): the word for the `code` field of an error message; "internal" for
 * foreign domains
 */
const char *
relais_error_get_code (const GError *error)
{
  if (error->domain != RELAIS_ERROR || (gsize) error->code >= G_N_ELEMENTS (codes))
    return "internal";
  return codes[error->code].word;
}

/**
 * relais_error_get_close_code:
 * @error: an error of any domain
 *
 * Returns: the WebSocket close code that tells a peer of @error; 1011 for foreign domains
 */
guint16
relais_error_get_close_code (const GError *error)
{
  if (error->domain != RELAIS_ERROR || (gsize) error->code >= G_N_ELEMENTS (codes))
    return 1011;
  return codes[error->code].close_code;
}
