"""The sockets below httpx: each can be cut by another thread, and large bodies are written without copying.

httpx lets a transport be given, and httpcore, its engine, a network backend; both are documented for this use.
"""

from __future__ import annotations

import socket
import ssl
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final, TypedDict

import httpcore
import httpx

from curri.stream.failures import BadAddress, failure


class _Limits(TypedDict):
    max_connections: int
    max_keepalive_connections: int
    keepalive_expiry: float  # seconds


CONNECTIONS: Final[_Limits] = {"max_connections": 4, "max_keepalive_connections": 2, "keepalive_expiry": 5.0}
"""For one worker, which makes one request at a time: to the API and to the host of its upload. A connection that
rested for longer than 5 s is not used again, since the other side may just be closing it."""


class Line(httpcore.NetworkStream):
    """A connection. httpcore's own does the work, except for writing.

    Its `write` copies what remains after each partial write, and under TLS every write is partial: one record of
    16 KiB. Measured on loopback, plain, with blocks of 256 KiB: 0.38 s of processor time for a gigabyte, 0.35 s so.
    """

    def __init__(self, inner: httpcore.NetworkStream, lines: Lines, layers: int = 0) -> None:
        self._inner = inner
        self._lines = lines
        self._layers = layers  # of TLS
        self._socket: socket.socket = inner.get_extra_info("socket")
        lines.opened(self._socket)

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, timeout)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if self._layers > 1:
            # TLS within TLS (a proxy that is spoken to by https) does not run on a socket of its own.
            self._inner.write(buffer, timeout)
            return
        rest = memoryview(buffer)
        try:
            self._socket.settimeout(timeout)  # for each partial write anew
            while rest:
                rest = rest[self._socket.send(rest) :]
        except TimeoutError as error:
            raise httpcore.WriteTimeout(error) from error
        except OSError as error:
            raise httpcore.WriteError(error) from error

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return Line(self._inner.start_tls(ssl_context, server_hostname, timeout), self._lines, self._layers + 1)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class Lines(httpcore.NetworkBackend):
    """The connections of one worker. Another thread may cut them."""

    def __init__(self) -> None:
        self._connect = httpcore.SyncBackend()
        self._sockets: list[socket.socket] = []

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        return Line(self._connect.connect_tcp(host, port, timeout, local_address, socket_options), self)

    def opened(self, connection: socket.socket) -> None:
        """Remember a socket, and forget those that are closed (or wrapped by this one)."""
        self._sockets = [kept for kept in self._sockets if kept.fileno() >= 0] + [connection]

    def cut(self) -> None:
        """End every connection: what blocks on one fails at once. From any thread; again does no harm."""
        for connection in self._sockets:
            # The plain method also for TLS: SSLSocket's own would first pull its state from under the other thread.
            with suppress(OSError):
                socket.socket.shutdown(connection, socket.SHUT_RDWR)


class Transport(httpx.BaseTransport):
    """What httpx sends requests through: httpcore over `Lines`, by the proxies of the environment."""

    def __init__(self, tls: ssl.SSLContext, lines: Lines) -> None:
        self._tls = tls
        self._lines = lines
        self._pools: dict[str | None, httpcore.ConnectionPool] = {}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Raises the exceptions of httpx, and BadAddress for a proxy that cannot be used."""
        url = request.url
        target = request.extensions.get("target", url.raw_path)
        inner = httpcore.Request(
            request.method,
            httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=target),
            headers=request.headers.raw,
            content=request.stream,
            # Without the target, which httpcore would use for a CONNECT to a proxy as well.
            extensions={key: value for key, value in request.extensions.items() if key != "target"},
        )
        with _translated():
            response = self._pool(_proxy_for(url)).handle_request(inner)
        return httpx.Response(
            response.status,
            headers=response.headers,
            stream=_Incoming(response),
            extensions=response.extensions,
        )

    def close(self) -> None:
        for pool in self._pools.values():
            pool.close()

    def _pool(self, proxy: str | None) -> httpcore.ConnectionPool:
        """The connections by way of that proxy, or without one."""
        pool = self._pools.get(proxy) or self._new_pool(proxy)
        if pool is None:
            # Raised out here, without a cause: what the libraries say quotes the setting, and a password in it.
            where = "HTTP_PROXY, HTTPS_PROXY, ALL_PROXY"
            raise failure(BadAddress, "a proxy of the environment cannot be used", where=where)
        self._pools[proxy] = pool
        return pool

    def _new_pool(self, proxy: str | None) -> httpcore.ConnectionPool | None:
        """None for a proxy that cannot be used: an unknown scheme, SOCKS without the package for it."""
        if proxy is None:
            return httpcore.ConnectionPool(ssl_context=self._tls, network_backend=self._lines, **CONNECTIONS)
        try:
            told = httpx.Proxy(proxy if "://" in proxy else f"http://{proxy}")
            kind = httpcore.SOCKSProxy if told.url.scheme.startswith("socks") else httpcore.HTTPProxy
            return kind(
                httpcore.URL(scheme=told.url.raw_scheme, host=told.url.raw_host, port=told.url.port, target=b"/"),
                proxy_auth=told.raw_auth,
                ssl_context=self._tls,
                network_backend=self._lines,
                **CONNECTIONS,
            )
        except (ValueError, RuntimeError, ImportError, httpx.InvalidURL):
            return None


class _Incoming(httpx.SyncByteStream):
    """The body of an answer."""

    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        with _translated():
            yield from self._response.iter_stream()

    def close(self) -> None:
        self._response.close()


def _proxy_for(url: httpx.URL) -> str | None:
    """The proxy that the environment names for an address (`HTTPS_PROXY`, `NO_PROXY` and their like)."""
    proxies = urllib.request.getproxies()
    if not proxies or urllib.request.proxy_bypass(url.host):
        return None
    return proxies.get(url.scheme) or proxies.get("all")


@contextmanager
def _translated() -> Iterator[None]:
    """Exceptions of httpcore become those of httpx: each has its namesake there."""
    try:
        yield
    except CORE as error:
        raise next(NAMESAKES[cls] for cls in type(error).__mro__ if cls in NAMESAKES)(str(error)) from error


NAMESAKES: Final[dict[type[Exception], type[httpx.RequestError]]] = {
    httpcore.ProxyError: httpx.ProxyError,
    httpcore.UnsupportedProtocol: httpx.UnsupportedProtocol,
    httpcore.ProtocolError: httpx.ProtocolError,
    httpcore.RemoteProtocolError: httpx.RemoteProtocolError,
    httpcore.LocalProtocolError: httpx.LocalProtocolError,
    httpcore.TimeoutException: httpx.TimeoutException,
    httpcore.PoolTimeout: httpx.PoolTimeout,
    httpcore.ConnectTimeout: httpx.ConnectTimeout,
    httpcore.ReadTimeout: httpx.ReadTimeout,
    httpcore.WriteTimeout: httpx.WriteTimeout,
    httpcore.NetworkError: httpx.NetworkError,
    httpcore.ConnectError: httpx.ConnectError,
    httpcore.ReadError: httpx.ReadError,
    httpcore.WriteError: httpx.WriteError,
}
CORE: Final = tuple(NAMESAKES)
