"""The life of a grant at a certified provider: signed in, renewed, ended."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest

from jupyter_oauthconn.errors import (
    InvalidClientError,
    ReauthorizationRequiredError,
)
from jupyter_oauthconn.model import AuthMethod, AuthorizationState, Outcome, Reason, Secret, State

from .certified_provider import CertifiedProvider
from .conftest import Laptop

RESERVED_ID, RESERVED_SECRET = "weird:id", Secret("p%40ss+w/rd=&?:~ok")
POSTED_SECRET = Secret("posted secret+&=%")


def test_a_public_client_signs_in_and_reads_data(laptop: Laptop) -> None:
    started = laptop.start()
    page = laptop.visitor().sign_in(started.public_url or "")
    assert "ada@example.com" in page.text
    ended = laptop.broker.authorization(started.id)
    assert (ended.state, ended.identity) == (AuthorizationState.DONE, "ada@example.com")
    assert laptop.status.state is State.CONNECTED
    assert laptop.status.identity == "ada@example.com"
    assert laptop.status.missing_scope is None
    token = laptop.broker.access_token("data").reveal()
    answer = laptop.provider.userinfo(token)
    assert answer.json() == {"sub": "ada", "email": "ada@example.com", "email_verified": True}
    assert laptop.provider.is_active(token)
    [sent] = laptop.provider.requests("token")
    assert (sent["authentication"], sent["status"]) == ("none", 200)
    assert sent["parameters"] == [
        "client_id", "code", "code_verifier", "grant_type", "redirect_uri",
    ]  # fmt: skip


def test_an_account_without_an_address_in_its_id_token_is_asked_for(
    make_laptop: Callable[..., Laptop],
) -> None:
    """A conforming provider keeps claims of `email` out of the ID token (Core §5.4)."""
    with contextlib.closing(CertifiedProvider(conformIdTokenClaims=True)) as provider:
        laptop = make_laptop(issuer=provider.issuer)
        laptop.sign_in()
        assert laptop.status.identity == "ada@example.com"


def test_an_account_whose_name_nobody_tells_is_called_by_its_subject(
    make_laptop: Callable[..., Laptop],
) -> None:
    with contextlib.closing(CertifiedProvider(conformIdTokenClaims=True)) as provider:
        provider.set(metadata={"userinfo_endpoint": f"{provider.issuer}/nothing-here"})
        laptop = make_laptop(issuer=provider.issuer)
        laptop.sign_in()
        assert laptop.status.identity == "ada"


@pytest.mark.parametrize(
    ("client_id", "secret", "method"),
    [
        (RESERVED_ID, RESERVED_SECRET, AuthMethod.CLIENT_SECRET_BASIC),
        ("posting", POSTED_SECRET, AuthMethod.CLIENT_SECRET_POST),
    ],
    ids=["basic-reserved-characters", "post-es256"],
)
def test_a_confidential_client_signs_in_renews_and_revokes(
    make_laptop: Callable[..., Laptop], client_id: str, secret: Secret, method: AuthMethod
) -> None:
    laptop = make_laptop(client_id=client_id, client_secret=secret, auth_method=method)
    laptop.sign_in()
    assert laptop.status.identity == "ada@example.com"
    token = laptop.renew()
    assert laptop.provider.is_active(token)
    assert laptop.broker.revoke("data").at_provider is Outcome.OK
    assert not laptop.provider.is_active(token)
    asked = [
        one for one in laptop.provider.requests() if one["endpoint"] in {"token", "revocation"}
    ]
    assert [(one["authentication"], one["status"]) for one in asked] == [(method.value, 200)] * 3


def test_every_renewal_keeps_the_rotated_refresh_token(laptop: Laptop) -> None:
    laptop.sign_in()
    tokens = {laptop.renew() for _ in range(4)}
    assert len(tokens) == 4
    sent = laptop.provider.requests("token", grant_type="refresh_token")
    assert [one["status"] for one in sent] == [200] * 4
    assert len({one["refresh_token"] for one in sent}) == 4
    assert all(laptop.provider.userinfo(one).status_code == 200 for one in tokens)
    assert laptop.status.state is State.CONNECTED


def test_a_refresh_token_used_elsewhere_ends_the_grant_once_and_quietly(
    laptop: Laptop, copy_of: Callable[[Laptop], Laptop]
) -> None:
    laptop.sign_in()
    thief = copy_of(laptop)
    token = laptop.renew()
    # the thief presents the rotated one: RFC 9700 §4.14.2 ends the whole grant
    with pytest.raises(ReauthorizationRequiredError):
        thief.renew()
    assert not laptop.provider.is_active(token)
    asked = laptop.provider.token_requests()
    for _ in range(3):
        with pytest.raises(ReauthorizationRequiredError) as caught:
            laptop.broker.access_token("data", rejected_generation=2)
        assert caught.value.reason == Reason.REVOKED
        assert "--again" in caught.value.hint
    assert laptop.provider.token_requests() == asked + 1
    assert laptop.status.state is State.REAUTH_REQUIRED
    laptop.sign_in()
    assert laptop.provider.is_active(laptop.broker.access_token("data").reveal())


def test_a_short_token_is_renewed_without_anybody_asking(laptop: Laptop) -> None:
    laptop.provider.set(seconds={"AccessToken": 1})
    laptop.sign_in()
    laptop.provider.set(seconds={"AccessToken": 3600})
    # as it is stored: whoever is asked for it might renew it now
    grant = laptop.grant
    assert grant is not None
    first = grant.token
    second = laptop.broker.access_token("data", rejected_generation=first.generation)
    assert first.expires_at is not None
    assert second.expires_at is not None
    assert (second.expires_at - first.expires_at).total_seconds() > 3500
    assert laptop.broker.access_token("data").reveal() == second.reveal()


def test_revoking_really_ends_the_tokens(
    laptop: Laptop, copy_of: Callable[[Laptop], Laptop]
) -> None:
    laptop.sign_in()
    token = laptop.broker.access_token("data").reveal()
    copy = copy_of(laptop)
    revocation = laptop.broker.revoke("data")
    assert revocation.at_provider is Outcome.OK
    assert not laptop.provider.is_active(token)
    assert laptop.provider.userinfo(token).status_code == 401
    assert laptop.grant is None
    assert laptop.status.state is State.NOT_CONNECTED
    with pytest.raises(ReauthorizationRequiredError):
        copy.renew()


def test_signing_in_again_as_the_same_account_asks_nothing(laptop: Laptop) -> None:
    laptop.sign_in()
    before = laptop.broker.access_token("data")
    visitor = laptop.visitor()
    visitor.sign_in(laptop.link())
    assert laptop.broker.access_token("data").generation > before.generation
    assert laptop.status.identity == "ada@example.com"


def test_a_wrong_client_secret_blames_the_client(make_laptop: Callable[..., Laptop]) -> None:
    laptop = make_laptop(client_id=RESERVED_ID, client_secret=Secret("wrong-secret"))
    started = laptop.start()
    page = laptop.visitor().sign_in(started.public_url or "")
    ended = laptop.broker.authorization(started.id)
    assert ended.state is AuthorizationState.REFUSED
    assert ended.error is not None
    assert ended.error.code == "invalid_client"
    assert page.status_code == 400
    assert "The OAuth client &#x27;interop&#x27; does not work." in page.text
    assert "An administrator must check" in page.text
    assert "wrong-secret" not in page.text
    assert laptop.grant is None


@pytest.mark.parametrize("mended_by", ["a new one", "the one before"])
def test_a_client_secret_that_ends_suspends_the_grant_and_another_brings_it_back(
    make_laptop: Callable[..., Laptop], mended_by: str
) -> None:
    laptop = make_laptop(client_id=RESERVED_ID, client_secret=RESERVED_SECRET)
    laptop.sign_in()
    generation = laptop.broker.access_token("data").generation
    wrong, good = laptop.broker.add_client_secret("interop", Secret("wrong-secret")).secrets
    for _ in range(2):
        with pytest.raises(InvalidClientError) as caught:
            laptop.broker.access_token("data", rejected_generation=generation)
        assert "'interop'" in caught.value.message
        assert "administrator" in caught.value.hint
    assert laptop.provider.requests("token", error="invalid_client", status=401)
    assert laptop.status.state is State.MISCONFIGURED
    if mended_by == "a new one":
        laptop.broker.remove_client_secret("interop", good.id)
        laptop.broker.add_client_secret("interop", RESERVED_SECRET)
    else:
        laptop.broker.remove_client_secret("interop", wrong.id)
    renewed = laptop.broker.access_token("data", rejected_generation=generation)
    assert laptop.provider.is_active(renewed.reveal())
