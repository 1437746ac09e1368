"""The whole way with the real token service and the practice provider; its robot is the person."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import jupyter_oauthconn as oc
from jupyter_oauthconn.demo import PracticeServer
from jupyter_oauthconn.kernel import current
from jupyter_oauthconn.model import Interaction, State

MARKER = "CANARY-"


@pytest.fixture
def practice(tmp_path: Path) -> Iterator[PracticeServer]:
    settings = oc.Settings(home=str(tmp_path), interaction=Interaction.PRACTICE)
    with PracticeServer(marker=MARKER) as server, oc.use(settings):
        oc.register_client(
            "practice",
            provider="practice",
            client_id="notebook",
            issuer=server.issuer,
            auth_method="none",
            loopback_port="any",
        )
        oc.add("sales", client="practice")
        try:
            yield server
        finally:
            current.place().broker.close()  # type: ignore[attr-defined]


def test_sign_in_use_and_revoke(
    practice: PracticeServer, capsys: pytest.CaptureFixture[str]
) -> None:
    conn = oc.connect("sales")
    assert capsys.readouterr().err == "sales: authenticated as analyst@example.com\n"
    assert conn.status is State.CONNECTED
    assert conn.identity == "analyst@example.com"
    assert conn.token().reveal().startswith(MARKER)
    with conn.session() as session:
        assert session.get(f"{practice.data_url}/sales", timeout=10).status_code == 200
    with conn.httpx() as client:
        assert client.get(f"{practice.data_url}/sales").status_code == 200
    assert oc.revoke("sales")["At the provider"] == "revoked"
    assert conn.status is State.NOT_CONNECTED


def test_a_forked_child_opens_the_database_anew(practice: PracticeServer) -> None:
    conn = oc.connect("sales")
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = 0 if conn.token().reveal().startswith(MARKER) else 1
        finally:
            os._exit(code)  # whatever happened: it does not go on as a second pytest
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert conn.token().reveal().startswith(MARKER)


def test_management_that_is_switched_off(practice: PracticeServer, tmp_path: Path) -> None:
    """Every change is refused with a code of its own, and what exists goes on."""
    oc.connect("sales")
    settings = oc.Settings(
        home=str(tmp_path), interaction=Interaction.PRACTICE, client_management_enabled=False
    )
    with oc.use(settings):
        for refused in (
            lambda: oc.register_client("x", provider="snowflake", client_id="i"),
            lambda: oc.edit_client("practice", title="x"),
            lambda: oc.edit_client("practice", dry_run=True, title="x"),
            lambda: oc.enable_client("practice", False),
            lambda: oc.remove_client("practice", force=True),
            lambda: oc.add("y", provider="snowflake", client_id="i"),
        ):
            with pytest.raises(oc.errors.NotAllowedError) as caught:
                refused()
            assert caught.value.code == "client_management_disabled"
        assert oc.connect("sales").token().reveal().startswith(MARKER)
        assert oc.ensure("sales", "1h")["Lasts"] != "no"
        oc.add("more", client="practice")
        assert oc.connect("more").status is State.CONNECTED
        assert oc.revoke("more")["Here"] == "forgotten"


def test_a_scope_that_was_not_granted(practice: PracticeServer) -> None:
    oc.connect("sales", scope="sales.read")
    with pytest.raises(oc.errors.ReauthorizationRequiredError, match=r"sales\.admin"):
        oc.connect("sales", scope="sales.admin")
