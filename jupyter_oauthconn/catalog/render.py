"""A person's values become part of addresses, scopes and parameters: checked here, every time.

A value that could lead a request, and with it a client secret or a code, to another host is the
danger. So a value must match its variable's whole pattern, and the address that comes out must
have exactly the host and path that the template shows around it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from difflib import get_close_matches

from jupyter_oauthconn.errors import InvalidParameterError
from jupyter_oauthconn.model import Endpoints

from .entry import ProviderEntry, Scopes, Variable

_NAME = re.compile(r"\{([a-z][a-z0-9_]*)\}")
_TEMPLATE = re.compile(r"https://(?P<authority>[^/]*)(?P<path>.*)", re.DOTALL)
_LABEL = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
# no user name, no escape, no query, no fragment, no backslash: whatever is not listed is refused
_ADDRESS = re.compile(
    rf"https://(?P<authority>{_LABEL}(?:\.{_LABEL})*(?::[0-9]{{1,5}})?)"
    r"(?P<path>(?:/(?!\.\.?(?:/|$))[a-z0-9._~+-]+)*/?)",
    re.ASCII | re.IGNORECASE,
)
_SCOPE_TOKEN = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")  # RFC 6749 §3.3


def check_parameters(
    entry: ProviderEntry, parameters: Mapping[str, str], *, at: str
) -> dict[str, str]:
    """The values of the variables at the "client" or the "connection", defaults filled in.

    An empty value counts as not given.

    Raises:
        InvalidParameterError: unknown, missing or malformed; `parameter` names it.
    """
    known = {one.name: one for one in entry.variables}
    for name in parameters:
        _check_known(entry, name, at)
    found: dict[str, str] = {}
    for variable in known.values():
        if variable.at != at:
            continue
        value = parameters.get(variable.name) or variable.default
        if value:
            found[variable.name] = _checked(entry, variable, value)
        elif variable.required:
            raise InvalidParameterError(
                f"{entry.title} needs {variable.name}: {variable.title}.",
                hint=_form(variable),
                parameter=variable.name,
            )
    if at == "client":
        resolve_endpoints(entry, found)
        resolve_issuer(entry, found)
    return found


def resolve_endpoints(entry: ProviderEntry, parameters: Mapping[str, str]) -> Endpoints:
    """The entry's endpoints with the variables filled in.

    Raises:
        InvalidParameterError: a value is missing, malformed, or would change the host.
    """
    values = checked_values(entry, parameters)
    return Endpoints(
        **{
            one.name: _address(entry, template, values) if template else None
            for one in fields(Endpoints)
            for template in [getattr(entry.endpoints, one.name)]
        }
    )


def resolve_issuer(entry: ProviderEntry, parameters: Mapping[str, str]) -> str | None:
    """The entry's issuer with the variables filled in; raises like `resolve_endpoints`."""
    if entry.issuer is None:
        return None
    return _address(entry, entry.issuer, checked_values(entry, parameters))


def resolve_scopes(entry: ProviderEntry, parameters: Mapping[str, str]) -> Scopes:
    """The entry's scopes; one whose variable has no value is left out.

    Raises:
        InvalidParameterError: a value is malformed, or would smuggle in a second scope.
    """
    values = checked_values(entry, parameters)

    def resolve(templates: tuple[str, ...]) -> tuple[str, ...]:
        found = tuple(resolve_text(one, values) for one in templates if is_complete(one, values))
        for scope in found:
            if not _SCOPE_TOKEN.fullmatch(scope):
                raise InvalidParameterError(
                    f"A parameter of {entry.title} cannot be part of a scope.",
                    hint="A scope has no spaces, quotes or backslashes (RFC 6749 §3.3).",
                    parameter="scope",
                )
        return found

    scopes = entry.scopes
    return Scopes(
        default=resolve(scopes.default),
        offline=resolve(scopes.offline),
        identity=resolve(scopes.identity),
    )


def resolve_authorization_parameters(
    entry: ProviderEntry, parameters: Mapping[str, str]
) -> dict[str, str]:
    """Further parameters of the authorization request; one without a value is left out."""
    values = checked_values(entry, parameters)
    return {
        name: resolve_text(template, values)
        for name, template in entry.authorization_parameters.items()
        if is_complete(template, values)
    }


