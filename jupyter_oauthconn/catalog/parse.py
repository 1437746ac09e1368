"""From the text of a TOML file to a `ProviderEntry`, checked so far that it will render."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from datetime import date, timedelta
from enum import StrEnum
from typing import TypeVar

from jupyter_oauthconn.errors import ConfigurationError, InvalidParameterError
from jupyter_oauthconn.model import AuthMethod, Endpoints

from .entry import (
    ProviderEntry,
    RefreshRules,
    ResourceParameter,
    Rotation,
    Scopes,
    TokenAnswerRules,
    Variable,
)
from .handles import IDENTITY, read_handles, resolve_handle, templates_of
from .render import check_parameters, names_in, resolve_endpoints, resolve_issuer
from .toml_table import Table

_KEY = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_VARIABLE = re.compile(r"[a-z][a-z0-9_]*")
_API_HOST = re.compile(r"(\*\.)?[a-z0-9.{}_-]+")
_SUFFIX = re.compile(r"\.?[a-z0-9-]+(\.[a-z0-9-]+)*")
_LOOPBACK_HOSTS = {"localhost", "127.0.0.1", "[::1]"}
_ENDPOINTS = ("authorization", "token", "refresh", "revocation", "introspection",
              "device_authorization")  # fmt: skip
_Enum = TypeVar("_Enum", bound=StrEnum)


def parse_entry(text: str, *, key: str, where: str) -> ProviderEntry:
    """The entry `key` that the file `where` holds.

    Raises:
        ConfigurationError: not TOML, an unknown or missing key, an address that is not https,
            a variable without a pattern; the sentence names file, table and key.
    """
    if not _KEY.fullmatch(key):
        raise ConfigurationError(
            f"{where}: the file's name is the entry's key, and {key!r} cannot be one.",
            hint="Use 1 to 40 of a-z, 0-9 and -, beginning with a letter or digit.",
        )
    try:
        top = Table(tomllib.loads(text), where)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{where} is not TOML: {error}.", hint="Correct it.") from None
    entry = _entry(top, key)
    _check_templates(entry, where)
    return entry


def _entry(top: Table, key: str) -> ProviderEntry:
    provider, endpoints = top.table("provider"), top.table("endpoints")
    entry = ProviderEntry(
        key=key,
        title=provider.text("title"),
        checked=_day(provider, "checked"),
        source=_https(provider, "source"),
        confidence=_one_of(provider, "confidence", ("high", "medium", "low")),
        issuer=_https_or_none(provider, "issuer"),
        discovery=provider.flag("discovery"),
        loopback_hosts=_loopback_hosts(provider),
        api_hosts=_all_match(provider, "api_hosts", _API_HOST, "host names, *. in front allowed"),
        traps=provider.texts("traps"),
        endpoints=_endpoints(endpoints),
        authorization_parameters=endpoints.mapping("authorization_parameters"),
        account_prompt=endpoints.text_or_none("account_prompt"),
        callback_keep=endpoints.texts("callback_keep"),
        variables=_variables(top.table("variables")),
        scopes=_scopes(top.table("scopes")),
        auth_methods=_auth_methods(top.table("client_authentication")),
        token_answer=_token_answer(top.table("token_answer")),
        refresh=_refresh(top.table("refresh")),
        revocation_note=_revocation_note(top.table("revocation")),
        steps=tuple(_step(one) for one in top.tables("steps")),
        handles=read_handles(top),
    )
    for table in (provider, endpoints, top):
        table.close()
    return entry


def _endpoints(table: Table) -> Endpoints:
    # the keys are those of RFC 8414 §2; only a separate refresh endpoint has none there
    return Endpoints(**{one: _https_or_none(table, f"{one}_endpoint") for one in _ENDPOINTS})


def _variables(table: Table) -> tuple[Variable, ...]:
    found = []
    for name in table.names():
        one = table.table(name)
        if not _VARIABLE.fullmatch(name) or name == "redirect_uri":
            raise table.fault(name, "cannot name a variable (a-z, 0-9, _; not redirect_uri)")
        pattern = one.text("pattern")
        try:
            re.compile(pattern)
        except re.error as error:
            raise one.fault("pattern", f"is not a regular expression: {error}") from None
        variable = Variable(
            name=name,
            title=one.text("title"),
            pattern=pattern,
            at=_one_of(one, "at", ("client", "connection")),
            required=one.flag("required"),
            default=one.text_or_none("default"),
            example=one.text("example"),
            host_suffixes=_all_match(one, "host_suffixes", _SUFFIX, "host names or .suffixes"),
        )
        one.close()
        found.append(variable)
    return tuple(found)


def _scopes(table: Table) -> Scopes:
    scopes = Scopes(
        default=table.texts("default"),
        offline=table.texts("offline"),
        identity=table.texts("identity"),
    )
    table.close()
    return scopes


def _auth_methods(table: Table) -> tuple[AuthMethod, ...]:
    key = "token_endpoint_auth_methods_supported"
    methods = tuple(_member(table, key, AuthMethod, one) for one in table.texts(key))
    if not methods:
        raise table.fault(key, "is missing")
    table.close()
    return methods


def _token_answer(table: Table) -> TokenAnswerRules:
    rules = TokenAnswerRules(
        default_lifetime=_duration(table, "default_lifetime_seconds", seconds=1),
        keep=table.texts("keep"),
        accept_form=table.flag("accept_form"),
        error_with_status_200=table.flag("error_with_status_200"),
        account=table.text_or_none("account"),
    )
    table.close()
    if rules.account is not None and rules.account not in rules.keep:
        raise table.fault("account", "must be one of the fields in keep")
    return rules


def _refresh(table: Table) -> RefreshRules:
    rules = RefreshRules(
        rotation=_member(table, "rotation", Rotation, table.text_or_none("rotation") or "unknown"),
        grace=_duration(table, "grace_seconds", seconds=1),
        kills_access_token=table.flag("kills_access_token"),
        lifetime=_duration(table, "lifetime_days", seconds=86_400),
        idle=_duration(table, "idle_days", seconds=86_400),
        resource_parameter=_member(
            table,
            "resource_parameter",
            ResourceParameter,
            table.text_or_none("resource_parameter") or "none",
        ),
    )
    table.close()
    return rules


def _revocation_note(table: Table) -> str:
    note = table.text_or_none("note") or ""
    table.close()
    return note


def _step(table: Table) -> str:
    text, command = table.text("text"), table.text_or_none("command")
    table.close()
    return f"{text}\n{command.rstrip()}" if command else text


def _check_templates(entry: ProviderEntry, where: str) -> None:
    """Renders the entry with its own examples, so that a fault shows before a person meets it."""
    known = {one.name: one for one in entry.variables}
    always = {one.name for one in entry.variables
              if one.at == "client" and (one.required or one.default)}  # fmt: skip
    addresses = [entry.issuer, *(getattr(entry.endpoints, one) for one in _ENDPOINTS)]
    texts = [*entry.scopes.default, *entry.scopes.offline, *entry.scopes.identity,
             *entry.authorization_parameters.values(), *entry.api_hosts]  # fmt: skip
    _check_names(texts, set(known), where, "is not among its variables")
    for handle in entry.handles:
        _check_names(templates_of(handle), {*known, IDENTITY}, where, "is not among its variables")
    _check_names(entry.steps, {*known, "redirect_uri"}, where, "is not among its variables")
    _check_names(
        [one for one in addresses if one], always, where,
        "stands in an address: it must be a variable at the client, required or with a default",
    )  # fmt: skip
    if entry.endpoints.token is None and not entry.discovery:
        raise ConfigurationError(
            f"{where}: neither [endpoints] token_endpoint nor discovery is there.",
            hint="Add token_endpoint, or discovery = true in [provider].",
        )
    try:
        for part in ("example", "default"):
            values = {name: value for name, one in known.items() if (value := getattr(one, part))}
            for at in ("client", "connection"):
                own = {name: value for name, value in values.items() if known[name].at == at}
                missing = {name: one.example for name, one in known.items()
                           if one.at == at and one.required}  # fmt: skip
                check_parameters(entry, {**missing, **own}, at=at)
    except InvalidParameterError as error:
        raise ConfigurationError(
            f"{where}: with its own {part}s: {error}", hint=error.hint
        ) from None
    examples = {name: one.example for name, one in known.items()}
    resolve_endpoints(entry, examples)
    resolve_issuer(entry, examples)
    for handle in entry.handles:
        try:
            resolve_handle(entry, handle, examples, identity="ada@example.com")
        except InvalidParameterError as error:
            raise ConfigurationError(
                f"{where} [[handles]] {handle.kind}: with its own examples: {error}",
                hint=error.hint,
            ) from None


def _check_names(texts: Iterable[str], known: set[str], where: str, reason: str) -> None:
    for text in texts:
        for name in names_in(text):
            if name not in known:
                raise ConfigurationError(f"{where}: {{{name}}} {reason}.", hint=f"See {text!r}.")


def _https_or_none(table: Table, key: str) -> str | None:
    address = table.text_or_none(key)
    if address is not None and not address.startswith("https://"):
        raise table.fault(key, "must begin with https://")
    return address


def _https(table: Table, key: str) -> str:
    table.text(key)
    return _https_or_none(table, key) or ""


def _day(table: Table, key: str) -> str:
    try:
        return date.fromisoformat(table.text(key)).isoformat()
    except ValueError:
        raise table.fault(key, "must be a day like 2026-11-23") from None


def _one_of(table: Table, key: str, choices: tuple[str, ...]) -> str:
    value = table.text(key)
    if value not in choices:
        raise table.fault(key, f"must be {' or '.join(choices)}")
    return value


def _member(table: Table, key: str, kind: type[_Enum], value: str) -> _Enum:
    try:
        return kind(value)
    except ValueError:
        raise table.fault(key, f"may hold {', '.join(kind)}, not {value!r}") from None


def _duration(table: Table, key: str, *, seconds: int) -> timedelta | None:
    number = table.number(key)
    return None if number is None else timedelta(seconds=number * seconds)


def _all_match(table: Table, key: str, pattern: re.Pattern[str], words: str) -> tuple[str, ...]:
    values = table.texts(key)
    if not all(pattern.fullmatch(one) for one in values):
        raise table.fault(key, f"must be {words}, in lower case")
    return values


def _loopback_hosts(table: Table) -> tuple[str, ...]:
    hosts = table.texts("loopback_hosts")
    if not set(hosts) <= _LOOPBACK_HOSTS:
        raise table.fault("loopback_hosts", f"may hold {', '.join(sorted(_LOOPBACK_HOSTS))}")
    return hosts or ("localhost", "127.0.0.1")
