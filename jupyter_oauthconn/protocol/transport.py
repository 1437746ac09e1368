"""The way to providers: one request, one answer, one deadline, no redirects.

Every call has a connection of its own. A kept-alive one may be closed by the other side just when
a refresh is written into it, and then nobody knows whether the refresh token was spent.
"""

from __future__ import annotations

import logging
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from jupyter_oauthconn.errors import (
    InvalidParameterError,
    OAuthConnError,
    ProviderProtocolError,
    ProviderUnavailableError,
)
from jupyter_oauthconn.model import Secret

from .addresses import AddressGuard, is_loopback, split_url

if TYPE_CHECKING:
    import httpcore2

    from .network import Call

_TOKEN_ANSWER_LIMIT = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class HttpRequest:
    """A request to a provider; shows its method and address only, the address without query.

    Attributes:
        secrets: what it carries that may never be shown, should the answer echo it.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    secrets: tuple[Secret, ...] = ()

    def __repr__(self) -> str:
        return f"HttpRequest({self.method} {self.url.partition('?')[0]})"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class HttpAnswer:
    """A provider's answer; shows its status only.

    Attributes:
        headers: names in lower case, repeated ones joined by a comma.
        date: the provider's clock (RFC 9110 §6.6.1), aware UTC, or None.
        elapsed_seconds: from before DNS to the last byte.
        secrets: those of the request.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    date: datetime | None = None
    elapsed_seconds: float = 0.0
    secrets: tuple[Secret, ...] = ()

    def __repr__(self) -> str:
        return f"HttpAnswer({self.status})"


class Transport:
    """Sends requests to providers. Thread-safe; holds no connection between calls.

    No redirect is followed, no proxy or password file of the environment is used, nothing is
    decompressed. Behind `proxy` the proxy resolves names, so only the host's spelling is judged
    here; loopback hosts are always called directly.

    Args:
        guard: judges hosts and addresses.
        ca_bundle: PEM file of certification authorities to trust besides the system's.
        proxy: `http://[user:password@]host:port`.
        total_seconds: for a whole call.
        connect_seconds: for a connection attempt.

    Raises:
        InvalidParameterError: `ca_bundle` or `proxy` cannot be used.
    """

    def __init__(
        self,
        *,
        guard: AddressGuard,
        ca_bundle: str | None = None,
        proxy: str | None = None,
        total_seconds: float = 15.0,
        connect_seconds: float = 5.0,
    ) -> None:
        self.guard = guard
        self._ca_bundle = ca_bundle
        self._proxy = proxy
        self._total_seconds = total_seconds
        self._connect_seconds = connect_seconds
        self._tls: ssl.SSLContext | None = None
        self._lock = threading.Lock()
        self._closed = False
        _check_ca_bundle(ca_bundle)
        _check_proxy(proxy)

    def send(
        self, request: HttpRequest, *, limit: int = _TOKEN_ANSWER_LIMIT, typed_host: bool = False
    ) -> HttpAnswer:
        """Sends the request and returns the answer, whatever its status.

        Args:
            limit: bytes that the answer's body may have.
            typed_host: an administrator wrote this address by hand (see `AddressGuard`).

        Raises:
            ProviderUnavailableError: no answer in time; `request_sent` says whether the provider
                may have got it.
            ProviderProtocolError: an answer beyond the limit, compressed or not HTTP.
        """
        try:
            return self._call(request, limit, typed_host)
        except OAuthConnError as error:
            failure = error
        # raised afresh: the frames below hold the body and the Authorization header as locals
        failure.__context__ = failure.__cause__ = None
        raise failure.with_traceback(None)

    def trusted_authorities(self) -> int:
        """How many certificates of authorities answers may be signed under."""
        return self._context().cert_store_stats()["x509_ca"]

    def close(self) -> None:
        """No call starts after this; those under way run to their deadline."""
        self._closed = True

    def _call(self, request: HttpRequest, limit: int, typed_host: bool) -> HttpAnswer:
        import httpcore2

        from .network import Call

        parts = split_url(request.url)
        host = (parts.hostname if parts else None) or "the provider"
        self._check(request, host, typed_host)
        proxied = self._proxy is not None and not is_loopback(host)
        call = Call(
            self.guard,
            secure=parts is not None and parts.scheme == "https",
            typed=typed_host or proxied,  # a proxy's own address comes from the settings
            total_seconds=self._total_seconds,
            connect_seconds=self._connect_seconds,
        )
        started = time.monotonic()
        try:
            with _silent_libraries(), self._pool(call, proxied) as pool:
                status, headers, body = _exchange(pool, request, limit, host)
        except httpcore2.TimeoutException:
            raise _no_answer(host, "did not answer in time", call) from None
        except httpcore2.ProxyError:
            raise _no_answer(host, "cannot be reached through the proxy", call) from None
        except httpcore2.NetworkError:
            raise _no_answer(host, "broke the connection", call) from None
        except httpcore2.RemoteProtocolError:
            # an answer cut short looks the same as one that is not HTTP at all
            raise _no_answer(host, "did not give a whole HTTP answer", call) from None
        except httpcore2.LocalProtocolError:
            raise _no_answer(host, "was not asked: the request is malformed", call) from None
        return HttpAnswer(
            status=status,
            headers=headers,
            body=body,
            date=_http_date(headers.get("date", "")),
            elapsed_seconds=time.monotonic() - started,
            secrets=request.secrets,
        )

    def _check(self, request: HttpRequest, host: str, typed_host: bool) -> None:
        reason = "the service is shutting down" if self._closed else ""
        try:
            self.guard.check_url(request.url, typed=typed_host)
        except InvalidParameterError as error:
            reason = error.message
        if reason:
            raise ProviderUnavailableError(
                f"{host} was not called: {reason}",
                hint="If this provider lives in your own network, an administrator can add its "
                "host to allowed_private_hosts.",
                request_sent=False,
            )

    def _pool(self, call: Call, proxied: bool) -> httpcore2.ConnectionPool:
        import httpcore2

        if not proxied:
            return httpcore2.ConnectionPool(ssl_context=self._context(), network_backend=call)
        parts = urlsplit(self._proxy or "")
        login = (unquote(parts.username), unquote(parts.password or "")) if parts.username else None
        return httpcore2.HTTPProxy(
            proxy_url=f"http://{parts.netloc.rpartition('@')[2]}",
            proxy_auth=login,
            ssl_context=self._context(),
            network_backend=call,
        )

    def _context(self) -> ssl.SSLContext:
        """TLS by the system's trust store and `ca_bundle`, not by `SSL_CERT_FILE`."""
        from httpx2 import create_ssl_context

        with self._lock:
            if self._tls is None:
                context = create_ssl_context(trust_env=False)
                if self._ca_bundle is not None:
                    context.load_verify_locations(self._ca_bundle)
                self._tls = context
            return self._tls


