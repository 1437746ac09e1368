"""The data API: rows for the right token, RFC 6750 for all others."""

from __future__ import annotations

import hashlib


def test_the_rows_are_worth_looking_at_and_always_the_same(app):
    token = app.sign_in()["access_token"]
    rows = app.data("sales", token).json()
    assert 36 <= len(rows) <= 72
    assert rows[0].keys() == {"month", "region", "product", "units", "revenue"}
    assert {row["region"] for row in rows} == {
        row["region"] for row in app.data("regions", token).json()
    }
    assert all(row["units"] > 0 and row["revenue"] > 0 for row in rows)
    assert app.data("sales", token).json() == rows
    assert (rows[0]["units"], sum(row["units"] for row in rows)) == (233, 7824)


def test_no_token_wrong_token_wrong_scope(app):
    none = app.data("sales", "")
    assert none.status_code == 401
    assert none.headers["WWW-Authenticate"] == 'Bearer realm="practice"'
    wrong = app.data("sales", "nonsense")
    assert wrong.status_code == 401
    assert 'error="invalid_token"' in wrong.headers["WWW-Authenticate"]
    narrow = app.data("sales", app.sign_in(scope="openid")["access_token"])
    assert narrow.status_code == 403
    assert 'error="insufficient_scope"' in narrow.headers["WWW-Authenticate"]
    assert 'scope="sales.read"' in narrow.headers["WWW-Authenticate"]


def test_a_token_in_the_address_or_form_is_not_taken(app):
    token = app.sign_in()["access_token"]
    address = f"{app.server.data_url}/sales"
    assert app.http.get(address, params={"access_token": token}).status_code == 401
    assert app.http.post(address, data={"access_token": token}).status_code == 401


def test_writing_needs_its_own_scope_and_a_whole_row(app):
    row = {"month": "2026-07", "region": "North", "product": "Saddle", "units": 3, "revenue": 147.0}
    address = f"{app.server.data_url}/sales"

    def post(scope, body):
        token = app.sign_in(scope=scope)["access_token"]
        return app.http.post(address, json=body, headers={"Authorization": f"Bearer {token}"})

    assert post("sales.read", row).status_code == 403
    assert post("sales.write", row | {"units": "3"}).status_code == 400
    assert post("sales.write", row | {"more": 1}).status_code == 400
    assert post("sales.write", [row]).status_code == 400
    assert post("sales.write", row).status_code == 201
    rows = app.data("sales", app.sign_in()["access_token"]).json()
    assert rows[-1] == row
    app.provider.reset()
    assert app.data("sales", app.sign_in()["access_token"]).json() == rows[:-1]


def test_the_log_tells_tokens_apart_without_showing_them(app):
    token = app.sign_in()["access_token"]
    app.data("sales", token)
    app.data("sales", "other")
    seen = hashlib.sha256(token.encode()).hexdigest()[:8]
    (record,) = app.provider.requests("data/sales", token=seen)
    assert (record.outcome, record.status, record.client) == ("ok", 200, "notebook")
    assert len(app.provider.requests("data/sales", outcome="invalid_token")) == 1


def test_no_log_holds_what_was_issued(app, caplog):
    caplog.set_level("DEBUG")
    code = app.callback(state="state-of-mine")["code"]
    tokens = app.exchange(code).json()
    tokens |= app.refresh(tokens["refresh_token"]).json()
    app.data("sales", tokens["access_token"])
    app.question(redirect_uri="http://127.0.0.1:1/wrong", state="state-of-mine")
    own = [
        record.getMessage()
        for record in caplog.records
        if not record.name.startswith(("httpx", "httpcore"))
    ]
    text = "\n".join(own) + repr(app.provider.requests())
    assert "CANARY-" not in text
    assert "state-of-mine" not in text
    assert app.verifier not in text
