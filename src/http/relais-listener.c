/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Listening sockets of our own: libsoup's have a backlog of 10, and a herd of viewers that joins at
 * once does not fit in there. */

#include "config.h"

#include "http/relais-listener.h"

#include <string.h>

#include "base/relais-error.h"

#define BACKLOG 4096

/**
 * relais_listener_parse:
 * @address: `127.0.0.1:8080`, `[::1]:0`, `localhost:8080`
 * @socket_address: (out) (transfer full): where to bind
 * @error: RELAIS_ERROR_INVALID
 *
 * Returns: whether @address is a numeric address or `localhost`, and a port
 */
gboolean
relais_listener_parse (const char *address, GSocketAddress **socket_address, GError **error)
{
  const char *colon = strrchr (address, ':');
  g_autofree char *host = NULL;
  guint64 port;

  if (colon != NULL && g_ascii_string_to_unsigned (colon + 1, 10, 0, G_MAXUINT16, &port, NULL))
    {
      host = g_strndup (address, (gsize) (colon - address));
      if (host[0] == '[' && g_str_has_suffix (host, "]"))
        {
          host[strlen (host) - 1] = '\0';
          memmove (host, host + 1, strlen (host));
        }
      *socket_address
          = g_inet_socket_address_new_from_string (g_str_equal (host, "localhost") ? "127.0.0.1"
                                                                                   : host,
                                                   (guint) port);
      if (*socket_address != NULL)
        return TRUE;
    }
  g_set_error (error, RELAIS_ERROR, RELAIS_ERROR_INVALID,
               "“%s” is not an address to listen on; write it as 127.0.0.1:8080 or [::1]:8080",
               address);
  return FALSE;
}

/**
 * relais_listener_bind:
 * @address: as for relais_listener_parse()
 * @error: RELAIS_ERROR_INVALID, or a #GIOErrorEnum with the address in its message
 *
 * Returns: (transfer full): a listening socket
 */
GSocket *
relais_listener_bind (const char *address, GError **error)
{
  g_autoptr (GSocketAddress) socket_address = NULL;
  g_autoptr (GSocket) socket = NULL;

  if (!relais_listener_parse (address, &socket_address, error))
    return NULL;
  socket = g_socket_new (g_socket_address_get_family (socket_address), G_SOCKET_TYPE_STREAM,
                         G_SOCKET_PROTOCOL_TCP, error);
  if (socket != NULL)
    g_socket_set_listen_backlog (socket, BACKLOG);
  if (socket == NULL || !g_socket_bind (socket, socket_address, TRUE, error)
      || !g_socket_listen (socket, error))
    {
      g_prefix_error (error, "cannot listen on %s: ", address);
      return NULL;
    }
  return g_steal_pointer (&socket);
}

/**
 * relais_listener_get_url:
 * @socket: a listening socket
 * @scheme: http or https
 *
 * Returns: (transfer full): `http://127.0.0.1:8080/`, with the port that the system chose
 */
char *
relais_listener_get_url (GSocket *socket, const char *scheme)
{
  g_autoptr (GSocketAddress) address = g_socket_get_local_address (socket, NULL);
  GInetSocketAddress *inet = G_INET_SOCKET_ADDRESS (address);
  g_autofree char *host = g_inet_address_to_string (g_inet_socket_address_get_address (inet));
  gboolean is_ipv6 = g_socket_address_get_family (address) == G_SOCKET_FAMILY_IPV6;

  return g_strdup_printf (is_ipv6 ? "%s://[%s]:%u/" : "%s://%s:%u/", scheme, host,
                          g_inet_socket_address_get_port (inet));
}
