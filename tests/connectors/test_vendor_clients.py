"""Vendors' clients, the real packages, against a recorder: Salesforce, Slack and GitHub."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.error import URLError

import pytest
from counted import MARKER, MINUTE, Connected, CountedTokens, bearer
from later import Later
from leaks import shown, told
from recorder import Recorder, Reply, Seen, recorder

from jupyter_oauthconn.connectors.connector import connector
from jupyter_oauthconn.errors import ConfigurationError, InvalidParameterError, NotAllowedError

CLIENT = connector("client")


@pytest.fixture
def vendor() -> Iterator[Recorder]:
    with recorder() as made:
        yield made


@pytest.fixture
def other() -> Iterator[Recorder]:
    with recorder() as made:
        made.answer = lambda seen: Reply({"ok": True, "login": "mallory", "url": "/user"})
        yield made


# --- Salesforce


@pytest.fixture
def salesforce(monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorder]:
    pytest.importorskip("simple_salesforce", reason="`pip install simple-salesforce`")
    with recorder(tls=True) as made:
        made.trusted_alone(monkeypatch)
        made.answer = lambda seen: Reply({"DailyApiRequests": {"Max": 1}})
        yield made


def on_salesforce(server: Recorder, life: float | None, **changes: Any) -> Any:
    source = CountedTokens(life, extra={"instance_url": server.url})
    options = {"library": "simple-salesforce", "url_from": "instance_url"}
    return Connected(source, **changes).access("client", options=options)


def test_salesforce(salesforce: Recorder, later: Later) -> None:
    access = on_salesforce(salesforce, life=MINUTE)
    client = CLIENT.open(access, verify=salesforce.ca)
    assert client.limits() == {"DailyApiRequests": {"Max": 1}}
    assert salesforce.tokens == [bearer(1)]
    later(MINUTE)
    assert CLIENT.check(client, access) == "Salesforce at 127.0.0.1 answered with 1 limits."
    assert salesforce.tokens == [bearer(1), bearer(2)]
    assert MARKER not in shown(client, client.session, client.session.auth)


def test_salesforce_after_a_401(salesforce: Recorder) -> None:
    """Its tokens have no end that is known: only a 401 tells."""
    access = on_salesforce(salesforce, life=None)
    client = CLIENT.open(access, verify=salesforce.ca)
    salesforce.refused = {bearer(1)}
    assert client.limits()
    assert salesforce.tokens == [bearer(1), bearer(2)]


def test_salesforce_never_across_a_redirect(salesforce: Recorder) -> None:
    access = on_salesforce(salesforce, life=3600)
    client = CLIENT.open(access, verify=salesforce.ca)
    with recorder(tls=True) as other:
        other.answer = lambda seen: Reply({"a": 1})
        salesforce.answer = lambda seen: Reply("", 307, {"Location": f"{other.url}/steal"})
        client.limits()
        assert other.tokens == [None]


def test_salesforce_only_to_the_connection_s_host(salesforce: Recorder) -> None:
    with pytest.raises((ConfigurationError, NotAllowedError)):
        CLIENT.open(on_salesforce(salesforce, 3600, hosts=("*.salesforce.com",)))
    assert salesforce.seen == []


# --- GitHub


def on_github(
    vendor: Recorder,
    source: CountedTokens,
    hosts: tuple[str, ...] = ("127.0.0.1",),
    **options: Any,
) -> tuple[Any, Any]:
    pytest.importorskip("github", reason="`pip install PyGithub`")
    vendor.answer = lambda seen: Reply({"login": "ada", "url": f"{vendor.url}/user"})
    access = Connected(source, hosts).access(
        "client", url=vendor.url, options={"library": "pygithub"}
    )
    return CLIENT.open(access, retry=None, **options), access


def test_github(vendor: Recorder, later: Later) -> None:
    client, access = on_github(vendor, CountedTokens(life=MINUTE))
    assert client.get_user().login == "ada"
    assert set(vendor.tokens) == {bearer(1)}
    later(MINUTE)
    vendor.seen.clear()
    assert CLIENT.check(client, access) == "GitHub at 127.0.0.1 knows ada."
    assert set(vendor.tokens) == {bearer(2)}
    assert MARKER not in shown(client, client.requester, client.requester.auth)
    client.close()


def test_github_never_across_a_redirect(vendor: Recorder, other: Recorder) -> None:
    client, _ = on_github(vendor, CountedTokens())
    here = other.url.replace("127.0.0.1", "localhost")
    vendor.answer = lambda seen: Reply("", 302, {"Location": f"{here}/steal"})
    # PyGithub goes to hosts of GitHub only
    with pytest.raises(AssertionError, match="localhost") as caught:
        client.requester.requestJsonAndCheck("GET", "/user", follow_302_redirect=True)
    assert other.seen == []
    assert MARKER not in told(caught.value)
    client.close()


def test_github_after_a_401(vendor: Recorder) -> None:
    source = CountedTokens()
    client, _ = on_github(vendor, source)
    vendor.refused = {bearer(1)}
    assert client.get_user().login == "ada"
    assert vendor.tokens == [bearer(1), bearer(2)]
    assert source.forced == 1
    client.close()


def test_github_that_goes_on_refusing_gets_one_forced_refresh(vendor: Recorder) -> None:
    source = CountedTokens()
    client, _ = on_github(vendor, source)
    vendor.fail("refuses")
    with pytest.raises(Exception, match="401") as caught:
        client.get_user().login.upper()
    assert vendor.tokens == [bearer(1), bearer(2)]
    assert source.forced == 1
    assert MARKER not in told(caught.value)
    client.close()


def test_github_redirects_within_its_domain_without_the_token(
    vendor: Recorder, other: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PyGithub takes the header away, and it is not put back."""
    client, _ = on_github(vendor, CountedTokens(), hosts=("127.0.0.1", "localhost"))
    monkeypatch.setattr(client.requester, "_Requester__domains", ["127.0.0.1", "localhost"])
    here = other.url.replace("127.0.0.1", "localhost")
    vendor.answer = lambda seen: Reply("", 302, {"Location": f"{here}/elsewhere"})
    client.requester.requestJsonAndCheck("GET", "/user", follow_302_redirect=True)
    assert vendor.tokens == [bearer(1)]
    assert other.tokens == [None]
    client.close()