def _exchange(
    pool: httpcore2.ConnectionPool, request: HttpRequest, limit: int, host: str
) -> tuple[int, Mapping[str, str], bytes]:
    headers = {
        "User-Agent": "jupyter-oauthconn",
        **request.headers,
        "Accept-Encoding": "identity",
        "Connection": "close",
    }
    if request.method == "POST":
        headers["Content-Length"] = str(len(request.body or b""))
    with pool.stream(
        request.method, request.url, headers=list(headers.items()), content=request.body
    ) as response:
        received = _joined(response.headers)
        if received.get("content-encoding", "identity").lower() != "identity":
            raise ProviderProtocolError(
                f"{host} sent a compressed answer although none was asked for.",
                hint="Tell the provider, or whoever runs the proxy before it.",
            )
        body = bytearray()
        for chunk in response.iter_stream():
            body += chunk
            if len(body) > limit:
                raise ProviderProtocolError(
                    f"{host} sent more than {limit} bytes.",
                    hint="Check that the address is the provider's endpoint and not a web page.",
                )
        return response.status, received, bytes(body)


def _joined(headers: list[tuple[bytes, bytes]]) -> dict[str, str]:
    received: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        received[name] = f"{received[name]}, {value}" if name in received else value
    return received


def _no_answer(host: str, what: str, call: Call) -> ProviderUnavailableError:
    return ProviderUnavailableError(
        f"{host} {what}.",
        hint="Try again later; `%connect doctor` tests the way there.",
        request_sent=call.request_sent,
    )


def _http_date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _check_ca_bundle(path: str | None) -> None:
    try:
        if path is not None:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except OSError as error:
        raise InvalidParameterError(
            f"The file in 'ca_bundle', {path}, cannot be used: {error.strerror or 'not PEM'}.",
            hint="Name a PEM file of certificates.",
            parameter="ca_bundle",
        ) from None


def _check_proxy(proxy: str | None) -> None:
    parts = split_url(proxy) if proxy is not None else None
    if proxy is not None and (parts is None or parts.scheme != "http" or not parts.hostname):
        raise InvalidParameterError(
            "The address in 'proxy' cannot be used.",
            hint="Give it as http://host:port; the connection through it is still encrypted.",
            parameter="proxy",
        )


_sending: ContextVar[bool] = ContextVar("oauthconn_sending", default=False)


@contextmanager
def _silent_libraries() -> Iterator[None]:
    """The HTTP libraries log headers and whole URLs; during a call of ours they log nothing."""
    token = _sending.set(True)
    try:
        yield
    finally:
        _sending.reset(token)


def _not_ours(record: logging.LogRecord) -> bool:
    return not _sending.get()


# On each logger that writes: a filter does not reach a logger's children, and a raised level
# would silence other users of these libraries in the process.
for _name in ("connection", "http11", "http2", "proxy", "socks"):
    logging.getLogger(f"httpcore2.{_name}").addFilter(_not_ours)
logging.getLogger("httpx2").addFilter(_not_ours)
