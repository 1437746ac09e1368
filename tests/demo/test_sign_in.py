"""Authorization code with PKCE: what is allowed, what is refused, and where a browser is sent."""

from __future__ import annotations

import base64
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet


def test_the_metadata_is_the_same_at_every_place_and_says_practice(app):
    places = [
        "/.well-known/oauth-authorization-server",
        "/.well-known/openid-configuration",
    ]
    documents = [app.http.get(app.server.issuer + one).json() for one in places]
    assert documents[0] == documents[1]
    assert documents[0]["issuer"] == app.server.issuer
    assert documents[0]["practice"] is True
    assert documents[0]["authorization_response_iss_parameter_supported"] is True
    assert documents[0]["code_challenge_methods_supported"] == ["S256"]


def test_a_sign_in_gives_tokens_and_an_id_token_that_verifies(app, clock):
    nonce = "nonce-of-this-sign-in"
    back = app.callback(nonce=nonce)
    assert back["iss"] == app.server.issuer
    assert back["state"] == "state-1"
    answer = app.exchange(back["code"])
    assert answer.headers["Cache-Control"] == "no-store"
    tokens = answer.json()
    assert tokens["token_type"] == "Bearer"
    assert tokens["expires_in"] == 3600
    assert tokens["scope"] == "openid email offline_access sales.read"

    keys = KeySet.import_key_set(app.http.get(f"{app.server.issuer}/jwks").json())
    claims = jwt.decode(tokens["id_token"], keys, algorithms=["RS256"]).claims
    rules = jwt.JWTClaimsRegistry(
        now=lambda: int(clock.now),
        iss={"essential": True, "value": app.server.issuer},
        aud={"essential": True, "value": "notebook"},
        nonce={"essential": True, "value": nonce},
    )
    rules.validate(claims)
    assert claims["email"] == "analyst@example.com"
    assert claims["practice_marker"] == "CANARY-"


def test_the_private_key_stays(app):
    (key,) = app.http.get(f"{app.server.issuer}/jwks").json()["keys"]
    assert key.keys() >= {"kid", "n", "e"}
    assert not key.keys() & {"d", "p", "q", "dp", "dq", "qi"}


def test_everything_issued_begins_with_the_marker(app):
    code = app.callback()["code"]
    tokens = app.exchange(code).json()
    device = app.call("device_authorization").json()
    issued = [code, tokens["access_token"], tokens["refresh_token"], device["device_code"]]
    issued.append(app.provider.confidential_secret.reveal())
    assert all(one.startswith("CANARY-") for one in issued)
    assert len({*issued}) == 5


def test_the_person_chooses_the_account(app):
    page = app.question()
    code = app.answer(page, account="guest@example.com")
    token = app.exchange(parse_qs(urlsplit(code.headers["Location"]).query)["code"][0]).json()
    who = app.data("whoami", token["access_token"]).json()
    assert who["email"] == "guest@example.com"
    assert who["scope"] == "openid email offline_access sales.read"


def test_a_login_hint_preselects_the_account(app):
    page = app.question(login_hint="guest@example.com").text
    assert 'value="guest@example.com" checked' in page
    assert 'value="analyst@example.com" checked' not in page


def test_denied(app):
    response = app.answer(app.question(), decision="deny")
    assert response.status_code == 303
    back = parse_qs(urlsplit(response.headers["Location"]).query)
    assert back["error"] == ["access_denied"]
    assert back["state"] == ["state-1"]
    assert back["iss"] == [app.server.issuer]
    assert "code" not in back
    assert [one.outcome for one in app.provider.requests("authorize")] == ["access_denied"]


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"code_challenge": None, "code_challenge_method": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": 'co"de\\'}, "unsupported_response_type"),
        ({"response_type": None}, "unsupported_response_type"),
        ({"scope": "admin"}, "invalid_scope"),
        ({"prompt": "none"}, "login_required"),
    ],
)
def test_a_faulty_request_goes_back_to_the_app_with_iss(app, changes, error):
    response = app.question(**changes)
    assert response.status_code == 303, response.text
    back = parse_qs(urlsplit(response.headers["Location"]).query)
    assert back["error"] == [error]
    assert back["iss"] == [app.server.issuer]
    assert back["state"] == ["state-1"]


@pytest.mark.parametrize(
    "address",
    [
        None,
        "http://127.0.0.1:8888/oauthconn/callback/practice/",
        "http://127.0.0.1:8888/oauthconn/callback/practice?x=1",
        "http://127.0.0.1:8888/oauthconn/callback/../practice",
        "http://127.0.0.1:8888/oauthconn/callback/a/b",
        "http://127.0.0.1.evil.example/oauthconn/callback/practice",
        "http://127.0.0.1:8888@evil.example/oauthconn/callback/practice",
        "http://evil.example:8888/oauthconn/callback/practice",
        "https://127.0.0.1:8888/oauthconn/callback/practice",
        "http://127.0.0.1:8888/oauthconn/callback/practice#x",
        "http://127.0.0.1:8888/oauthconn/callback/practice\n",
        "javascript:alert(1)",
        '"><script>alert(1)</script>',
    ],
)
def test_an_unregistered_redirect_uri_is_a_page_and_never_a_redirect(app, address):
    response = app.question(redirect_uri=address)
    assert response.status_code == 400
    assert "Location" not in response.headers
    assert "redirect URI is not registered" in response.text
    assert "<script" not in response.text


def test_two_redirect_uris_are_a_page_too(app):
    address = str(app.question().url) + "&redirect_uri=http://evil.example/"
    response = app.http.get(address)
    assert response.status_code == 400
    assert "Location" not in response.headers