def resolve_api_hosts(entry: ProviderEntry, parameters: Mapping[str, str]) -> tuple[str, ...]:
    """Hosts that may be sent the token, without port; `*.` in front stands for any below it."""
    values = checked_values(entry, parameters)
    return tuple(
        resolve_text(one, values).lower() for one in entry.api_hosts if is_complete(one, values)
    )


def resolve_steps(
    entry: ProviderEntry, parameters: Mapping[str, str], *, redirect_uri: str
) -> tuple[str, ...]:
    """The administrator's steps, to be read by a person; what has no value yet reads `<name>`."""
    unknown = {one.name: f"<{one.name}>" for one in entry.variables}
    values = {**unknown, **checked_values(entry, parameters), "redirect_uri": redirect_uri}
    return tuple(resolve_text(one, values) for one in entry.steps)


def resolve_text(template: str, values: Mapping[str, str]) -> str:
    """`template` with each `{name}` replaced. Raises `InvalidParameterError` for a missing one."""

    def value(match: re.Match[str]) -> str:
        if match[1] in values:
            return values[match[1]]
        raise InvalidParameterError(
            f"The parameter {match[1]!r} has no value.",
            hint=f"Set it: --set {match[1]}=VALUE.",
            parameter=match[1],
        )

    return _NAME.sub(value, template)


def names_in(template: str) -> list[str]:
    """The names of the variables in a template."""
    return _NAME.findall(template)


def is_complete(template: str, values: Mapping[str, str]) -> bool:
    """Whether each variable of a template has a value."""
    return all(name in values for name in names_in(template))


def checked_values(entry: ProviderEntry, parameters: Mapping[str, str]) -> dict[str, str]:
    """The values of all variables, defaults filled in. Raises `InvalidParameterError`."""
    # checked again although it was when it was stored: file, database and entry change separately
    return {
        one.name: _checked(entry, one, value)
        for one in entry.variables
        if (value := parameters.get(one.name) or one.default)
    }


def _check_known(entry: ProviderEntry, name: str, at: str) -> None:
    here = [one.name for one in entry.variables if one.at == at]
    if name in here:
        return
    if any(one.name == name for one in entry.variables):
        other = "connection" if at == "client" else "OAuth client"
        raise InvalidParameterError(
            f"{entry.title} takes the parameter {name!r} at the {other}.",
            hint=f"Set it there: --set {name}=VALUE.",
            parameter=name,
        )
    near = get_close_matches(name, here, n=2)
    listing = f"It takes {', '.join(here)} here." if here else "It takes none here."
    raise InvalidParameterError(
        f"{entry.title} has no parameter {name!r}.",
        hint=f"Did you mean {' or '.join(near)}?" if near else listing,
        parameter=name,
    )


def _checked(entry: ProviderEntry, variable: Variable, value: str) -> str:
    # the value stays out of the message: a secret pasted into the wrong field would be shown
    host = value.lower()
    suffixes = variable.host_suffixes
    if not re.fullmatch(variable.pattern, value, re.ASCII) or not value.isprintable():
        reason = "has not the form that is expected"
    elif suffixes and not any(_ends_with(host, one) for one in suffixes):
        reason = f"must end with {' or '.join(suffixes)}"
    else:
        return value
    raise InvalidParameterError(
        f"The parameter {variable.name!r} of {entry.title} {reason}.",
        hint=_form(variable),
        parameter=variable.name,
    )


def _ends_with(host: str, suffix: str) -> bool:
    return host.endswith(suffix) if suffix.startswith(".") else host == suffix


def _form(variable: Variable) -> str:
    return f"Give {variable.title}, for example --set {variable.name}={variable.example}"


def _address(entry: ProviderEntry, template: str, values: Mapping[str, str]) -> str:
    address = resolve_text(template, values)
    shown, got = _TEMPLATE.fullmatch(template), _ADDRESS.fullmatch(address)
    if shown is not None and got is not None:
        same = [resolve_text(shown[one], values) == got[one] for one in ("authority", "path")]
        if all(same):
            return address
    names = names_in(template)
    raise InvalidParameterError(
        f"{' and '.join(names) or 'A parameter'} cannot be part of an address of {entry.title}.",
        hint=f"The address is {template}; its host and path must stay as they are shown.",
        parameter=names[0] if names else "",
    )
