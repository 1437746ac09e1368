"""The kit for authors of connectors: it lets good ones pass and names what bad ones do."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import gate
import httpx2
import pytest

from jupyter_oauthconn.catalog import Handle, Placement, TokenPlacement
from jupyter_oauthconn.connectors import Access, Reach, connector
from jupyter_oauthconn.connectors.headers import authorization_header
from jupyter_oauthconn.model import AccessToken
from jupyter_oauthconn.testing import ScriptedTokens, TokenStore, check_connector

ALL = ("fresh", "expiring", "rejected", "revoked", "consent_lost", "threads", "no_leak")


def access_to(kind: str, **handle: Any) -> Access:
    return Access(source=ScriptedTokens(), reach=Reach(None), handle=Handle(kind=kind, **handle))


# --- good ones


@pytest.mark.parametrize("kind", ["httpx", "session"])
def test_http(kind: str) -> None:
    assert check_connector(connector(kind), access_to(kind, probe="/")) == ALL


@pytest.mark.parametrize("pool", ["QueuePool", "NullPool"])
def test_an_engine(pool: str) -> None:
    import sqlalchemy as sa

    store, database = TokenStore(), gate.opened()
    database.accepts = lambda named: store.admits(str(named["token"]))
    token = TokenPlacement(placement=Placement.CONNECT_ARG, name="token")
    access = access_to("engine", url="gate://ada@localhost/x", token=token)
    options = {"poolclass": getattr(sa.pool, pool)}
    assert check_connector(connector("engine"), access, store=store, **options) == ALL


def test_a_driver() -> None:
    store, database = TokenStore(), gate.opened()
    database.accepts = lambda named: store.admits(str(named["token"]))
    token = TokenPlacement(placement=Placement.CONNECT_ARG, name="token")
    access = access_to("dbapi", url="gate://ada@localhost/x", token=token)
    found = check_connector(connector("dbapi"), access, store=store, thread_safe=False)
    assert found == ALL


def test_a_credential_leaves_the_retry_to_its_caller() -> None:
    with TokenStore() as store:

        def call(credential: Any) -> None:
            # no name for it: a traceback shows what a frame holds, the caller's too
            httpx2.get(
                store.url, headers={"Authorization": f"Bearer {credential()}"}
            ).raise_for_status()

        found = check_connector(
            connector("credential"), access_to("credential"), store=store, use=call, retries=False
        )
    assert found == tuple(one for one in ALL if one != "rejected")


class Line:
    """Twenty lines: what an author writes."""

    def open(self, access: Access) -> LineHandle:
        return LineHandle(access)

    def check(self, handle: LineHandle, access: Access) -> str:
        return handle.ring()


@dataclass(repr=False)
class LineHandle:
    access: Access

    def ring(self) -> str:
        token = self.access.source.token()
        if (status := self.call(token)) == 401:
            newer = self.access.source.token(rejected=token)
            if newer.generation != token.generation:
                status = self.call(newer)
        if status != 200:
            raise PermissionError(f"The line answered {status}.")
        return "It rang."

    def call(self, token: AccessToken) -> int:
        headers = {"Authorization": authorization_header(token)}
        return httpx2.get(self.access.handle.url, headers=headers).status_code


def test_twenty_lines_are_enough() -> None:
    assert check_connector(Line(), access_to("line")) == ALL


class Empty(LineHandle):
    """False, as a result without rows is; and closed in an event loop only."""

    opened = 0

    def __init__(self, access: Access) -> None:
        super().__init__(access)
        Empty.opened += 1

    def __len__(self) -> int:
        return 0

    async def dispose(self) -> None:
        raise AssertionError("nobody awaits it")


def test_a_handle_that_is_false_is_shared_by_the_threads() -> None:
    class EmptyLine(Line):
        def open(self, access: Access) -> LineHandle:
            return Empty(access)

    Empty.opened = 0
    assert check_connector(EmptyLine(), access_to("line")) == ALL
    assert Empty.opened == len(ALL), "one for each rule"


# --- bad ones: each breaks one rule, and the kit names it


def faults_of(handle: type[LineHandle], **options: Any) -> dict[str, str]:
    """Rule and faults, of a connector whose handles are of that class."""

    class Bad(Line):
        def open(self, access: Access) -> LineHandle:
            return handle(access)

    with pytest.raises(AssertionError) as caught:
        check_connector(Bad(), access_to("line"), **options)
    found: dict[str, str] = {}
    for line in str(caught.value).splitlines():
        rule, fault = line.split(": ", 1)
        found[rule] = f"{found.get(rule, '')}{fault}\n"
    return found


class Caching(LineHandle):
    """Asks once."""

    def __init__(self, access: Access) -> None:
        super().__init__(access)
        self.kept: AccessToken | None = None

    def call(self, token: AccessToken) -> int:
        self.kept = self.kept or token
        return super().call(self.kept)


def test_one_that_caches_the_token() -> None:
    found = faults_of(Caching)
    assert "stopped at renewal 1" in found["expiring"]
    assert "not made once more" in found["rejected"]


class CachingAndRenewing(LineHandle):
    """Shows the old one, and hides it by its retry."""

    kept: AccessToken | None = None

    def ring(self) -> str:
        self.kept = self.kept or self.access.source.token()
        if (status := self.call(self.kept)) == 401:
            self.kept = self.access.source.token(rejected=self.kept)
            status = self.call(self.kept)
        if status != 200:
            raise PermissionError
        return ""


def test_one_that_caches_the_token_and_lives_by_retries() -> None:
    found = faults_of(CachingAndRenewing)
    assert "a token that had ended was shown to the store" in found["expiring"]
    assert "rejected" not in found


class Insisting(LineHandle):
    def ring(self) -> str:
        token = self.access.source.token()
        for _ in range(3):
            if self.call(token) == 200:
                return ""
            token = self.access.source.token(rejected=token)
        raise PermissionError


def test_one_that_retries_twice() -> None:
    assert "one retry, never two" in faults_of(Insisting)["revoked"]


class GivingUp(LineHandle):
    def ring(self) -> str:
        if self.call(self.access.source.token()) != 200:
            raise PermissionError
        return ""


def test_one_that_does_not_hand_a_refused_token_back() -> None:
    found = faults_of(GivingUp)
    assert "0 times, not once" in found["rejected"]


class Forcing(LineHandle):
    def ring(self) -> str:
        self.access.source.token(rejected=self.access.source.token())
        return super().ring()


def test_one_that_refreshes_at_each_use() -> None:
    assert "a good token was handed back" in faults_of(Forcing)["fresh"]


class Silent(LineHandle):
    def ring(self) -> str:
        try:
            return super().ring()
        except Exception:  # noqa: BLE001 - this is what it is bad for
            return ""


def test_one_that_hides_errors() -> None:
    found = faults_of(Silent)
    assert "nothing was raised" in found["revoked"]
    assert "nothing was raised" in found["consent_lost"]


class Disguising(LineHandle):
    def ring(self) -> str:
        try:
            return super().ring()
        except Exception:  # noqa: BLE001 - this is what it is bad for
            failed = True
        if failed:
            raise ValueError("something went wrong")
        return ""


def test_one_that_disguises_a_lost_consent() -> None:
    assert faults_of(Disguising) == {
        "consent_lost": "the source's error was hidden behind ValueError\n"
    }


class Talkative(LineHandle):
    def __repr__(self) -> str:
        return f"<Line with {self.access.source.token().reveal()}>"


class Pickled(LineHandle):
    def ring(self) -> str:
        self.text = self.access.source.token().reveal()
        return super().ring()

    def __reduce__(self) -> Any:
        return (str, (self.text,))


class InFrames(LineHandle):
    def call(self, token: AccessToken) -> int:
        text = token.reveal()
        response = httpx2.get(self.access.handle.url, headers={"Authorization": f"Bearer {text}"})
        response.raise_for_status()
        return response.status_code


class InMessages(LineHandle):
    def call(self, token: AccessToken) -> int:
        if (status := super().call(token)) != 200:
            raise PermissionError(f"{status} for {token.reveal()}")
        return status


@pytest.mark.parametrize(
    ("handle", "where"),
    [(Talkative, "repr"), (Pickled, "pickle"), (InFrames, "traceback"), (InMessages, "traceback")],
)
def test_one_that_leaks(handle: type[LineHandle], where: str) -> None:
    assert f"shows in the {where}" in faults_of(handle)["no_leak"]


def test_one_that_shows_no_token_at_all() -> None:
    class Anonymous(LineHandle):
        def ring(self) -> str:
            return ""

    assert faults_of(Anonymous)["fresh"] == "no token reached the store\n"


def test_one_whose_store_is_not_told_of_the_kit() -> None:
    """`rejected` is the token, as the source gave it."""
    with pytest.raises(TypeError, match="as the source gave it"):
        ScriptedTokens().token(rejected=1)  # type: ignore[arg-type] - that is the mistake


def test_the_plugin_costs_nothing() -> None:
    code = (
        "import sys, jupyter_oauthconn.testing\n"
        "print('jupyter_oauthconn.connectors' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