def test_an_unknown_client_is_a_page(app):
    response = app.question(client_id="<b>other</b>")
    assert response.status_code == 400
    assert "Location" not in response.headers
    assert "not known here" in response.text
    assert "<b>other" not in response.text


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_native_app_may_come_from_any_loopback_port(app, host):
    address = f"http://{host}:49152/oauthconn/callback/warehouse"
    assert app.question(redirect_uri=address).status_code == 200


def test_loopback_names_are_kept_apart_and_ports_count_unless_registered_so(app):
    app.provider.register("exact", ["http://127.0.0.1:8888/cb"])
    app.provider.register("native", ["http://127.0.0.1/cb"], any_loopback_port=True)
    allowed = {
        (client, address): app.question(client_id=client, redirect_uri=address).status_code == 200
        for client in ("exact", "native")
        for address in (
            "http://127.0.0.1:8888/cb",
            "http://127.0.0.1:9999/cb",
            "http://localhost:8888/cb",
        )
    }
    assert [key for key, value in allowed.items() if value] == [
        ("exact", "http://127.0.0.1:8888/cb"),
        ("native", "http://127.0.0.1:8888/cb"),
        ("native", "http://127.0.0.1:9999/cb"),
    ]


def test_a_consent_page_works_once(app):
    page = app.question()
    assert app.answer(page).status_code == 303
    again = app.answer(page)
    assert again.status_code == 400
    assert "Location" not in again.headers


def test_a_consent_page_works_in_its_own_browser_only(app):
    page = app.question()
    with httpx2.Client(trust_env=False, timeout=30) as other:
        assert app.answer(page, http=other).status_code == 400
        app_other = other.get(page.url)
        assert app_other.status_code == 200
        assert app.answer(page, http=other).status_code == 400
    assert app.answer(page).status_code == 303


def test_a_consent_page_ends_after_ten_minutes(app, clock):
    page = app.question()
    clock.advance(600)
    assert app.answer(page).status_code == 400


@pytest.mark.parametrize(
    "changes",
    [
        {"code_verifier": None},
        {"code_verifier": "x" * 43},
        {"redirect_uri": "http://localhost:8888/oauthconn/callback/practice"},
        {"redirect_uri": None},
        {"code": "another"},
    ],
)
def test_a_code_needs_its_verifier_and_address(app, changes):
    code = app.callback()["code"]
    answer = app.exchange(**{"code": code} | changes)
    assert answer.status_code == 400
    assert answer.json()["error"] in {"invalid_grant", "invalid_request"}
    assert app.exchange(code).status_code == 200


def test_a_confidential_client_needs_pkce_too(confidential):
    back = parse_qs(urlsplit(confidential.question(code_challenge=None).headers["Location"]).query)
    assert back["error"] == ["invalid_request"]
    code = confidential.callback()["code"]
    assert confidential.exchange(code, code_verifier=None).status_code == 400


def test_a_code_lives_a_minute(app, clock):
    code = app.callback()["code"]
    clock.advance(60)
    assert app.exchange(code).json()["error"] == "invalid_grant"


def test_a_code_used_twice_revokes_what_came_of_it(app):
    code = app.callback()["code"]
    tokens = app.exchange(code).json()
    assert app.data("sales", tokens["access_token"]).status_code == 200
    assert app.exchange(code).json()["error"] == "invalid_grant"
    assert app.data("sales", tokens["access_token"]).status_code == 401
    assert app.refresh(tokens["refresh_token"]).status_code == 400
    assert len(app.provider.requests("token", outcome="code_reused")) == 1


def test_a_code_is_for_the_client_that_asked(app, confidential):
    confidential.verifier = app.verifier
    code = app.callback()["code"]
    assert confidential.exchange(code).json()["error"] == "invalid_grant"
    assert app.exchange(code).status_code == 200


def test_no_refresh_token_without_offline_access(app):
    assert "refresh_token" not in app.sign_in(scope="openid sales.read")


def test_no_id_token_without_openid_and_no_address_without_email(app):
    assert "id_token" not in app.sign_in(scope="sales.read")
    tokens = app.sign_in(scope="openid")
    told = app.http.get(
        f"{app.server.issuer}/userinfo",
        headers={"Authorization": f"Bearer {tokens['access_token']}"},
    )
    assert told.json() == {"sub": "analyst-1"}


def test_a_client_authenticates_with_basic_or_post(confidential):
    secret, confidential.secret = confidential.secret, None
    post = confidential.exchange(confidential.callback()["code"], client_secret=secret)
    assert post.status_code == 200
    pair = base64.b64encode(f"confidential-notebook:{secret}".encode()).decode()
    confidential.http.headers["Authorization"] = f"Basic {pair}"
    assert confidential.exchange(confidential.callback()["code"]).status_code == 200


@pytest.mark.parametrize("secret", ["wrong", None])
def test_a_wrong_or_missing_secret_is_invalid_client(confidential, secret):
    code = confidential.callback()["code"]
    answer = confidential.exchange(code, client_secret=secret)
    assert answer.status_code == 401
    assert answer.json()["error"] == "invalid_client"
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")
    assert confidential.exchange(code).status_code == 200


def test_the_authorization_endpoint_with_a_path_in_the_issuer(http):
    from jupyter_oauthconn.demo import PracticeServer

    with PracticeServer(path="/tenant/one", host="localhost") as server:
        root = server.issuer.removesuffix("/tenant/one")
        places = [
            f"{root}/.well-known/oauth-authorization-server/tenant/one",
            f"{server.issuer}/.well-known/openid-configuration",
        ]
        for place in places:
            assert http.get(place).json()["issuer"] == server.issuer
        assert server.issuer.startswith("http://localhost:")
