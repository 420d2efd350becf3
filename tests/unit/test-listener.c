/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "http/relais-listener.h"

#include <string.h>

#include "base/relais-error.h"

static void
test_parse (void)
{
  static const struct
  {
    const char *text;
    const char *host;
    guint16 port;
  } addresses[] = {
    { "127.0.0.1:8080", "127.0.0.1", 8080 },
    { "0.0.0.0:0", "0.0.0.0", 0 },
    { "localhost:1", "127.0.0.1", 1 },
    { "[::1]:65535", "::1", 65535 },
    { "[::]:80", "::", 80 },
    { "[2001:db8::5]:443", "2001:db8::5", 443 },
  };

  for (guint i = 0; i < G_N_ELEMENTS (addresses); i++)
    {
      g_autoptr (GSocketAddress) address = NULL;
      g_autoptr (GError) error = NULL;
      g_autofree char *host = NULL;

      g_assert_true (relais_listener_parse (addresses[i].text, &address, &error));
      g_assert_no_error (error);
      host = g_inet_address_to_string (
          g_inet_socket_address_get_address (G_INET_SOCKET_ADDRESS (address)));
      g_assert_cmpstr (host, ==, addresses[i].host);
      g_assert_cmpuint (g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (address)), ==,
                        addresses[i].port);
    }
}

static void
test_parse_refuses (void)
{
  static const char *const texts[] = {
    "",
    ":",
    ":80",
    "8080",
    "127.0.0.1",
    "127.0.0.1:",
    "127.0.0.1:x",
    "127.0.0.1:65536",
    "127.0.0.1:-1",
    "127.0.0.1:80 ",
    "127.0.0:80a",
    "256.0.0.1:80",
    "example.org:80",
    "[::1]",
    "[::1:80",
    "[]:80",
    "[::g]:80",
    "[:80",
    "http://127.0.0.1:80",
  };

  for (guint i = 0; i < G_N_ELEMENTS (texts); i++)
    {
      g_autoptr (GSocketAddress) address = NULL;
      g_autoptr (GError) error = NULL;

      if (relais_listener_parse (texts[i], &address, &error))
        g_error ("“%s” should not be an address", texts[i]);
      g_assert_null (address);
      g_assert_error (error, RELAIS_ERROR, RELAIS_ERROR_INVALID);
      g_assert_nonnull (strstr (error->message, texts[i]));
    }
}

static guint16
get_port (GSocket *socket)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GSocketAddress) address = g_socket_get_local_address (socket, &error);

  g_assert_no_error (error);
  return g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (address));
}

static void
test_bind (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GSocket) socket = relais_listener_bind ("127.0.0.1:0", &error);
  g_autofree char *http = NULL;
  g_autofree char *https = NULL;
  g_autofree char *expected = NULL;

  g_assert_no_error (error);
  g_assert_cmpuint (get_port (socket), >, 0);
  http = relais_listener_get_url (socket, "http");
  https = relais_listener_get_url (socket, "https");
  expected = g_strdup_printf ("http://127.0.0.1:%u/", get_port (socket));
  g_assert_cmpstr (http, ==, expected);
  g_assert_true (g_str_has_prefix (https, "https://127.0.0.1:"));
}

static void
test_bind_ipv6 (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GSocket) socket = relais_listener_bind ("[::1]:0", &error);
  g_autofree char *url = NULL;
  g_autofree char *expected = NULL;

  if (socket == NULL)
    {
      g_test_skip ("this machine has no IPv6");
      return;
    }
  url = relais_listener_get_url (socket, "http");
  expected = g_strdup_printf ("http://[::1]:%u/", get_port (socket));
  g_assert_cmpstr (url, ==, expected);
}

/* An address that is taken is said by its name. */
static void
test_bind_taken (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GSocket) socket = relais_listener_bind ("127.0.0.1:0", &error);
  g_autofree char *address = NULL;
  g_autoptr (GSocket) second = NULL;

  g_assert_no_error (error);
  address = g_strdup_printf ("127.0.0.1:%u", get_port (socket));
  second = relais_listener_bind (address, &error);
  g_assert_null (second);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_ADDRESS_IN_USE);
  g_assert_nonnull (strstr (error->message, address));

  g_clear_error (&error);
  second = relais_listener_bind ("nowhere", &error);
  g_assert_null (second);
  g_assert_error (error, RELAIS_ERROR, RELAIS_ERROR_INVALID);
}

/* A herd fits into the backlog although nobody accepts. libsoup's own listeners refuse after ten;
 * then a connection is not complete before its SYN is sent again, a second later. */
static void
test_backlog (void)
{
  const guint n_clients = 400;
  g_autoptr (GError) error = NULL;
  g_autoptr (GSocket) socket = relais_listener_bind ("127.0.0.1:0", &error);
  g_autoptr (GSocketAddress) address = NULL;
  g_autoptr (GPtrArray) clients = g_ptr_array_new_with_free_func (g_object_unref);

  g_assert_no_error (error);
  address = g_socket_get_local_address (socket, &error);
  for (guint i = 0; i < n_clients; i++)
    {
      GSocket *client = g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM,
                                      G_SOCKET_PROTOCOL_TCP, &error);

      g_assert_no_error (error);
      g_ptr_array_add (clients, client);
      g_socket_set_blocking (client, FALSE);
      /* loopback connects within the call, unless the backlog is full */
      if (!g_socket_connect (client, address, NULL, &error))
        {
          g_assert_error (error, G_IO_ERROR, G_IO_ERROR_PENDING);
          g_clear_error (&error);
        }
      g_assert_true ((g_socket_condition_check (client, G_IO_OUT) & G_IO_OUT) != 0);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/listener/parse", test_parse);
  g_test_add_func ("/listener/parse-refuses", test_parse_refuses);
  g_test_add_func ("/listener/bind", test_bind);
  g_test_add_func ("/listener/bind-ipv6", test_bind_ipv6);
  g_test_add_func ("/listener/bind-taken", test_bind_taken);
  g_test_add_func ("/listener/backlog", test_backlog);
  return g_test_run ();
}
