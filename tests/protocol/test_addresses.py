"""Which addresses may be called: spellings, DNS answers, and what an administrator may widen."""

from __future__ import annotations

import socket
from collections.abc import Callable
from ipaddress import ip_address

import pytest

from jupyter_oauthconn.errors import InvalidParameterError, ProviderUnavailableError
from jupyter_oauthconn.protocol import AddressGuard, HttpRequest, Transport, same_origin
from jupyter_oauthconn.protocol.addresses import Reach, reach_of

from .conftest import Server, says

LOOPBACK_SPELLINGS = [
    "127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1",
    "017700000001", "127.0.0.1.", "localhost", "localhost.", "LOCALHOST", "a.localhost",
    "[::1]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]",
    "[64:ff9b::127.0.0.1]", "[2002:7f00:1::]", "[2001:0:7f00:1::]", "0", "0.0.0.0", "[::]",
    "①②⑦.⓪.⓪.①", "127。0。0。1", "127.0.0.1%20", "%31%32%37.0.0.1",
]  # fmt: skip
PRIVATE_HOSTS = [
    "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "[fd12::1]",
]  # fmt: skip
NEVER = [
    "169.254.169.254", "[fe80::1]", "2852039166", "0xa9fea9fe", "[::ffff:169.254.169.254]",
    "[64:ff9b::169.254.169.254]", "[64:ff9b:1::a9fe:a9fe]", "[2002:a9fe:a9fe::]",
    "224.0.0.1", "[ff02::1]", "240.0.0.1", "255.255.255.255", "198.18.0.1", "192.0.2.1",
    "192.0.0.192", "[2001:db8::1]", "[fec0::1]", "[fd00:ec2::254]", "168.63.129.16",
    "100.100.100.200", "[fe80::1%25eth0]", "[::10.0.0.1]", "[::ffff:10.0.0.1]",
]  # fmt: skip


@pytest.mark.parametrize("host", [*LOOPBACK_SPELLINGS, *PRIVATE_HOSTS, *NEVER])
def test_sec_23_every_spelling_is_refused(host: str) -> None:
    """By its spelling when it is configured, and by itself where only a host is known."""
    with pytest.raises(InvalidParameterError):
        AddressGuard().check_url(f"https://{host}:8443/token", typed=False)
    with pytest.raises(ProviderUnavailableError):
        AddressGuard().resolve(host.strip("[]"), 8443, typed=False, seconds=2)


@pytest.mark.parametrize("host", NEVER)
def test_sec_23_link_local_and_its_like_not_even_typed(host: str) -> None:
    name = host.strip("[]")
    guard = AddressGuard([name, host])
    with pytest.raises(InvalidParameterError):
        guard.check_url(f"https://{host}/token", typed=True)


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost", *PRIVATE_HOSTS])
def test_private_hosts_typed_or_listed(host: str) -> None:
    url, name = f"https://{host}:8443/token", host.strip("[]")
    AddressGuard().check_url(url, typed=True)
    AddressGuard([name.upper()]).check_url(url, typed=False)
    AddressGuard([f"{name}:8443"]).check_url(url, typed=False)
    with pytest.raises(InvalidParameterError):
        AddressGuard([f"{name}:8444"]).check_url(url, typed=False)
    with pytest.raises(InvalidParameterError):
        AddressGuard(["other.example"]).check_url(url, typed=False)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://provider.example/token", "not https"),
        ("http://10.0.0.1/token", "not https"),
        ("ftp://provider.example/", "not https"),
        ("javascript:alert(1)", "host is missing"),
        ("//provider.example/", "not https"),
        ("https:///token", "host is missing"),
        ("https://", "host is missing"),
        ("", "not a URL"),
        ("https://user@provider.example/", "user name"),
        ("https://user:password@provider.example/", "user name"),
        ("https://@provider.example/", "user name"),
        ("https://provider.example/#fragment", "fragment"),
        ("https://provider.example/#", "fragment"),
        ("https://provider.example:22/", "port 22"),
        ("https://provider.example:25/", "port 25"),
        ("https://provider.example:0/", "port 0"),
        ("https://provider.example:99999/", "not a URL"),
        ("https://provider.example\\@evil.example/", "not a URL"),
        ("https://provider.example /", "not a URL"),
        ("https://provider.example/\n", "not a URL"),
        ("https://pröv.example/", "not a URL"),
        ("https://-a.example/", "malformed"),
        ("https://a..example/", "malformed"),
        ("https://[::1/", "not a URL"),
        ("https://[v1.a]/", "not a URL|malformed"),
    ],
)
def test_urls_that_no_provider_has(url: str, reason: str) -> None:
    with pytest.raises(InvalidParameterError, match=reason) as caught:
        AddressGuard().check_url(url, typed=True, parameter="token_url")
    assert caught.value.parameter == "token_url"
    assert "password" not in caught.value.message