def test_github_only_to_the_connection_s_host(vendor: Recorder) -> None:
    pytest.importorskip("github", reason="`pip install PyGithub`")
    access = Connected(hosts=("api.github.com",)).access("client")
    with pytest.raises(NotAllowedError):
        CLIENT.open(access, library="pygithub", base_url=vendor.url)
    client = CLIENT.open(access, library="pygithub")
    assert client.requester.base_url == "https://api.github.com"
    client.close()


# --- Slack


def as_slack(seen: Seen) -> Reply:
    return Reply({"ok": True, "user": "ada", "team": "Acme"})


def on_slack(vendor: Recorder, source: CountedTokens) -> tuple[Any, Any]:
    pytest.importorskip("slack_sdk", reason="`pip install slack-sdk`")
    vendor.answer = as_slack
    access = Connected(source).access("client", options={"library": "slack-sdk"})
    return CLIENT.open(access, base_url=f"{vendor.url}/api/"), access


def test_slack(vendor: Recorder, later: Later) -> None:
    client, access = on_slack(vendor, CountedTokens(life=MINUTE))
    answer = client.auth_test()
    assert vendor.tokens == [bearer(1)]
    later(MINUTE)
    assert CLIENT.check(client, access) == "Slack knows ada of Acme."
    assert vendor.tokens == [bearer(1), bearer(2)]
    assert MARKER not in shown(client, answer, answer.req_args)


def test_slack_says_with_status_200_that_it_refuses(vendor: Recorder) -> None:
    source = CountedTokens()
    client, _ = on_slack(vendor, source)

    def refuses(seen: Seen) -> Reply:
        if seen.authorization == bearer(1):
            return Reply({"ok": False, "error": "token_expired"})
        return as_slack(seen)

    vendor.answer = refuses
    assert client.auth_test()["user"] == "ada"
    assert vendor.tokens == [bearer(1), bearer(2)]
    assert source.forced == 1


def test_slack_refuses_and_there_is_no_newer(vendor: Recorder) -> None:
    source = CountedTokens()
    source.renewable = False
    client, _ = on_slack(vendor, source)
    vendor.answer = lambda seen: Reply({"ok": False, "error": "invalid_auth"})
    with pytest.raises(Exception, match="invalid_auth") as caught:
        client.auth_test()
    assert vendor.tokens == [bearer(1)]
    assert MARKER not in told(caught.value)


def test_slack_that_is_away_shows_no_token() -> None:
    with recorder() as gone:
        client, _ = on_slack(gone, CountedTokens())
    with pytest.raises(URLError) as caught:
        client.auth_test()
    assert MARKER not in told(caught.value)


def test_slack_s_status_is_slack_s_to_judge(vendor: Recorder) -> None:
    client, _ = on_slack(vendor, CountedTokens())
    vendor.answer = lambda seen: Reply({"ok": False, "error": "fatal_error"}, 500)
    with pytest.raises(Exception, match="fatal_error") as caught:
        client.auth_test()
    assert MARKER not in told(caught.value)


def test_slack_never_across_a_redirect(vendor: Recorder, other: Recorder) -> None:
    client, _ = on_slack(vendor, CountedTokens())
    vendor.answer = lambda seen: Reply("", 302, {"Location": f"{other.url}/steal"})
    client.auth_test()
    assert vendor.tokens == [bearer(1)]
    assert other.tokens == [None]


def test_slack_only_to_the_connection_s_host(vendor: Recorder) -> None:
    pytest.importorskip("slack_sdk", reason="`pip install slack-sdk`")
    access = Connected(hosts=("slack.com",)).access("client")
    with pytest.raises(NotAllowedError):
        CLIENT.open(access, library="slack-sdk", base_url=f"{vendor.url}/api/")
    client = CLIENT.open(access, library="slack-sdk")
    client.base_url = f"{vendor.url}/api/"
    with pytest.raises(NotAllowedError):
        client.auth_test()
    assert vendor.seen == []


# --- none of them


def test_an_unknown_client() -> None:
    with pytest.raises(InvalidParameterError, match="no vendor's client 'stripe'") as caught:
        CLIENT.open(Connected().access("client"), library="stripe")
    assert "pygithub" in caught.value.hint


def test_nobody_knows_how_to_test_it() -> None:
    with pytest.raises(InvalidParameterError, match="how to test a dict"):
        CLIENT.check({}, Connected().access("client"))
