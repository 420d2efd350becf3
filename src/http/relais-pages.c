/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The pages, the player and their parts, served from the binary (data/relais.gresource.xml). */

#include "config.h"

#include "http/relais-pages.h"

#include <string.h>

#include <relais-pages-resource.h> /* generated from data/ */

#define ROOT "/relais/pages/"

/* The pages load nothing from elsewhere, and the browser holds them to it. Media comes from blob:
 * (MSE) and from the camera. */
#define CONTENT_SECURITY_POLICY                                                                    \
  "default-src 'self'; connect-src 'self' ws: wss: http: https:; img-src 'self' data: blob:; "     \
  "media-src 'self' blob: mediastream:; style-src 'self' 'unsafe-inline'; worker-src 'self' "      \
  "blob:; "                                                                                        \
  "object-src 'none'; base-uri 'none'; frame-ancestors *"

static const struct
{
  const char *suffix;
  const char *type;
} types[] = {
  { ".html", "text/html; charset=utf-8" },
  { ".js", "text/javascript; charset=utf-8" },
  { ".css", "text/css; charset=utf-8" },
  { ".svg", "image/svg+xml" },
};

/**
 * relais_pages_respond_text:
 * @message: a request
 * @status: an HTTP status
 * @text: what to say, without a line end
 */
void
relais_pages_respond_text (SoupServerMessage *message, guint status, const char *text)
{
  g_autofree char *line = g_strdup_printf ("%s\n", text);

  soup_server_message_set_status (message, status, NULL);
  soup_server_message_set_response (message, "text/plain; charset=utf-8", SOUP_MEMORY_COPY, line,
                                    strlen (line));
}

static const char *
find_resource (const char *path)
{
  if (g_str_equal (path, "/"))
    return "index.html";
  if (g_str_equal (path, "/broadcast") || g_str_has_prefix (path, "/broadcast/"))
    return "broadcast.html";
  if (g_str_equal (path, "/watch") || g_str_has_prefix (path, "/watch/"))
    return "watch.html";
  if (g_str_equal (path, "/relais-player.js"))
    return "relais-player.js";
  if (g_str_equal (path, "/favicon.ico"))
    return "icon.svg";
  if (g_str_has_prefix (path, "/assets/"))
    return path + strlen ("/assets/");
  return NULL;
}

static void
respond_resource (SoupServerMessage *message, const char *name, GBytes *bytes)
{
  SoupMessageHeaders *headers = soup_server_message_get_response_headers (message);
  SoupMessageHeaders *request = soup_server_message_get_request_headers (message);
  g_autofree char *sum = g_compute_checksum_for_bytes (G_CHECKSUM_SHA256, bytes);
  g_autofree char *etag = g_strdup_printf ("\"%.16s\"", sum);
  const char *type = "application/octet-stream";
  gsize size;
  const char *data = g_bytes_get_data (bytes, &size);

  for (guint i = 0; i < G_N_ELEMENTS (types); i++)
    if (g_str_has_suffix (name, types[i].suffix))
      type = types[i].type;

  /* Always asked for again, never sent again: a new server version is seen at once. */
  soup_message_headers_replace (headers, "Cache-Control", "no-cache");
  soup_message_headers_replace (headers, "ETag", etag);
  soup_message_headers_replace (headers, "X-Content-Type-Options", "nosniff");
  soup_message_headers_replace (headers, "Content-Security-Policy", CONTENT_SECURITY_POLICY);
  /* Other people's pages load the player as a module. */
  soup_message_headers_replace (headers, "Access-Control-Allow-Origin", "*");
  if (g_strcmp0 (soup_message_headers_get_one (request, "If-None-Match"), etag) == 0)
    {
      soup_server_message_set_status (message, SOUP_STATUS_NOT_MODIFIED, NULL);
      return;
    }
  soup_server_message_set_status (message, SOUP_STATUS_OK, NULL);
  /* Resources are in the binary's read-only data. */
  soup_server_message_set_response (message, type, SOUP_MEMORY_STATIC, data, size);
}

/**
 * relais_pages_handle:
 * @message: a request with the method GET or HEAD
 * @path: its path
 *
 * Returns: whether there is such a page; it is then the response
 */
gboolean
relais_pages_handle (SoupServerMessage *message, const char *path)
{
  const char *name = find_resource (path);
  g_autofree char *resource = NULL;
  g_autoptr (GBytes) bytes = NULL;

  if (name == NULL)
    return FALSE;
  resource = g_strconcat (ROOT, name, NULL);
  bytes = g_resource_lookup_data (relais_pages_get_resource (), resource,
                                  G_RESOURCE_LOOKUP_FLAGS_NONE, NULL);
  if (bytes == NULL)
    return FALSE;
  respond_resource (message, name, bytes);
  return TRUE;
}
