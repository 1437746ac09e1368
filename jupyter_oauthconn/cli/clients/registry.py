"""The commands of one OAuth client, from its registration to its end."""

from __future__ import annotations

from collections.abc import Sequence

from jupyter_oauthconn import wire
from jupyter_oauthconn.errors import InUseError
from jupyter_oauthconn.model import (
    ClientDraft,
    ClientRegistration,
    ClientUse,
    Endpoints,
    Outcome,
    Secret,
)

from ..call import Call, given_reference, given_secret, somebody_types, terminal_is_there
from ..output import DONE, FAILED, findings, local_time, say, table
from .options import given_fields


def show(call: Call) -> int:
    clients = call.broker.clients()
    call.show([wire.client_json(one) for one in clients], lambda: _table(clients))
    return DONE


def _table(clients: Sequence[ClientRegistration]) -> str:
    from jupyter_oauthconn.kernel.views import secret_end, who_may_use

    return table(
        ("NAME", "PROVIDER", "CLIENT ID", "AUTHENTICATION", "STATE", "MAY USE IT", "SECRET ENDS",
         "USED BY", "CHANGED"),
        [
            (
                one.name,
                one.provider,
                one.client_id,
                one.auth_method.value,
                "enabled" if one.enabled else "disabled",
                who_may_use(one),
                secret_end(one),
                str(one.used_by),
                local_time(one.updated_at),
            )
            for one in clients
        ],
        empty="There is no OAuth client yet. `%oauthclient register` makes one.",
    )  # fmt: skip


def add(call: Call) -> int:
    from jupyter_oauthconn.kernel.drafts import present

    secret = given_secret(call)
    fields = given_fields(call, Endpoints())
    fields["parameters"] = present(fields.get("parameters", {}))
    draft = ClientDraft(
        name=call.name,
        provider=call.arguments.provider,
        client_secret=secret,
        secret_reference=given_reference(call),
        **fields,
    )
    client = call.broker.add_client(draft)
    _warn_of_secret(secret)
    call.show(wire.client_json(client), lambda: _registered(client))
    return DONE


def _registered(client: ClientRegistration) -> str:
    from jupyter_oauthconn.kernel.views import redirect_uris, who_may_use

    lines = [f"The OAuth client {client.name!r} is registered for {who_may_use(client)}."]
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


def edit(call: Call) -> int:
    before = call.broker.client(call.name)
    changes = given_fields(call, before.endpoints)
    version = before.version if "endpoints" in changes else None
    if not changes:
        say("Nothing was given to change; see `jupyter oauthconn clients edit --help`.")
        return FAILED
    ended = call.broker.preview_client(call.name, changes)
    if call.arguments.dry_run:
        call.show(wire.client_use_json(ended), lambda: _again(ended, "would have to be repeated"))
        return DONE
    if ended.sign_ins:
        say(_again(ended, "must be repeated after this change"))
    client = call.broker.edit_client(call.name, changes, version=version)
    call.show(wire.client_json(client), lambda: f"The OAuth client {client.name!r} is changed.")
    return DONE


def _again(ended: ClientUse, what: str) -> str:
    number = ended.sign_ins
    if not number:
        return f"No sign-in {what}."
    return f"{number} sign-in{'' if number == 1 else 's'} {what}: {ended}."


def disable(call: Call) -> int:
    client = call.broker.edit_client(call.name, {"enabled": False})
    call.show(
        wire.client_json(client),
        lambda: f"The OAuth client {client.name!r} is switched off ({_used(client)}).",
    )
    return DONE


def enable(call: Call) -> int:
    client = call.broker.edit_client(call.name, {"enabled": True})
    call.show(wire.client_json(client), lambda: f"The OAuth client {client.name!r} is enabled.")
    return DONE


def _used(client: ClientRegistration) -> str:
    return f"used by {client.used_by} connection{'s' if client.used_by != 1 else ''}"


def test(call: Call) -> int:
    checks = call.broker.test_client(call.name)
    call.show([wire.check_json(one) for one in checks], lambda: findings(checks))
    return FAILED if any(one.outcome is Outcome.FAILED for one in checks) else DONE


def remove(call: Call) -> int:
    try:
        call.broker.remove_client(call.name, force=call.arguments.force)
    except InUseError as error:
        if not terminal_is_there():
            raise
        if not _is_confirmed(call, error):
            say("Nothing was removed.")
            return FAILED
        call.broker.remove_client(call.name, force=True)
    call.show(
        {"name": call.name, "removed": True},
        lambda: (
            f"The OAuth client {call.name!r} is forgotten here. Delete its client app at the "
            "provider, too, if nothing else uses it."
        ),
    )
    return DONE


def _is_confirmed(call: Call, error: InUseError) -> bool:
    """Shows what would go, and asks."""
    say(error.message)
    for one in call.broker.client_use(call.name).connections:
        say(f"  {one.connection} of {one.owner}: {one.sign_ins} signed in")
    return somebody_types(call.name, "All of it goes with it, and the sign-ins end.")


def request(call: Call) -> int:
    text = call.broker.client_request(call.arguments.provider)
    call.show({"provider": call.arguments.provider, "text": text}, lambda: text)
    return DONE


def add_secret(call: Call) -> int:
    secret = given_secret(call)
    assert secret is not None, "one of the options is required"
    client = call.broker.add_client_secret(
        call.name, secret, ends_at=call.arguments.ends, reference=given_reference(call)
    )
    _warn_of_secret(secret)
    call.show(
        wire.client_json(client),
        lambda: (
            f"The OAuth client {client.name!r} uses the new secret from now on. Remove the "
            "old one at the provider, then here: `jupyter oauthconn clients rm-secret "
            f"{client.name} ID`."
        ),
    )
    return DONE


def remove_secret(call: Call) -> int:
    client = call.broker.remove_client_secret(call.name, call.arguments.id)
    call.show(
        wire.client_json(client), lambda: f"That secret of the OAuth client {call.name!r} is gone."
    )
    return DONE
