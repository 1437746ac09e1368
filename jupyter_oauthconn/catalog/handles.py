"""The tables `[[handles]]`: read strictly, and filled in with a person's values.

A value that goes into an address is percent-encoded, and one that goes into its host must leave
exactly the host that the template shows: the access token is sent there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from urllib.parse import quote

from jupyter_oauthconn.errors import InvalidParameterError

from .entry import Exchange, ExchangeKind, Handle, Placement, ProviderEntry, TokenPlacement
from .render import checked_values, is_complete, names_in, resolve_text
from .toml_table import Table

#: The account at the provider, in the place of a variable.
IDENTITY = "identity"

_URL = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+._-]*)://(?:(?P<user>[^@/?#]*)@)?(?P<host>[^@/?#]*)"
    r"(?P<path>/[^?#]*)?(?:\?(?P<query>[^#]*))?"
)
_HOST = re.compile(
    r"[a-z0-9._{}-]*(?::(?:[0-9]{1,5}|\{[a-z][a-z0-9_]*\}))?", re.ASCII | re.IGNORECASE
)
_PLAIN_HOST = re.compile(
    r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?(?::[0-9]{1,5})?", re.ASCII | re.IGNORECASE
)
_LOOPBACK = re.compile(r"http://(127\.0\.0\.1|localhost|\[::1\])([:/]|$)")
_NAMED = {Placement.CONNECT_ARG, Placement.URL_QUERY, Placement.PREFIXED,
          Placement.HEADER_FACTORY, Placement.REQUESTS_AUTH, Placement.CALLABLE_ARG}  # fmt: skip


def read_handles(top: Table) -> tuple[Handle, ...]:
    """All `[[handles]]`. Raises `ConfigurationError`, which names file, table and key."""
    found = tuple(_handle(one) for one in top.tables("handles"))
    if not found:
        raise top.fault("[[handles]]", "is missing: an entry says how its data is reached")
    return found


def templates_of(handle: Handle) -> list[str]:
    """Every text of a handle that may hold a variable."""
    found = [handle.url, handle.probe, *handle.options.values(), *_texts(handle.connect_args)]
    if handle.exchange is not None:
        found += [handle.exchange.endpoint, *handle.exchange.parameters.values()]
    return found


def resolve_handle(
    entry: ProviderEntry,
    handle: Handle,
    parameters: Mapping[str, str],
    *,
    identity: str | None = None,
) -> Handle:
    """A handle with the values filled in; what has no value and can be left out is left out.

    That is: the user, a part of the query, the end of the path, an argument, an option.

    Args:
        identity: the account at the provider, for `{identity}`.

    Raises:
        InvalidParameterError: a value is missing or malformed, or would change the host.
    """
    values = checked_values(entry, parameters)
    if identity:
        values[IDENTITY] = identity
    exchange = handle.exchange
    if exchange is not None:
        exchange = replace(
            exchange,
            endpoint=_address(entry, exchange.endpoint, values),
            parameters=_filled_texts(exchange.parameters, values),
        )
    return replace(
        handle,
        url=_address(entry, handle.url, values) if handle.url else "",
        connect_args=_filled(handle.connect_args, values),
        probe=resolve_text(handle.probe, values),
        options=_filled_texts(handle.options, values),
        exchange=exchange,
    )


def unfit_placement(made: TokenPlacement) -> tuple[str, str] | None:
    """Which key is wrong and why, e.g. `("name", "is missing: …")`; None: nothing is."""
    if made.placement in _NAMED and not made.name:
        return "name", f"is missing: {made.placement} needs the driver's argument"
    if (made.placement is Placement.PREFIXED) != bool(made.prefix):
        return "prefix", "belongs to the placement prefixed, which needs it"
    return None


# --- reading


def _handle(table: Table) -> Handle:
    handle = Handle(
        kind=table.text("kind"),
        title=table.text_or_none("title") or "",
        requires=table.texts("requires"),
        url=_url(table),
        connect_args=table.values("connect_args"),
        token=_placement(table.table("token")) if "token" in table.names() else None,
        session_bound=table.flag("session_bound"),
        auth_errors=table.texts("auth_errors"),
        probe=table.text_or_none("probe") or "",
        options=table.mapping("options"),
        exchange=_exchange(table.table("exchange")) if "exchange" in table.names() else None,
    )
    table.close()
    return handle


def _url(table: Table) -> str:
    url = table.text_or_none("url") or ""
    if not url:
        return ""
    parts = _URL.fullmatch(url)
    if parts is None:
        raise table.fault("url", "must be an address like https://host/path or driver://host/name")
    if ":" in (parts["user"] or ""):
        raise table.fault("url", "must not hold a password: the token is put in by its placement")
    if not _HOST.fullmatch(parts["host"]):
        raise table.fault("url", "has a host that no address can have")
    if IDENTITY in names_in(parts["host"]):
        raise table.fault("url", "must not have the account as its host: the provider says it")
    if parts["scheme"] == "http" and not _LOOPBACK.match(url):
        raise table.fault("url", "must not be http://, but on this machine")
    return url


def _placement(table: Table) -> TokenPlacement:
    text = table.text("placement")
    try:
        placement = Placement(text)
    except ValueError:
        choices = ", ".join(Placement)
        raise table.fault("placement", f"may be {choices}, not {text!r}") from None
    made = TokenPlacement(
        placement=placement,
        name=table.text_or_none("name") or "",
        prefix=table.text_or_none("prefix") or "",
    )
    if wrong := unfit_placement(made):
        raise table.fault(*wrong)
    table.close()
    return made


def _exchange(table: Table) -> Exchange:
    text = table.text("kind")
    try:
        kind = ExchangeKind(text)
    except ValueError:
        choices = ", ".join(ExchangeKind)
        raise table.fault("kind", f"may be {choices}, not {text!r}") from None
    endpoint = table.text("endpoint")
    if not endpoint.startswith("https://") and not _LOOPBACK.match(endpoint):
        raise table.fault("endpoint", "must begin with https:// (http:// on this machine only)")
    seconds = table.number("lifetime_seconds")
    made = Exchange(
        kind=kind,
        endpoint=endpoint,
        parameters=table.mapping("parameters"),
        lifetime=None if seconds is None else timedelta(seconds=seconds),
    )
    table.close()
    return made


def _texts(value: object) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _texts(one)


# --- filling in


def _filled_texts(texts: Mapping[str, str], values: Mapping[str, str]) -> dict[str, str]:
    return {
        name: resolve_text(text, values)
        for name, text in texts.items()
        if is_complete(text, values)
    }


def _filled(arguments: Mapping[str, object], values: Mapping[str, str]) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, one in arguments.items():
        if isinstance(one, str):
            if is_complete(one, values):
                found[name] = resolve_text(one, values)
        elif isinstance(one, Mapping):
            found[name] = _filled(one, values)
        elif isinstance(one, list | tuple):
            found[name] = [resolve_text(each, values) if isinstance(each, str) else each
                           for each in one]  # fmt: skip
        else:
            found[name] = one
    return found


def _address(entry: ProviderEntry, template: str, values: Mapping[str, str]) -> str:
    parts = _URL.fullmatch(template)
    if parts is None:
        raise _unfit(entry, template)
    host = resolve_text(parts["host"], values)
    if host != parts["host"] and not _PLAIN_HOST.fullmatch(host):
        raise _unfit(entry, template)
    user = _encoded(parts["user"] or "", values)
    made = f"{parts['scheme']}://{f'{user}@' if parts['user'] is not None else ''}{host}"
    made += _path(entry, parts["path"] or "", values)
    queries = [_encoded(one, values) for one in (parts["query"] or "").split("&")]
    return made + (f"?{'&'.join(filter(None, queries))}" if any(queries) else "")


def _path(entry: ProviderEntry, template: str, values: Mapping[str, str]) -> str:
    """Segments up to the first without a value; one that stands behind it needs it."""
    segments = [_segment(one, values) for one in template.split("/")]
    while segments and segments[-1] is None:
        segments.pop()
    if None in segments:
        missing = next(name for name in names_in(template) if name not in values)
        raise InvalidParameterError(
            f"The address of {entry.title} needs {missing}, because what stands behind it is set.",
            hint=f"Set it: --set {missing}=VALUE.",
            parameter=missing,
        )
    return "/".join(one for one in segments if one is not None)


def _segment(template: str, values: Mapping[str, str]) -> str | None:
    return _encoded(template, values) if is_complete(template, values) else None


def _encoded(template: str, values: Mapping[str, str]) -> str:
    """The template with its values percent-encoded; empty if one is missing."""
    if not is_complete(template, values):
        return ""
    quoted = {name: quote(values[name], safe="") for name in names_in(template)}
    return resolve_text(template, quoted)


def _unfit(entry: ProviderEntry, template: str) -> InvalidParameterError:
    names = names_in(template)
    return InvalidParameterError(
        f"{' and '.join(names) or 'A parameter'} cannot be part of an address of {entry.title}.",
        hint=f"The address is {template}; its host must stay as it is shown.",
        parameter=names[0] if names else "",
    )
