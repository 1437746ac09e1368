"""What `demo --check` walks through: a token's whole life, seen from both sides."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from jupyter_oauthconn.errors import OAuthConnError, ReauthorizationRequiredError
from jupyter_oauthconn.model import (
    AccessToken,
    AuthorizationState,
    ClientDraft,
    ConnectionDraft,
    Outcome,
    Reason,
    State,
)

from .output import table

if TYPE_CHECKING:
    from jupyter_oauthconn.broker import TokenServiceBroker
    from jupyter_oauthconn.demo import PracticeServer
    from jupyter_oauthconn.demo.provider import Record

_CLIENT = "practice"
_CONNECTION = "sales"
_CLIENT_ID = "notebook"
_ACCOUNT = "analyst@example.com"
#: Tokens live long, so that a slow machine sees a step as well, but for two steps.
_LONG_SECONDS = 3600
#: So short that its end can be waited for.
_SHORT_SECONDS = 2
#: Served past four fifths of its life, when a new one is wanted but not needed yet. The longer
#: lives are for machines that need more than the last fifth of the first to see that.
_DOWN_SECONDS = (5, 20, 60)
_AT_ONCE = 4
_SHOWN_ROWS = 5


class NotSeenError(Exception):
    """What a step promises was not seen, here or at the provider; the text says what."""


class Scenario:
    """A token's life; each step looks at our side and at the provider's log, then says so."""

    def __init__(self, server: PracticeServer, broker: TokenServiceBroker) -> None:
        self._provider = server.provider
        self._data_url = server.data_url
        self._broker = broker

    def steps(self) -> list[tuple[str, Callable[[], str]]]:
        return [
            ("client_registered", self._register),
            ("connection_added", self._connect),
            ("authenticated", self._authenticate),
            ("token_issued", self._issue),
            ("data_read", self._read),
            ("token_expired", self._expire),
            ("refreshed", self._refresh),
            ("rotated_refresh_token_kept", self._rotate),
            ("provider_down", self._go_down),
            ("provider_back", self._come_back),
            ("refused_after_revocation", self._revoke),
            ("authenticated_again", self._authenticate_again),
        ]

    def _register(self) -> str:
        client = self._broker.add_client(
            ClientDraft(
                name=_CLIENT,
                provider="practice",
                client_id=_CLIENT_ID,
                issuer=self._provider.issuer,
                loopback_port="any",
            )
        )
        checks = self._broker.test_client(client.name)
        bad = [one.detail for one in checks if one.outcome is Outcome.FAILED]
        _expect(not bad, f"the OAuth client's test says: {' '.join(bad)}")
        # the test sends a wrong code on purpose: refused is the code, not the client
        seen = self._provider.requests("token", client=_CLIENT_ID, outcome="invalid_grant")
        _expect(len(seen) == 1, "the provider did not see the client at its token endpoint")
        return f"{self._provider.issuer} knows the client app {_CLIENT_ID!r}"

    def _connect(self) -> str:
        before = len(self._provider.requests())
        self._broker.add_connection(ConnectionDraft(name=_CONNECTION, client=_CLIENT))
        self._expect_state(State.NOT_CONNECTED)
        asked = len(self._provider.requests()) - before
        _expect(asked == 0, f"the provider was asked {asked} times although nobody signs in")
        return f"{_CONNECTION!r} waits for its first sign-in; the provider was not asked"

    def _authenticate(self) -> str:
        self._provider.dials.access_token_seconds = _LONG_SECONDS
        self._sign_in()
        self._expect_codes(1)
        return f"as {_ACCOUNT}; the provider exchanged 1 code, with PKCE"

    def _issue(self) -> str:
        before = len(self._provider.requests("token"))
        token = self._token()
        _expect(self._is_alive(token), "the provider does not know the token")
        asked = len(self._provider.requests("token")) - before
        _expect(asked == 0, "the stored token was fetched from the provider once more")
        return "it came from the store; the provider knows it and was not asked"

    def _read(self) -> str:
        token = self._token()
        status, rows = self._get_sales(token)
        _expect(status == http.HTTPStatus.OK, f"the data API answered {status}")
        _expect(self._saw_data_request(token, "ok"), "the provider saw no such data request")
        shown = rows[:_SHOWN_ROWS]
        text = table(
            [name.upper() for name in rows[0]],
            [[str(cell) for cell in row.values()] for row in shown],
            empty="",
        )
        return f"{len(rows)} rows, the first {len(shown)}:\n{text}"

    def _expire(self) -> str:
        old = self._renewed(_SHORT_SECONDS)
        _wait_until(old.expires_at)
        while self._is_alive(old):
            # the service counts from the request, the provider from its answer
            time.sleep(0.01)
        status, _ = self._get_sales(old)
        _expect(status == http.HTTPStatus.UNAUTHORIZED, f"the ended token got {status}")
        return "the data API answers 401 to the old token"

    def _refresh(self) -> str:
        self._provider.dials.access_token_seconds = _LONG_SECONDS
        before = len(self._refreshes())
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            tokens = list(pool.map(lambda _: self._token(), range(_AT_ONCE)))
        _expect(len(set(map(AccessToken.reveal, tokens))) == 1, "several tokens were handed out")
        self._expect_refreshes(before + 1)
        self._expect_data(tokens[0])
        return f"{_AT_ONCE} callers at once, the provider saw exactly 1 refresh"

    def _rotate(self) -> str:
        before = len(self._refreshes())
        old = self._token()
        new = self._broker.access_token(_CONNECTION, rejected_generation=old.generation)
        *_, first, second = self._expect_refreshes(before + 1)
        _expect(first.token != second.token, "the first refresh token was sent again")
        reused = self._provider.requests("token", outcome="refresh_token_reused")
        _expect(not reused, "the provider saw a refresh token that was used before")
        self._expect_data(new)
        return "the second refresh came with the refresh token that the first one brought"

    def _go_down(self) -> str:
        *lives, longest = _DOWN_SECONDS
        for life in lives:
            old = self._nearly_over(life)
            try:
                return self._serve_while_down(old)
            except (OAuthConnError, NotSeenError):
                # after the token's end it says nothing of the service: a slow machine
                if old.valid_for(timedelta(0), now=datetime.now(UTC)):
                    raise
        return self._serve_while_down(self._nearly_over(longest))

    def _serve_while_down(self, old: AccessToken) -> str:
        before = len(self._refreshes())
        self._provider.dials.down = True
        try:
            served = self._token()
        finally:
            self._provider.dials.down = False
        _expect(served.generation == old.generation, "another token than the old one was served")
        self._expect_state(State.DEGRADED)
        self._expect_refreshes(before)
        self._expect_data(served)
        return "the old token was served, and the data API still takes it"

    def _come_back(self) -> str:
        # a refresh token that may be spent is sent again only when nothing else lives
        status = self._broker.connection(_CONNECTION).status
        _wait_until(status.expires_at if status else None)
        self._provider.dials.access_token_seconds = _LONG_SECONDS
        before = len(self._refreshes())
        self._broker.ensure(_CONNECTION, timedelta(hours=1))
        self._expect_state(State.CONNECTED)
        self._expect_refreshes(before + 1)
        self._expect_data(self._token())
        return "asked again, it refreshed the same sign-in; nobody had to act"

    def _revoke(self) -> str:
        _expect(self._provider.revoke(self._token().value), "the provider does not know the token")
        try:
            self._broker.ensure(_CONNECTION, timedelta(hours=1))
        except ReauthorizationRequiredError as error:
            reason = error.reason
        else:
            raise NotSeenError("the refresh was not refused after the revocation")
        _expect(reason == Reason.REVOKED, f"the reason is {reason} instead of {Reason.REVOKED}")
        self._expect_state(State.REAUTH_REQUIRED)
        refused = self._provider.requests(
            "token", grant_type="refresh_token", outcome="invalid_grant"
        )
        _expect(len(refused) == 1, f"the provider refused {len(refused)} refreshes instead of 1")
        return "the provider refused 1 refresh; the status is reauth_required"

    def _authenticate_again(self) -> str:
        before = self._broker.connection(_CONNECTION)
        self._sign_in()
        after = self._broker.connection(_CONNECTION)
        _expect(before.id == after.id, "the connection is another one than before")
        self._expect_codes(2)
        self._expect_data(self._token())
        return f"as {_ACCOUNT}, the same connection; the data API takes the new token"

    def _sign_in(self) -> None:
        from jupyter_oauthconn.kernel.practice import consent

        pending = self._broker.authorize(_CONNECTION)
        _expect(pending.public_url is not None, "the sign-in has no start page")
        consent(str(pending.public_url))
        ended = self._broker.authorization(pending.id, wait=timedelta(seconds=10))
        reason = ended.error.message if ended.error else ended.state.value
        _expect(ended.state is AuthorizationState.DONE, f"the sign-in ended otherwise: {reason}")
        status = self._expect_state(State.CONNECTED)
        _expect(status == _ACCOUNT, f"connected as {status} instead of {_ACCOUNT}")

    def _token(self) -> AccessToken:
        return self._broker.access_token(_CONNECTION)

    def _renewed(self, seconds: int) -> AccessToken:
        """A new token, which lives so long from now on."""
        self._provider.dials.access_token_seconds = seconds
        self._broker.ensure(_CONNECTION, timedelta(hours=1))
        return self._token()

    def _nearly_over(self, seconds: int) -> AccessToken:
        """A token of that life, of which the last fifth has begun."""
        token = self._renewed(seconds)
        assert token.expires_at is not None, "the practice provider tells it"
        _wait_until(token.expires_at - timedelta(seconds=seconds * 0.18))
        return token

    def _is_alive(self, token: AccessToken) -> bool:
        return self._provider.bearer(token.reveal()) is not None

    def _expect_codes(self, number: int) -> None:
        seen = self._provider.requests("token", grant_type="authorization_code", outcome="ok")
        _expect(len(seen) == number, f"the provider took {len(seen)} codes instead of {number}")

    def _refreshes(self) -> Sequence[Record]:
        return self._provider.requests("token", grant_type="refresh_token", outcome="ok")

    def _expect_refreshes(self, number: int) -> Sequence[Record]:
        seen = self._refreshes()
        _expect(len(seen) == number, f"the provider saw {len(seen)} refreshes instead of {number}")
        return seen

    def _expect_state(self, state: State) -> str | None:
        """Returns the account."""
        status = self._broker.connection(_CONNECTION).status
        found = status.state if status else None
        _expect(found is state, f"the status is {found} instead of {state}")
        return status.identity if status else None

    def _expect_data(self, token: AccessToken) -> None:
        status, _ = self._get_sales(token)
        _expect(status == http.HTTPStatus.OK, f"the data API answered {status}")
        _expect(self._saw_data_request(token, "ok"), "the provider saw no such data request")

    def _saw_data_request(self, token: AccessToken, outcome: str) -> bool:
        from jupyter_oauthconn.demo.provider import fingerprint

        seen = fingerprint(token.reveal())
        return bool(self._provider.requests("data/sales", token=seen, outcome=outcome))

    def _get_sales(self, token: AccessToken) -> tuple[int, list[dict[str, object]]]:
        address = urlsplit(self._data_url)
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=10)
        try:
            connection.request(
                "GET",
                f"{address.path}/sales",
                headers={"Authorization": f"Bearer {token.reveal()}"},
            )
            answer = connection.getresponse()
            body = json.loads(answer.read())
        finally:
            connection.close()
        return answer.status, body if answer.status == http.HTTPStatus.OK else []


def _expect(condition: bool, otherwise: str) -> None:
    if not condition:
        raise NotSeenError(otherwise)


def _wait_until(moment: datetime | None) -> None:
    if moment is not None:
        time.sleep(max(0.0, (moment - datetime.now(UTC)).total_seconds()))
