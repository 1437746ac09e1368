"""What a connection's profile puts into an authorization request, and expects of its answer."""

from __future__ import annotations

from jupyter_oauthconn.catalog import resolve_authorization_parameters
from jupyter_oauthconn.model import Grant

from ..profile import Profile


def callback_issuer(profile: Profile) -> str | None:
    """What `iss` of the callback must be (RFC 9207 §2.4); None where it differs by tenant."""
    issuer = profile.metadata.issuer if profile.metadata is not None else profile.issuer
    return None if issuer is None or "{" in issuer else issuer


def extra_parameters(
    profile: Profile, grant: Grant | None, *, choose_account: bool
) -> dict[str, str]:
    client, entry = profile.client, profile.entry
    parameters = {**client.parameters, **profile.connection.parameters}
    extra = resolve_authorization_parameters(entry, parameters)
    extra.update(client.authorization_parameters)
    # OpenID Connect Core §3.1.2.1: proposes the account that is meant, or that of the time before
    hint = profile.connection.login_hint or (grant.identity if grant is not None else None)
    if hint:
        extra.setdefault("login_hint", hint)
    if choose_account and entry.account_prompt is not None:
        prompts = [*extra.get("prompt", "").split(), entry.account_prompt]
        extra["prompt"] = " ".join(dict.fromkeys(prompts))
    return extra
