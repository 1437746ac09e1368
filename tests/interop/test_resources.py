"""Tokens for other resources than the sign-in's (RFC 8707), at a provider that others wrote."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from jupyter_oauthconn.broker.local import LocalBroker
from jupyter_oauthconn.errors import (
    ConsentRequiredError,
    InvalidParameterError,
    ProviderUnavailableError,
)
from jupyter_oauthconn.model import Settings, State
from jupyter_oauthconn.service.refresh import resources

from .conftest import Laptop

LAKE = "urn:store:lake"


@pytest.fixture
def laptop(make_laptop: Callable[..., Laptop]) -> Laptop:
    """Signed in for the store LAKE, too."""
    laptop = make_laptop(authorization_parameters={"resource": LAKE})
    laptop.sign_in()
    return laptop


def claims(token: str) -> dict[str, Any]:
    body = token.split(".")[1]
    found: dict[str, Any] = json.loads(urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return found


def refreshes(laptop: Laptop) -> list[dict[str, Any]]:
    return laptop.provider.requests("token", grant_type="refresh_token")


def test_one_sign_in_serves_several_resources(laptop: Laptop) -> None:
    own = laptop.broker.access_token("data")
    for_lake = laptop.broker.access_token("data", resource=LAKE)
    assert claims(for_lake.reveal())["aud"] == LAKE
    assert (for_lake.resource, own.resource) == (LAKE, None)
    [sent] = refreshes(laptop)
    assert "resource" in sent["parameters"]
    # both are kept, and neither is asked for again
    assert laptop.broker.access_token("data", resource=LAKE).reveal() == for_lake.reveal()
    again = laptop.broker.access_token("data")
    assert again.reveal() == own.reveal()
    assert laptop.provider.userinfo(again.reveal()).status_code == 200
    assert len(refreshes(laptop)) == 1
    # the refresh token that was rotated on the way is the sign-in's now
    assert laptop.renew() != own.reveal()
    assert claims(laptop.broker.access_token("data", resource=LAKE).reveal())["aud"] == LAKE
    assert len(refreshes(laptop)) == 2
    assert laptop.status.state is State.CONNECTED


def test_a_rejected_one_is_renewed_by_itself(laptop: Laptop) -> None:
    own = laptop.broker.access_token("data")
    first = laptop.broker.access_token("data", resource=LAKE)
    second = laptop.broker.access_token("data", resource=LAKE, rejected_generation=first.generation)
    assert second.reveal() != first.reveal()
    assert second.generation > first.generation
    # whoever comes later with the same rejection gets the newer one
    third = laptop.broker.access_token("data", resource=LAKE, rejected_generation=first.generation)
    assert third.reveal() == second.reveal()
    assert laptop.broker.access_token("data").reveal() == own.reveal()
    assert len(refreshes(laptop)) == 2


def test_many_at_once_make_one_refresh(laptop: Laptop) -> None:
    other = LocalBroker(Settings(), laptop.home)
    try:
        with ThreadPoolExecutor(16) as pool:
            asked = [
                pool.submit(broker.access_token, "data", resource=LAKE)
                for broker in (laptop.broker, other)
                for _ in range(8)
            ]
            tokens = {one.result().reveal() for one in asked}
    finally:
        other.close()
    assert len(tokens) == 1
    assert len(refreshes(laptop)) == 1


def test_a_refused_resource_leaves_the_living_token_alone(laptop: Laptop) -> None:
    """This provider spends the refresh token before it looks at the resource, and takes its second
    use for a theft: presented again, it would end the access token, too."""
    own = laptop.broker.access_token("data")
    with pytest.raises(InvalidParameterError, match="no token for urn:other:lake"):
        laptop.broker.access_token("data", resource="urn:other:lake")
    assert laptop.broker.access_token("data").reveal() == own.reveal()
    assert laptop.provider.is_active(own.reveal())
    with pytest.raises(ProviderUnavailableError, match=r"was lost|asked again"):
        laptop.broker.access_token("data", resource=LAKE)
    assert laptop.provider.is_active(own.reveal())
    assert len(refreshes(laptop)) == 1


@pytest.mark.parametrize("resource", ["lake", "urn:a b", "urn:store:lake#part", "urn:" + "x" * 600])
def test_what_is_no_resource_is_not_asked_for(laptop: Laptop, resource: str) -> None:
    with pytest.raises(InvalidParameterError, match="absolute URI"):
        laptop.broker.access_token("data", resource=resource)
    assert refreshes(laptop) == []


def test_a_notebook_does_not_fill_the_table(
    laptop: Laptop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resources, "MOST_RESOURCES", 1)
    kept = laptop.broker.access_token("data", resource=LAKE)
    with pytest.raises(InvalidParameterError, match="has tokens for 1 resources") as caught:
        laptop.broker.access_token("data", resource="urn:other:lake")
    assert "%connect auth data --again" in caught.value.hint
    assert len(refreshes(laptop)) == 1
    # those that are there go on
    rejected = kept.generation
    laptop.broker.access_token("data", resource=LAKE, rejected_generation=rejected)
    laptop.sign_in()
    laptop.broker.access_token("data", resource=LAKE)


def test_one_for_another_resource_is_no_renewal(laptop: Laptop) -> None:
    """Whoever waits for a new token of the sign-in's own, while one for another resource is
    fetched, does not get the old one back under a new number."""
    service = laptop.broker._service
    own = laptop.broker.access_token("data")
    connection = laptop.broker.connection("data")
    seen = service.store.grants.read(connection.owner_id, connection.id)
    laptop.broker.access_token("data", resource=LAKE)
    renewed = service.tokens._refresher.refresh(connection, seen, spare=False)
    assert renewed.reveal() != own.reveal()


def test_a_new_sign_in_takes_no_token_along(laptop: Laptop) -> None:
    before = laptop.broker.access_token("data", resource=LAKE)
    laptop.sign_in()
    after = laptop.broker.access_token("data", resource=LAKE)
    assert after.reveal() != before.reveal()


def test_revoking_ends_all_of_them(laptop: Laptop) -> None:
    laptop.broker.access_token("data", resource=LAKE)
    laptop.broker.revoke("data")
    connection = laptop.broker.connection("data")
    store = laptop.broker._service.store
    assert store.grants.of_owner(connection.owner_id) == []
    with pytest.raises(ConsentRequiredError):
        laptop.broker.access_token("data", resource=LAKE)
