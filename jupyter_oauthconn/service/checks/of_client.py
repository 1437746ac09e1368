"""What the provider says about an OAuth client."""

from __future__ import annotations

import secrets
import shlex
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from jupyter_oauthconn.errors import (
    InvalidClientError,
    OAuthConnError,
    ProviderError,
    ProviderRejectedError,
    ProviderUnavailableError,
)
from jupyter_oauthconn.model import (
    AuthMethod,
    Check,
    ClientRegistration,
    Connection,
    Grant,
    Outcome,
    Secret,
)
from jupyter_oauthconn.protocol import Transport, code_request, validate_token_answer
from jupyter_oauthconn.storage import Store

from ..profile import Profile, Profiles
from .findings import failed, ok, unknown
from .redirect_uris import RedirectURIProbe

_CLOCK_TOLERANCE = timedelta(minutes=2)
#: A secret that ends within this time is something to act on.
_SOON = timedelta(days=14)


class ClientChecks:
    """Asks the provider about OAuth clients; nothing is changed there."""

    def __init__(self, store: Store, profiles: Profiles, transport: Transport) -> None:
        self._store = store
        self._profiles = profiles
        self._transport = transport
        self._redirects = RedirectURIProbe(transport)

    def findings(self, client: ClientRegistration) -> Iterator[Check]:
        """Metadata, PKCE, the client's secret, whether the provider answers, its clock, client
        authentication, redirect URIs, and whether sign-ins bring a refresh token."""
        if not client.enabled:
            yield failed("enabled", f"The OAuth client {client.name!r} is switched off.",
                         f"`%oauthclient enable {client.name}`.")  # fmt: skip
            return
        try:
            profile = self._profiles.resolve(client, _probe_connection(client))
            if profile.issuer is not None and profile.entry.discovery:
                self._profiles.metadata(profile.issuer, profile.typed, fresh=True)
        except ProviderUnavailableError as error:
            yield _no_way_there(error, client.issuer)
            return
        except OAuthConnError as error:
            yield failed("metadata", error.message, error.hint)
            return
        yield _metadata(profile)
        yield _pkce(profile)
        yield from _secrets(client, self._store.now())
        authentication = list(self._authentication(client, profile))
        yield from authentication
        if any(one.outcome is Outcome.FAILED for one in authentication):
            # the provider refuses whatever comes with a client ID that it does not accept
            yield unknown("redirect URI", "It is not told while the client is refused.")
        else:
            yield from self._redirects.findings(profile)
        yield _refresh_token(client, self._store.grants.overview.latest_of_client(client.name))

    def _authentication(self, client: ClientRegistration, profile: Profile) -> Iterator[Check]:
        """A deliberately wrong code: `invalid_grant` shows that the client was accepted."""
        try:
            request = code_request(
                endpoint=profile.token_endpoint,
                credentials=self._profiles.credentials(client),
                code=Secret(f"test-{secrets.token_urlsafe(16)}"),
                redirect_uri=client.redirect_uris[0] if client.redirect_uris else "",
                code_verifier=Secret(secrets.token_urlsafe(48)),
            )
            answer = self._transport.send(request, typed_host=profile.is_typed(request.url))
        except ProviderUnavailableError as error:
            yield _no_way_there(error, profile.token_endpoint)
            return
        except OAuthConnError as error:
            yield failed("token endpoint", error.message, error.hint)
            return
        yield ok("provider", f"{urlsplit(request.url).hostname} answers.")
        yield _clock(answer.date, self._store.now())
        yield _client_accepted(
            client, lambda: validate_token_answer(answer, **profile.answer_options)
        )


def _metadata(profile: Profile) -> Check:
    endpoints = [profile.authorization_endpoint, profile.token_endpoint]
    hosts = " and ".join(dict.fromkeys(urlsplit(one).hostname or "" for one in endpoints))
    if profile.metadata is None:
        return ok("metadata", f"The endpoints are known without it; they are at {hosts}.")
    return ok(
        "metadata",
        f"It is the issuer's own ({profile.metadata.issuer}); the endpoints are at {hosts}.",
    )


