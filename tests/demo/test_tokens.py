"""Rotation, reuse, revocation, introspection, the device flow."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest


def test_a_refresh_rotates(app):
    first = app.sign_in()
    second = app.refresh(first["refresh_token"]).json()
    third = app.refresh(second["refresh_token"]).json()
    tokens = {one["refresh_token"] for one in (first, second, third)}
    assert len(tokens) == 3
    assert app.data("sales", third["access_token"]).status_code == 200
    assert len(app.provider.requests("token", grant_type="refresh_token", outcome="ok")) == 2


def test_reuse_revokes_the_whole_family(app):
    first = app.sign_in()
    second = app.refresh(first["refresh_token"]).json()
    reused = app.refresh(first["refresh_token"])
    assert reused.status_code == 400
    assert reused.json()["error"] == "invalid_grant"
    for one in (first, second):
        assert app.data("sales", one["access_token"]).status_code == 401
        assert app.refresh(one["refresh_token"]).json()["error"] == "invalid_grant"
    assert len(app.provider.requests("token", outcome="refresh_token_reused")) == 1


def test_reuse_leaves_other_grants_alone(app):
    other, first = app.sign_in(), app.sign_in()
    app.refresh(first["refresh_token"])
    app.refresh(first["refresh_token"])
    assert app.refresh(other["refresh_token"]).status_code == 200


def test_within_the_grace_a_rotated_token_works_again(app, clock):
    app.provider.dials.refresh_grace_seconds = 30
    first = app.sign_in()
    second = app.refresh(first["refresh_token"]).json()
    clock.advance(29)
    again = app.refresh(first["refresh_token"])
    assert again.status_code == 200
    assert again.json()["refresh_token"] != second["refresh_token"]
    clock.advance(1)
    assert app.refresh(first["refresh_token"]).status_code == 400
    assert app.refresh(second["refresh_token"]).status_code == 400


def test_without_rotation_the_refresh_token_stays(app):
    app.provider.dials.rotate = False
    first = app.sign_in()
    for _ in range(2):
        answer = app.refresh(first["refresh_token"])
        assert answer.status_code == 200
        assert "refresh_token" not in answer.json()


def test_a_refresh_may_ask_for_less_never_for_more(app):
    first = app.sign_in()
    less = app.refresh(first["refresh_token"], scope="openid").json()
    assert less["scope"] == "openid"
    assert app.data("sales", less["access_token"]).status_code == 403
    more = app.refresh(less["refresh_token"], scope="sales.write")
    assert more.json()["error"] == "invalid_scope"
    whole = app.refresh(less["refresh_token"]).json()
    assert whole["scope"] == first["scope"]


def test_a_refresh_token_is_for_its_client(app, confidential):
    first = app.sign_in()
    assert confidential.refresh(first["refresh_token"]).json()["error"] == "invalid_grant"
    assert app.refresh(first["refresh_token"]).status_code == 200


def test_an_access_token_is_no_refresh_token_and_the_other_way_round(app):
    first = app.sign_in()
    assert app.refresh(first["access_token"]).json()["error"] == "invalid_grant"
    assert app.data("sales", first["refresh_token"]).status_code == 401


def test_an_access_token_ends_by_the_clock(app, clock):
    app.provider.dials.access_token_seconds = 10
    token = app.sign_in()
    assert token["expires_in"] == 10
    clock.advance(9.5)
    assert app.data("sales", token["access_token"]).status_code == 200
    clock.advance(0.5)
    assert app.data("sales", token["access_token"]).status_code == 401


def test_revoking_a_refresh_token_ends_the_grant(app):
    first = app.sign_in()
    assert app.call("revocation", token=first["refresh_token"]).status_code == 200
    assert app.data("sales", first["access_token"]).status_code == 401
    assert app.refresh(first["refresh_token"]).status_code == 400


def test_revoking_an_access_token_ends_it_alone(app):
    first = app.sign_in()
    answer = app.call("revocation", token=first["access_token"], token_type_hint="access_token")
    assert answer.status_code == 200
    assert app.data("sales", first["access_token"]).status_code == 401
    assert app.refresh(first["refresh_token"]).status_code == 200


def test_revocation_of_the_unknown_is_fine_of_a_strangers_is_not(app, confidential):
    first = app.sign_in()
    assert app.call("revocation", token="nothing").status_code == 200
    assert confidential.call("revocation", token=first["refresh_token"]).status_code == 400
    assert app.refresh(first["refresh_token"]).status_code == 200
    confidential.secret = "wrong"
    assert confidential.call("revocation", token="nothing").status_code == 401


def test_introspection(app, confidential, clock):
    first = app.sign_in()
    told = app.call("introspection", token=first["access_token"]).json()
    assert told["active"] is True
    assert told["exp"] == int(clock.now) + 3600
    assert told["username"] == "analyst@example.com"
    assert "exp" not in app.call("introspection", token=first["refresh_token"]).json()
    stranger = confidential.call("introspection", token=first["access_token"]).json()
    assert stranger == {"active": False}
    clock.advance(3600)
    assert app.call("introspection", token=first["access_token"]).json() == {"active": False}


def _start_device(app, **more):
    return app.call("device_authorization", scope="offline_access sales.read openid", **more).json()


def _poll(app, device_code):
    return app.token(
        grant_type="urn:ietf:params:oauth:grant-type:device_code", device_code=device_code
    )


def _type_code(app, user_code):
    return app.http.post(f"{app.server.issuer}/device", data={"user_code": user_code})


def test_the_device_flow(app, clock):
    started = _start_device(app)
    assert started["verification_uri"] == f"{app.server.issuer}/device"
    assert started["interval"] == 5
    assert _poll(app, started["device_code"]).json()["error"] == "authorization_pending"

    shown = app.http.get(started["verification_uri_complete"])
    assert started["user_code"] in shown.text
    page = _type_code(app, started["user_code"].lower().replace("-", " "))
    assert "Read the sales figures" in page.text
    done = app.answer(page, account="guest@example.com")
    assert "The device is connected" in done.text

    clock.advance(5)
    tokens = _poll(app, started["device_code"]).json()
    assert tokens.keys() >= {"access_token", "refresh_token", "id_token"}
    assert app.data("whoami", tokens["access_token"]).json()["email"] == "guest@example.com"
    assert app.refresh(tokens["refresh_token"]).status_code == 200
    assert _poll(app, started["device_code"]).json()["error"] == "invalid_grant"


def test_polling_too_fast_is_slowed_down(app, clock):
    started = _start_device(app)
    assert _poll(app, started["device_code"]).json()["error"] == "authorization_pending"
    clock.advance(4)
    assert _poll(app, started["device_code"]).json()["error"] == "slow_down"
    clock.advance(9)
    assert _poll(app, started["device_code"]).json()["error"] == "slow_down"
    clock.advance(15)
    assert _poll(app, started["device_code"]).json()["error"] == "authorization_pending"


def test_the_device_flow_refused_expired_unknown(app, clock):
    refused, expired = _start_device(app), _start_device(app)
    app.answer(_type_code(app, refused["user_code"]), decision="deny")
    assert _poll(app, refused["device_code"]).json()["error"] == "access_denied"
    clock.advance(600)
    assert _poll(app, expired["device_code"]).json()["error"] == "expired_token"
    assert _type_code(app, expired["user_code"]).status_code == 400
    unknown = _type_code(app, 'BBBB-"><script>')
    assert unknown.status_code == 400
    assert "No device waits with this code" in unknown.text
    assert "<script" not in unknown.text
    assert _poll(app, "nothing").json()["error"] == "invalid_grant"


def test_a_parameter_given_twice_is_refused(app):
    first = app.sign_in()["refresh_token"]
    form = {"client_id": "notebook", "grant_type": "refresh_token", "refresh_token": [first, first]}
    answer = app.http.post(f"{app.server.issuer}/token", data=form)
    assert answer.json()["error"] == "invalid_request"
    assert app.refresh(first).status_code == 200


def test_many_refreshes_at_once_with_one_token_succeed_once(app):
    first = app.sign_in()["refresh_token"]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: app.refresh(first).status_code, range(16)))
    assert sorted(answers) == [200] + [400] * 15


@pytest.mark.parametrize("grant_type", ["password", "client_credentials", "", None])
def test_other_grants_are_not_supported(app, grant_type):
    assert app.token(grant_type=grant_type).json()["error"] == "unsupported_grant_type"
