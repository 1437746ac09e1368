"""One request to an exchanging server, and what is said when it fails.

Whatever fails is raised after the frames that held the request's bytes are gone: `%xmode Verbose`
prints what a frame holds.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx2

from jupyter_oauthconn.connectors.reach import NO_PROXY, Reach
from jupyter_oauthconn.errors import (
    ConfigurationError,
    OAuthConnError,
    ProviderProtocolError,
    ProviderRejectedError,
    ProviderUnavailableError,
)
from jupyter_oauthconn.model import Secret

_TIMEOUT_SECONDS = 30.0
_ANSWER_LIMIT = 64 * 1024
_OK = 200
_BUSY = frozenset({408, 425, 429})
_SERVER_ERROR = 500
_TEXT_LIMIT = 300
#: Shorter parts of a token are not looked for: they could be words.
_TELLING_PART = 12


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Trade:
    """A request that carries the access token, shown by its address only.

    Attributes:
        name: the connection's.
        url: where to; https, or http on loopback.
        fields: of a form; a value may be secret.
        document: sent as JSON in place of a form; values may be secret.
    """

    name: str
    url: str
    token: Secret
    fields: Mapping[str, str | Secret] = field(default_factory=dict)
    document: Mapping[str, object] | None = None

    def __repr__(self) -> str:
        return f"Trade({self.url.partition('?')[0]})"

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or self.url

    def masked(self, text: str) -> str:
        """`text` of the server for people: short, one line, without the token or parts of it."""
        value = self.token.reveal()
        for part in (value, *value.split(".")):
            if len(part) >= _TELLING_PART:
                text = text.replace(part, "********")
        text = " ".join(re.sub(r"[\x00-\x1f\x7f]", " ", text).split())
        return text if len(text) <= _TEXT_LIMIT else f"{text[:_TEXT_LIMIT]}…"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Answer:
    """Shows its status only. `failure` says why there is none; `status` is then 0."""

    status: int = 0
    body: bytes = b""
    retry_after: str = ""
    failure: str = ""

    def __repr__(self) -> str:
        return f"Answer({self.status})"


def post(trade: Trade) -> bytes:
    """The body of the answer with status 200.

    Raises:
        ConfigurationError: the address may not be sent a token.
        ProviderUnavailableError: no answer, or one that says "later".
        ProviderProtocolError: something else than an answer, e.g. a redirect.
        ProviderRejectedError: the server refused; `error` is its code.
    """
    if not Reach(None).covers(trade.url):
        raise ConfigurationError(
            f"The token of {trade.name!r} is not sent to {trade.host}: the address is not https.",
            hint="Mend `endpoint` of the exchange in the provider's entry.",
        )
    answer = _send(trade)
    if answer.status == _OK:
        return answer.body
    raise _refusal(trade, answer)


def unreadable(trade: Trade, what: str) -> ProviderProtocolError:
    return ProviderProtocolError(
        f"{trade.host} exchanged the token of {trade.name!r} and its answer lacks {what}.",
        hint="Compare the exchange in the provider's entry with the server's documentation.",
    )


def _send(trade: Trade) -> Answer:
    headers = {"Accept": "application/json, text/xml;q=0.9"}
    options: dict[str, object] = {}
    if trade.document is not None:
        headers["Content-Type"] = "application/json"
        options["content"] = json.dumps(trade.document, default=_revealed)
    else:
        options["data"] = {
            name: one.reveal() if isinstance(one, Secret) else one
            for name, one in trade.fields.items()
        }
    try:
        # a redirect is not followed: it would carry the token on
        with (
            httpx2.Client(
                timeout=_TIMEOUT_SECONDS, follow_redirects=False, mounts=NO_PROXY
            ) as client,
            client.stream("POST", trade.url, headers=headers, **options) as response,  # type: ignore[arg-type] # one dict for two kinds of body
        ):
            body = bytearray()
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > _ANSWER_LIMIT:
                    return Answer(failure=f"more than {_ANSWER_LIMIT} bytes")
            return Answer(
                status=response.status_code,
                body=bytes(body),
                retry_after=response.headers.get("Retry-After", ""),
            )
    except httpx2.TimeoutException:
        return Answer(failure=f"no answer within {_TIMEOUT_SECONDS:.0f} s")
    except httpx2.HTTPError as error:
        return Answer(failure=type(error).__name__)


def _revealed(value: object) -> str:
    if isinstance(value, Secret):
        return value.reveal()
    raise TypeError(f"{type(value).__name__} has no JSON form.")


def _refusal(trade: Trade, answer: Answer) -> OAuthConnError:
    asked = f"{trade.host} was asked to exchange the token of {trade.name!r}"
    if answer.failure:
        return ProviderUnavailableError(f"{asked}: {answer.failure}.", hint="Try again later.")
    if answer.status in _BUSY or answer.status >= _SERVER_ERROR:
        seconds = answer.retry_after.strip()
        return ProviderUnavailableError(
            f"{asked} and answered {answer.status}.",
            hint="Try again later.",
            retry_after_seconds=float(seconds) if seconds.isascii() and seconds.isdigit() else None,
        )
    code, text = _problem(answer.body)
    if not code:
        return ProviderProtocolError(
            f"{asked} and answered {answer.status} in no form that is known.",
            hint="Compare the exchange in the provider's entry with the server's documentation.",
        )
    said = trade.masked(f"{code}: {text}" if text else code)
    return ProviderRejectedError(
        f"{asked} and refused: {said}",
        hint="The server must trust the provider, and the account must be allowed there: ask who "
        f"administers {trade.host}.",
        error=trade.masked(code),
        status=answer.status,
    )


def _problem(body: bytes) -> tuple[str, str]:
    """Code and text of an error: RFC 6749 §5.2, AWS's XML, Tableau's and Databricks' JSON."""
    text = body.decode("utf-8", "replace")
    found = read_object(body)
    error = found.get("error", found.get("error_code", ""))
    if isinstance(error, dict):
        return str(error.get("code", "error")), str(error.get("detail", error.get("summary", "")))
    if error:
        return str(error), str(found.get("error_description", found.get("message", "")))
    code = re.search(r"<Code>([^<]{1,200})</Code>", text)
    message = re.search(r"<Message>([^<]{0,2000})</Message>", text)
    return (code[1] if code else "", message[1] if message else "")


def read_object(body: bytes) -> dict[str, object]:
    """A JSON object, empty when `body` is none."""
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