def _secrets(client: ClientRegistration, now: datetime) -> Iterator[Check]:
    """How long the client secret lasts, where somebody said it."""
    if client.auth_method is AuthMethod.NONE:
        return
    newest = next((one for one in client.secrets if not one.ends_at or one.ends_at > now), None)
    step = f"`jupyter oauthconn clients add-secret {client.name} --secret-stdin`."
    if newest is None:
        why = "has ended" if client.secrets else "is missing"
        yield failed("client secret", f"It {why}.", step)
    elif newest.ends_at is None:
        yield ok("client secret", f"Set on {newest.set_at:%d %B %Y}; nobody has said when it ends.")
    elif newest.ends_at - now < _SOON:
        yield failed("client secret", f"It ends on {newest.ends_at:%d %B %Y}.",
                     f"Make a new one at the provider, then {step}")  # fmt: skip
    else:
        yield ok("client secret", f"It ends on {newest.ends_at:%d %B %Y}.")


def _refresh_token(client: ClientRegistration, latest: Grant | None) -> Check:
    check = "refresh token"
    if latest is None:
        return unknown(check, "Nobody has signed in with this OAuth client yet.",
                       f"Make a connection (`%connect add NAME --client {client.name}`), sign in, "
                       "then test again.")  # fmt: skip
    when = f"{latest.connected_at:%d %B %Y}"
    if latest.has_refresh_token:
        return ok(check, f"The latest sign-in ({when}) brought one.")
    return failed(
        check,
        f"The latest sign-in ({when}) brought none: people sign in again whenever a token ends.",
        "Allow refresh tokens for the client app at the provider (often a scope like "
        "offline_access), then sign in again.",
    )


def _no_way_there(error: ProviderUnavailableError, address: str | None) -> Check:
    step = "Try again later."
    if address is not None:
        origin = urlsplit(address)._replace(path="/", query="", fragment="").geturl()
        step = (
            f"`curl -sSI {shlex.quote(origin)}` tells whether this machine reaches it; the "
            "settings proxy, ca_bundle and allowed_private_hosts open a way."
        )
    return failed("provider", error.message, step)


def _client_accepted(client: ClientRegistration, validate: Callable[[], object]) -> Check:
    check = "client authentication"
    try:
        validate()
    except InvalidClientError as error:
        return failed(check, error.message,
                      f"Compare client ID and secret with the provider's page, then `jupyter "
                      f"oauthconn clients add-secret {client.name} --secret-stdin`.")  # fmt: skip
    except ProviderRejectedError as error:
        if error.error == "invalid_grant":
            return ok(check, "The provider accepts the client.")
        return unknown(check, f"The provider answered {error.error!r} to a test code.")
    except ProviderError as error:
        return failed(check, error.message, error.hint)
    return failed(check, "The provider accepted a made-up code.",
                  "Do not use this authorization server.")  # fmt: skip


def _pkce(profile: Profile) -> Check:
    methods = profile.metadata.code_challenge_methods_supported if profile.metadata else ()
    if "S256" in methods:
        return ok("PKCE", "The provider announces S256.")
    return unknown("PKCE", "The provider does not announce S256; it is sent all the same.")


def _clock(date: datetime | None, now: datetime) -> Check:
    if date is None:
        return unknown("clock", "The provider sends no date.")
    off = abs(date.astimezone(UTC) - now)
    if off <= _CLOCK_TOLERANCE:
        return ok("clock", "This machine and the provider agree about the time.")
    minutes = off.total_seconds() / 60
    return failed(
        "clock",
        f"This machine's clock is {minutes:.0f} minutes off the provider's.",
        "Set the clock (`sudo timedatectl set-ntp true` where systemd runs): tokens would seem "
        "to end too early or too late.",
    )


def _probe_connection(client: ClientRegistration) -> Connection:
    return Connection(
        id=client.id,
        version=0,
        owner_id=client.id,
        name=client.name,
        client=client.name,
        provider=client.provider,
    )
