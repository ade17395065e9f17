"""Requests to the authority: no redirects, no proxies, answers limited in time and size."""
import http.client
import ipaddress
import socket
import ssl
import threading
from urllib.parse import urlsplit

# Seconds for a whole answer, beside the time for which it is held back.
ANSWER_WITHIN = 3


class _HTTPConnection(http.client.HTTPConnection):
    # `sock` is gone as soon as the length of the answer is its end.
    open_socket = None

    def connect(self):
        super().connect()
        self.open_socket = self.sock


class _HTTPSConnection(http.client.HTTPSConnection):
    open_socket = None

    def connect(self):
        http.client.HTTPConnection.connect(self)
        # In two steps, so that a handshake that never ends can be cut, too.
        self.sock = self.open_socket = self._context.wrap_socket(
            self.sock, server_hostname=self.host, do_handshake_on_connect=False)
        self.sock.do_handshake()


class Server:
    """The authority at one URL.

    Raises ValueError for a URL that is none, and for http to another machine unless `allow_http` is set."""

    def __init__(self, url, ca_file=None, allow_http=False):
        self.url = urlsplit(url)
        if not self.url.hostname or self.url.scheme not in ("https", "http"):
            raise ValueError(f"{url} is not the URL of a server")
        self.tls = ssl.create_default_context(cafile=ca_file) if self.url.scheme == "https" else None
        if self.tls is None and not allow_http and not is_loopback(self.url.hostname):
            raise ValueError(f"{url} is not https; in a trusted network allow http")

    def get(self, path, wait, limit, etag=None):
        """The text and the ETag of what stands at `path`; the answer may be held back while `etag` names the newest."""
        within, address = ANSWER_WITHIN + wait, (self.url.hostname, self.url.port)
        if self.tls is None:
            connection = _HTTPConnection(*address, timeout=within)
        else:
            connection = _HTTPSConnection(*address, timeout=within, context=self.tls)
        # The timeout of a socket starts again with every byte.
        deadline = threading.Timer(within, cut, [connection])
        deadline.daemon = True
        deadline.start()
        try:
            headers = {"If-None-Match": etag} if etag else {}
            connection.request("GET", self.url.path.rstrip("/") + path, headers=headers)
            answer = connection.getresponse()
            if answer.status != 200:
                raise ValueError(f"answered with status {answer.status}")
            text = answer.read(limit + 1)
            if len(text) > limit:
                raise ValueError(f"the answer is larger than {limit} bytes")
            return text.decode("utf-8"), answer.getheader("ETag")
        finally:
            deadline.cancel()
            connection.close()


def is_loopback(host):
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def cut(connection):
    try:
        # Of the operating system's socket: a reader, or a handshake, ends with it.
        socket.socket.shutdown(connection.open_socket, socket.SHUT_RDWR)
    except (TypeError, OSError):
        # Not connected yet, or not any more.
        pass
