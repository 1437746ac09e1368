"""`clients …`: register OAuth clients and look after them."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from jupyter_oauthconn import wire
from jupyter_oauthconn.model import (
    AuthMethod,
    ClientDraft,
    ClientRegistration,
    Endpoints,
    Outcome,
    Secret,
    State,
)

from .call import (
    Call,
    Commands,
    add_command,
    add_group,
    add_pairs,
    add_secret_options,
    duration,
    given_secret,
    read_text,
)
from .output import DONE, FAILED, findings, local_time, say, table

_ENDPOINTS = tuple(one.name for one in fields(Endpoints))
_BESIDES = "besides administrators (on your own machine you are the administrator)"


def add_commands(commands: Commands) -> None:
    verbs = add_group(
        commands, "clients", "OAuth clients: who signs in people, where and how", _list
    )
    add_command(verbs, "list", _list, "all OAuth clients")
    add = add_command(verbs, "add", _add, "register one that exists at the provider")
    add.add_argument("name", metavar="NAME")
    add.add_argument("--provider", required=True, metavar="KEY", help="see `providers`")
    _add_fields(add, id_required=True)
    add_secret_options(add, required=False)
    edit = add_command(verbs, "edit", _edit, "change one; says who must sign in again")
    edit.add_argument("name", metavar="NAME")
    _add_fields(edit, id_required=False)
    for name, run, help in (
        ("test", _test, "ask the provider whether it is accepted"),
        ("disable", _disable, "switch it off; nothing is forgotten"),
        ("enable", _enable, "switch it on again"),
    ):
        add_command(verbs, name, run, help).add_argument("name", metavar="NAME")
    remove = add_command(verbs, "rm", _remove, "forget one")
    remove.add_argument("name", metavar="NAME")
    remove.add_argument("--force", action="store_true", help="remove its connections, too")
    secret = add_command(verbs, "add-secret", _add_secret, "add its new client secret")
    secret.add_argument("name", metavar="NAME")
    add_secret_options(secret, required=True)
    export = add_command(verbs, "export", _export, "write OAuth clients as TOML, no secrets")
    export.add_argument("names", metavar="NAME", nargs="*", help="default: all")
    load = add_command(verbs, "import", _import, "register the OAuth clients of a TOML file")
    load.add_argument("file", metavar="FILE", type=Path, help="`-` reads standard input")


def _add_fields(command: argparse.ArgumentParser, *, id_required: bool) -> None:
    command.add_argument("--client-id", required=id_required, metavar="ID")
    command.add_argument("--title", metavar="TEXT", help="what people read; default: provider's")
    add_pairs(
        command, "--set", "a value of the provider's variables, e.g. host=…; host= takes it away"
    )
    command.add_argument("--issuer", metavar="URL", help="OpenID Connect issuer, for discovery")
    for name in _ENDPOINTS:
        command.add_argument(f"--{name.replace('_', '-')}-url", metavar="URL")
    command.add_argument("--auth-method", choices=[one.value for one in AuthMethod])
    command.add_argument("--scope", metavar="SCOPE", help="what connections may ask for")
    add_pairs(command, "--authorization-parameter", "sent along to the authorization endpoint")
    for name, what in (
        ("access-token-lifetime", "where the provider does not tell it"),
        ("refresh-token-lifetime", "where the provider does not tell it"),
        ("inactivity", "unused so long the refresh token ends; 0: never"),
    ):
        command.add_argument(f"--{name}", metavar="SECONDS", type=duration, help=what)
    for name, metavar, what in (
        ("redirect-uri", "URI", "exactly as registered at the provider"),
        ("allow-user", "USER", f"who may use it {_BESIDES}"),
        ("allow-group", "GROUP", f"which groups may use it {_BESIDES}"),
    ):
        command.add_argument(f"--{name}", metavar=metavar, action="append", help=what)
    command.add_argument("--loopback-port", choices=["any"], help="native app: any port (RFC 8252)")


def _given(call: Call, endpoints: Endpoints) -> dict[str, Any]:
    """Fields of a draft that options name; `endpoints` fills in those that none names."""
    from jupyter_oauthconn.kernel.drafts import settings

    given = call.arguments
    found = {
        "client_id": given.client_id,
        "title": given.title,
        "parameters": settings(given.set) if given.set else None,
        "issuer": given.issuer,
        "auth_method": None if given.auth_method is None else AuthMethod(given.auth_method),
        "scope": given.scope,
        "authorization_parameters": dict(given.authorization_parameter or ()) or None,
        "access_token_lifetime": given.access_token_lifetime,
        "refresh_token_lifetime": given.refresh_token_lifetime,
        "inactivity": given.inactivity,
        "redirect_uris": _several(given.redirect_uri),
        "allowed_users": _several(given.allow_user),
        "allowed_groups": _several(given.allow_group),
        "loopback_port": given.loopback_port,
    }
    typed = {name: getattr(given, f"{name}_url") for name in _ENDPOINTS}
    typed = {name: url for name, url in typed.items() if url is not None}
    if typed:
        found["endpoints"] = replace(endpoints, **typed)
    return {name: value for name, value in found.items() if value is not None}


def _several(values: list[str] | None) -> tuple[str, ...] | None:
    return None if values is None else tuple(values)


def _list(call: Call) -> int:
    clients = call.broker.clients()
    call.show(
        [wire.client_json(one) for one in clients],
        lambda: table(
            ("NAME", "PROVIDER", "CLIENT ID", "AUTHENTICATION", "STATE", "USED BY", "CHANGED"),
            [
                (
                    one.name,
                    one.provider,
                    one.client_id,
                    one.auth_method.value,
                    "enabled" if one.enabled else "disabled",
                    str(one.used_by),
                    local_time(one.updated_at),
                )
                for one in clients
            ],
            empty="There is no OAuth client yet. `%oauthclient register` makes one.",
        ),
    )
    return DONE


def _add(call: Call) -> int:
    from jupyter_oauthconn.kernel.drafts import present

    secret = given_secret(call)
    fields = _given(call, Endpoints())
    fields["parameters"] = present(fields.get("parameters", {}))
    draft = ClientDraft(
        name=call.name, provider=call.arguments.provider, client_secret=secret, **fields
    )
    client = call.broker.add_client(draft)
    _warn_of_secret(secret)
    call.show(wire.client_json(client), lambda: _registered(client))
    return DONE


def _registered(client: ClientRegistration) -> str:
    from jupyter_oauthconn.kernel.views import redirect_uris

    lines = [f"The OAuth client {client.name!r} is registered."]
    if client.redirect_uris:
        lines.append("Register at the provider the redirect URI that you will use, exactly so:")
        lines += [f"  {uri}" for uri in redirect_uris(client)]
    lines.append(f"Next: jupyter oauthconn connections add NAME --client {client.name}")
    return "\n".join(lines)


def _warn_of_secret(secret: Secret | None) -> None:
    if secret is not None:
        say(
            "Warning: on this machine the client secret is readable by any program that runs as "
            "you. Where the provider has it, register a public client (native app, PKCE, no "
            "secret) instead."
        )


def _edit(call: Call) -> int:
    before = call.broker.client(call.name)
    changes = _given(call, before.endpoints)
    version = before.version if "endpoints" in changes else None
    if not changes:
        say("Nothing was given to change; see `jupyter oauthconn clients edit --help`.")
        return FAILED
    return _changed(call, call.broker.edit_client(call.name, changes, version=version))


def _changed(call: Call, client: ClientRegistration) -> int:
    call.show(wire.client_json(client), lambda: f"The OAuth client {client.name!r} is changed.")
    again = [
        one.name
        for one in call.broker.connections()
        if one.client == client.name and one.status and one.status.state is State.REAUTH_REQUIRED
    ]
    if again:
        say(f"A new sign-in is needed for {', '.join(again)}.")
    return DONE


def _disable(call: Call) -> int:
    client = call.broker.edit_client(call.name, {"enabled": False})
    call.show(
        wire.client_json(client),
        lambda: f"The OAuth client {client.name!r} is switched off ({_used(client)}).",
    )
    return DONE


def _enable(call: Call) -> int:
    client = call.broker.edit_client(call.name, {"enabled": True})
    call.show(wire.client_json(client), lambda: f"The OAuth client {client.name!r} is enabled.")
    return DONE


def _used(client: ClientRegistration) -> str:
    return f"used by {client.used_by} connection{'s' if client.used_by != 1 else ''}"


def _test(call: Call) -> int:
    checks = call.broker.test_client(call.name)
    call.show([wire.check_json(one) for one in checks], lambda: findings(checks))
    return FAILED if any(one.outcome is Outcome.FAILED for one in checks) else DONE


def _remove(call: Call) -> int:
    call.broker.remove_client(call.name, force=call.arguments.force)
    call.show(
        {"name": call.name, "removed": True},
        lambda: (
            f"The OAuth client {call.name!r} is forgotten here. Delete its client app at the "
            "provider, too, if nothing else uses it."
        ),
    )
    return DONE


def _add_secret(call: Call) -> int:
    secret = given_secret(call)
    assert secret is not None, "one of the options is required"
    client = call.broker.add_client_secret(call.name, secret)
    _warn_of_secret(secret)
    call.show(
        wire.client_json(client),
        lambda: (
            f"The OAuth client {client.name!r} uses the new secret from now on. Remove the "
            "old one at the provider."
        ),
    )
    return DONE


def _export(call: Call) -> int:
    from jupyter_oauthconn.kernel.client_files import write_clients

    names = call.arguments.names
    clients = [call.broker.client(one) for one in names] if names else call.broker.clients()
    call.show(
        [wire.client_json(one) for one in clients], lambda: write_clients(clients).rstrip("\n")
    )
    return DONE


def _import(call: Call) -> int:
    from jupyter_oauthconn.kernel.client_files import read_clients

    drafts = read_clients(read_text(call.arguments.file))
    clients = [call.broker.add_client(one) for one in drafts]
    call.show([wire.client_json(one) for one in clients], lambda: _imported(clients))
    return DONE


def _imported(clients: Iterable[ClientRegistration]) -> str:
    return "\n".join(_registered(one) for one in clients) or "The file names no OAuth client."