@pytest.mark.parametrize(
    "url",
    [
        "https://login.provider.example/oauth2/token?p=policy",
        "https://provider.example:8443/",
        "https://xn--prv-sna.example/",
        "https://under_score.example/",
        "https://8.8.8.8/",
        "https://[2606:4700::1111]/",
        "http://localhost:8000/token",
        "http://127.0.0.1:8000/token",
        "http://[::1]:8000/token",
    ],
)
def test_urls_that_may_be_typed(url: str) -> None:
    AddressGuard().check_url(url, typed=True)


@pytest.mark.parametrize(
    ("address", "reach"),
    [
        ("8.8.8.8", Reach.PUBLIC),
        ("2606:4700::1111", Reach.PUBLIC),
        ("64:ff9b::8.8.8.8", Reach.PUBLIC),
        ("::ffff:8.8.8.8", Reach.PUBLIC),
        ("172.32.0.1", Reach.PUBLIC),
        ("172.31.0.1", Reach.PRIVATE),
        ("100.127.255.255", Reach.PRIVATE),
        ("100.128.0.1", Reach.PUBLIC),
        ("127.255.255.254", Reach.LOOPBACK),
        ("::ffff:127.0.0.1", Reach.FORBIDDEN),
        ("2001:0:0808:0808::1", Reach.FORBIDDEN),
        ("2002:0808:0808::1", Reach.FORBIDDEN),
        ("5f00::1", Reach.FORBIDDEN),
    ],
)
def test_reach(address: str, reach: Reach) -> None:
    assert reach_of(ip_address(address)) is reach


Answers = Callable[[str], list[str]]


def dns(monkeypatch: pytest.MonkeyPatch, answers: Answers) -> list[str]:
    """Answers names from `answers`; addresses go to the real resolver. Returns the names asked."""
    asked: list[str] = []
    real = socket.getaddrinfo

    def look_up(host: str, port: int, *args: object, **options: object) -> object:
        if host.replace(".", "").isdigit() or ":" in host:
            return real(host, port, *args, **options)  # type: ignore[arg-type]
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in answers(host)]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return asked


def test_sec_23_mixed_answers_are_refused_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    dns(monkeypatch, lambda _: ["8.8.8.8", "169.254.169.254"])
    with pytest.raises(ProviderUnavailableError, match=r"leads to 169\.254\.169\.254") as caught:
        AddressGuard().resolve("mixed.example", 443, typed=True, seconds=1)
    assert not caught.value.request_sent


def test_sec_23_the_judged_address_is_the_one_connected_to(
    serve: Callable[..., Server], transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: the name is asked for once, a second answer is never used."""
    server = serve(says("200 OK"))
    turns = iter([["127.0.0.1"], ["169.254.169.254"]])
    asked = dns(monkeypatch, lambda _: next(turns))
    answer = transport.send(HttpRequest(method="GET", url=server.url(host="localhost")))
    assert answer.status == 200
    assert asked == ["localhost"]


def test_sec_23_a_private_answer_for_a_public_name_reaches_nobody(
    serve: Callable[..., Server], transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(says("200 OK"))
    dns(monkeypatch, lambda _: ["127.0.0.1"])
    url = f"https://provider.example:{server.port}/token"
    with pytest.raises(ProviderUnavailableError, match="may not be called") as caught:
        transport.send(HttpRequest(method="GET", url=url))
    assert not caught.value.request_sent
    assert server.connections == 0


def test_sec_23_plain_http_never_leaves_the_machine(
    transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    dns(monkeypatch, lambda _: ["8.8.8.8"])
    with pytest.raises(ProviderUnavailableError, match="leads elsewhere"):
        transport.send(HttpRequest(method="GET", url="http://localhost:8000/"))


def test_typed_reaches_loopback_and_untyped_does_not(serve: Callable[..., Server]) -> None:
    server = serve(says("200 OK"))
    strict = Transport(guard=AddressGuard())
    request = HttpRequest(method="GET", url=server.url())
    assert strict.send(request, typed_host=True).status == 200
    with pytest.raises(ProviderUnavailableError, match="may not be called"):
        strict.send(request)
    assert server.connections == 1


def test_the_next_address_is_tried(
    serve: Callable[..., Server], transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(says("200 OK"))
    dns(monkeypatch, lambda _: ["127.0.0.3", "127.0.0.1"])
    assert transport.send(HttpRequest(method="GET", url=server.url(host="localhost"))).status == 200


def test_same_origin() -> None:
    assert same_origin("https://a.example/x", "https://A.example:443/y?z")
    assert not same_origin("https://a.example/", "https://a.example:8443/")
    assert not same_origin("https://a.example/", "http://a.example/")
    assert not same_origin("https://a.example/", "https://b.example/")
    assert not same_origin("nonsense", "nonsense")
