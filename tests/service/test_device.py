"""The poll of a device sign-in, for providers that answer in their own way."""

from __future__ import annotations

import json

from jupyter_oauthconn.model import ClientDraft, ConnectionDraft
from jupyter_oauthconn.protocol import DevicePoll, HttpAnswer, validate_device_poll

from .conftest import World


def test_github_says_pending_with_status_200(world: World) -> None:
    """RFC 8628 §3.5 wants 400 there."""
    broker, service = world.broker, world.service
    secret = world.server.provider.confidential_secret
    broker.add_client(
        ClientDraft(name="hub", provider="github", client_id="x", client_secret=secret)
    )
    broker.add_connection(ConnectionDraft(name="code", client="hub"))
    profile = service.profiles.of(service.connections.get(world.person, "code"))
    answer = HttpAnswer(
        status=200,
        headers={"content-type": "application/json"},
        body=json.dumps({"error": "authorization_pending"}).encode(),
    )
    assert validate_device_poll(answer, **profile.answer_options) is DevicePoll.PENDING
