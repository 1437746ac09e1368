"""Every address × every way to prove who one is. What must come out stands here, as people read it
in the interface's table, and is not taken from the table that the code reads."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from urllib.parse import urlencode
from uuid import UUID

import pytest
from two_users import GROUP, MOUNT, Person, TwoUserPerson, TwoUsers, two_users

import jupyter_oauthconn as oc
from jupyter_oauthconn.demo import PracticeServer
from jupyter_oauthconn.errors import OAuthConnError
from jupyter_oauthconn.model import AuthMethod, ClientDraft, ConnectionDraft, NewTokens, Secret
from jupyter_oauthconn.web import handlers
from jupyter_oauthconn.web.administration.pages import PAGES as ADMIN_PAGES
from jupyter_oauthconn.web.routes import ROUTES

ANYONE, EVERYBODY, KERNEL, ADMINISTRATOR = "anyone", "everybody", "kernel", "administrator"
#: those that an OAuth client's access list names; it is hidden from others
LISTED = "listed"

#: who may call, and what is answered where nobody has signed in for the connection
ALLOWED = {
    "GET api/v1/health": (ANYONE, 200),
    "GET api/v1/openapi.json": (EVERYBODY, 200),
    "GET api/v1/me": (EVERYBODY, 200),
    "GET api/v1/providers": (EVERYBODY, 200),
    "GET api/v1/providers/{key}": (EVERYBODY, 200),
    "GET api/v1/providers/{key}/request": (EVERYBODY, 200),
    "GET api/v1/grants": (EVERYBODY, 200),
    "DELETE api/v1/grants/{id}": (ADMINISTRATOR, 200),
    "GET api/v1/settings": (ADMINISTRATOR, 200),
    "PATCH api/v1/settings": (ADMINISTRATOR, 200),
    "GET api/v1/keys": (ADMINISTRATOR, 200),
    "GET api/v1/events": (EVERYBODY, 200),
    "GET api/v1/doctor": (EVERYBODY, 200),
    "GET api/v1/clients": (EVERYBODY, 200),
    "POST api/v1/clients": (ADMINISTRATOR, 201),
    "GET api/v1/clients/{name}": (LISTED, 200),
    "PATCH api/v1/clients/{name}": (LISTED, 200),
    "DELETE api/v1/clients/{name}": (LISTED, 204),
    "GET api/v1/clients/{name}/use": (ADMINISTRATOR, 200),
    "POST api/v1/clients/{name}/preview": (LISTED, 200),
    "POST api/v1/clients/{name}/test": (LISTED, 200),
    "POST api/v1/clients/{name}/secrets": (LISTED, 201),
    "DELETE api/v1/clients/{name}/secrets/{id}": (LISTED, 200),
    "GET api/v1/connections": (EVERYBODY, 200),
    "POST api/v1/connections": (EVERYBODY, 201),
    "GET api/v1/connections/{name}": (EVERYBODY, 200),
    "PATCH api/v1/connections/{name}": (EVERYBODY, 200),
    "DELETE api/v1/connections/{name}": (EVERYBODY, 204),
    "POST api/v1/connections/{name}/test": (EVERYBODY, 200),
    "POST api/v1/connections/{name}/ensure": (EVERYBODY, 409),
    "DELETE api/v1/connections/{name}/grant": (EVERYBODY, 200),
    "POST api/v1/connections/{name}/authorizations": (EVERYBODY, 201),
    "POST api/v1/connections/{name}/token": (KERNEL, 409),
    "GET api/v1/authorizations/{id}": (EVERYBODY, 200),
    "DELETE api/v1/authorizations/{id}": (EVERYBODY, 204),
    "POST api/v1/authorizations/{id}/confirm": (KERNEL, 200),
}
#: of requests that need one; `new` is replaced by a name that is free
BODIES = {
    "POST api/v1/clients": {
        "name": "new", "provider": "practice", "client_id": "x", "issuer": "http://127.0.0.1:8000",
    },
    "PATCH api/v1/clients/{name}": {"title": "Renamed"},
    "POST api/v1/clients/{name}/preview": {"client_id": "other"},
    "POST api/v1/clients/{name}/secrets": {"client_secret": "another"},
    "PATCH api/v1/settings": {"settings": {"refresh_margin": "300"}},
    "POST api/v1/connections": {"name": "new", "client": "practice"},
    "PATCH api/v1/connections/{name}": {"scope": "sales.read"},
    "POST api/v1/connections/{name}/ensure": {"for_seconds": 60},
}  # fmt: skip
PAGES = ("GET connect/{name}", "POST connect/{name}", "GET callback/{client}", "GET refused")


@pytest.fixture(scope="module")
def users(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoUsers]:
    home = tmp_path_factory.mktemp("who") / "home"
    with PracticeServer() as server, two_users(home, server) as running:
        yield running


@dataclass(frozen=True, kw_only=True)
class Way:
    """One way to come: as whom the service must take it."""

    headers: Callable[[TwoUsers], dict[str, str]]
    query: Callable[[TwoUsers], dict[str, str]] = lambda users: {}
    proves: str = ""


def both(one: dict[str, str], other: dict[str, str]) -> dict[str, str]:
    return {**one, **other}


WAYS = {
    "nothing": Way(headers=lambda users: {}),
    "wrong kernel credential": Way(headers=lambda users: {"Authorization": "Bearer wrong"}),
    "wrong server token": Way(headers=lambda users: {"Authorization": "token wrong"}),
    "another scheme": Way(
        headers=lambda users: {"Authorization": f"Basic {users.admin.kernel_credential}"}
    ),
    "cookie, no XSRF": Way(headers=lambda users: users.admin.cookies, proves="session"),
    "cookie, XSRF of the other": Way(
        headers=lambda users: both(users.admin.cookies, {"X-XSRFToken": users.other.xsrf}),
        proves="session",
    ),
    "cookie with XSRF": Way(headers=lambda users: users.admin.browser, proves="browser"),
    "?token= of the server": Way(
        headers=lambda users: users.admin.browser,
        query=lambda users: {"token": users.admin.server_token},
        proves="address",
    ),
    "?token= of the kernel": Way(
        headers=lambda users: users.admin.kernel,
        query=lambda users: {"token": users.admin.kernel_credential},
        proves="address",
    ),
    "server token": Way(headers=lambda users: users.admin.program, proves="program"),
    "kernel credential": Way(headers=lambda users: users.admin.kernel, proves="kernel"),
    "kernel credential as cookie": Way(
        headers=lambda users: {"Cookie": f"session={users.admin.kernel_credential}"}
    ),
    "the other's kernel credential": Way(
        headers=lambda users: users.other.kernel, proves="other kernel"
    ),
    "the other's server token": Way(
        headers=lambda users: users.other.program, proves="other program"
    ),
    "the other's cookie with XSRF": Way(
        headers=lambda users: users.other.browser, proves="other browser"
    ),
}
NOT_SIGNED_IN = (401, "not_signed_in")
NOT_ALLOWED = (403, "not_allowed")
KERNELS_ONLY = (403, "kernel_credential_required")


def expected(route: str, way: str) -> tuple[int, str | None]:
    """The status, and the code of a refusal."""
    who, status = ALLOWED[route]
    proves, path = WAYS[way].proves, route.partition(" ")[2]
    if proves == "address":
        return NOT_SIGNED_IN
    if who == ANYONE:
        return status, None
    if not proves:
        shows = way in {"wrong server token", "another scheme", "kernel credential as cookie"}
        return KERNELS_ONLY if path.endswith("/token") and shows else NOT_SIGNED_IN
    if who == KERNEL and proves not in {"kernel", "other kernel"}:
        return KERNELS_ONLY
    if proves == "session" and not route.startswith("GET "):
        return NOT_ALLOWED
    if proves.startswith("other"):
        return refused_to_the_other(who, path) or (status, None)
    if proves in {"kernel", "program"} and is_administration(route, who):
        # on a Hub a notebook of an administrator's does not administrate
        return NOT_ALLOWED
    return status, None


def is_administration(route: str, who: object) -> bool:
    """What an administrator does on a page of the service only; her own sign-ins are her own."""
    if who == LISTED:
        return not route.startswith("GET ")
    return who == ADMINISTRATOR and route != "DELETE api/v1/grants/{id}"


def refused_to_the_other(who: str, path: str) -> tuple[int, str] | None:
    """What the administrator's things are to her; None: what it is to everybody."""
    if who == ADMINISTRATOR:
        return NOT_ALLOWED
    # never 403: that would tell that there is something
    if who == LISTED:
        return 404, "unknown_client"
    if "connections/{name}" in path:
        return 404, "unknown_connection"
    if "authorizations/{id}" in path:
        return 404, "unknown_authorization"
    return None


_numbers = count()


@dataclass
class Place:
    """Where a request goes, with things of the administrator that are there for it alone."""

    users: TwoUsers
    path: str
    new: str

    def remove(self) -> None:
        broker = self.users.admin.broker
        for person in self.users.host.people:
            for name in (self.new, f"{self.new}-there"):
                try:
                    person.broker.remove_connection(name)
                except OAuthConnError:
                    continue
        for name in (self.new, f"{self.new}-there"):
            try:
                broker.remove_client(name)
            except OAuthConnError:
                continue


@pytest.fixture
def place(users: TwoUsers, request: pytest.FixtureRequest) -> Iterator[Place]:
    path = request.getfixturevalue("route").partition(" ")[2]
    new = f"new{next(_numbers)}"
    filled = Place(users, _filled(users, path, f"{new}-there"), new)
    yield filled
    filled.remove()


def _filled(users: TwoUsers, path: str, name: str) -> str:
    broker = users.admin.broker
    if path.startswith("api/v1/clients/"):
        client = broker.add_client(_private(users, name))
        path = path.replace("{id}", str(client.secrets[0].id))
    elif path.startswith("api/v1/grants/"):
        path = path.replace("{id}", str(_grant(users, name)))
    elif "{name}" in path or "{id}" in path:
        broker.add_connection(ConnectionDraft(name=name, client="practice"))
    if "{id}" in path:
        path = path.replace("{id}", str(broker.authorize(name).id))
    return path.replace("{name}", name).replace("{key}", "practice").replace("{client}", "practice")


def _private(users: TwoUsers, name: str) -> ClientDraft:
    """A client whose access list names nobody."""
    return ClientDraft(
        name=name,
        provider="practice",
        client_id="x",
        issuer=users.admin.broker.client("practice").issuer,
        client_secret=Secret("one"),
        auth_method=AuthMethod.CLIENT_SECRET_BASIC,
    )


def _grant(users: TwoUsers, name: str) -> UUID:
    """Of the administrator, for a connection of that name; nobody has signed in for it."""
    connection = users.admin.broker.add_connection(ConnectionDraft(name=name, client="practice"))
    store = users.host.service.store
    tokens = NewTokens(
        access_token=Secret("at"), refresh_token=None, token_type="Bearer",
        issued_at=store.now(), expires_at=None, refresh_at=None, refresh_expires_at=None, scope="",
    )  # fmt: skip
    owner = users.admin.owner.id
    return store.grants.put(
        owner, connection.id, tokens, requested_scope="", identity=None, subject=None
    ).id


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("route", ALLOWED)
def test_sec_30_who_may_call(users: TwoUsers, place: Place, route: str, way: str) -> None:
    comes = WAYS[way]
    query = urlencode(comes.query(users))
    body = BODIES.get(route)
    if body is not None and "name" in body:
        body = {**body, "name": place.new}
    method, path = route.partition(" ")[0], f"{place.path}?{query}" if query else place.path
    answer = users.ask(method, path, comes.headers(users), body)
    status, code = expected(route, way)
    assert (answer.status, answer.json()["code"] if code else None) == (status, code), answer.body


@pytest.mark.parametrize(
    ("route", "status"),
    [
        ("GET api/v1/clients/{name}", 200),
        ("PATCH api/v1/clients/{name}", 403),
        ("DELETE api/v1/clients/{name}", 403),
        ("GET api/v1/clients/{name}/use", 403),
        ("POST api/v1/clients/{name}/preview", 403),
        ("POST api/v1/clients/{name}/test", 403),
        ("POST api/v1/clients/{name}/secrets", 403),
        ("DELETE api/v1/clients/{name}/secrets/{id}", 403),
    ],
)
def test_sec_30_who_is_on_the_list_may_look_and_not_change(
    users: TwoUsers, place: Place, route: str, status: int
) -> None:
    name = f"{place.new}-there"
    users.admin.broker.edit_client(name, {"allowed_groups": (GROUP,)})
    version = users.admin.broker.client(name).version
    for headers in (users.other.kernel, users.other.program, users.other.browser):
        answer = users.ask(route.partition(" ")[0], place.path, headers, BODIES.get(route))
        assert answer.status == status
        if status == 403:
            assert answer.json()["code"] == "not_allowed"
        else:
            assert answer.json()["name"] == name
    client = users.admin.broker.client(name)
    assert (client.version, len(client.secrets)) == (version, 1)


def test_the_tables_are_whole() -> None:
    assert {f"{one.method} {one.path}" for one in ROUTES} == set(ALLOWED)


def test_every_address_stands_in_a_table(users: TwoUsers) -> None:
    paths = {one.partition(" ")[2] for one in (*ALLOWED, *PAGES)}
    filled = [re.sub(r"\{\w+\}", "x", path) for path in paths]
    for pattern, handler, _ in handlers(users.host, TwoUserPerson):
        if pattern.startswith(f"{re.escape(MOUNT)}admin"):
            continue  # the administration's table is in test_administration
        known = [one for one in filled if re.fullmatch(pattern, MOUNT + one)]
        of_administrators = pattern in ADMINISTRATION or pattern == ADMIN_SCRIPT
        other = re.fullmatch(pattern, f"{MOUNT}api/v2/other")
        assert known or of_administrators or other, (pattern, handler)


#: below it everything is for administrators in a browser, but for the script, which says nothing
ADMIN_SCRIPT = re.escape(f"{MOUNT}admin/") + r"script\.js"
ADMINISTRATION = {re.escape(f"{MOUNT}admin") + one.path for one in ADMIN_PAGES} | {
    re.escape(f"{MOUNT}admin") + "/.*"
}


#: what a page must answer to each way; 302 leads to the host's login, 303 on to the provider or
#: to a page that tells
PAGE_ANSWERS = {
    #                      nothing, session, browser, address, program, kernel, other browser
    "GET connect/{name}": (302, 200, 200, 401, 403, 403, 404),
    "POST connect/{name}": (403, 403, 303, 401, 403, 403, 404),
    "GET callback/{client}": (303, 303, 303, 303, 303, 303, 303),
    "GET refused": (409, 409, 409, 401, 409, 409, 409),
}
PAGE_WAYS = ("", "session", "browser", "address", "program", "kernel", "other browser")


#: as what one comes to the administration, and what a page must answer: to be looked at, and to a
#: button that it does not have
ADMINISTRATION_ANSWERS = {
    "": (302, 401),
    "session": (200, 403),
    "browser": (200, 400),
    "address": (401, 401),
    "program": (403, 403),
    "kernel": (403, 403),
    "other browser": (403, 403),
    "other program": (403, 403),
    "other kernel": (403, 403),
}


@pytest.mark.parametrize("way", WAYS)
def test_sec_30_who_may_open_the_administration(users: TwoUsers, way: str) -> None:
    headers, query = WAYS[way].headers(users), urlencode(WAYS[way].query(users))
    to_look, to_press = ADMINISTRATION_ANSWERS[WAYS[way].proves]
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    for pattern in sorted(ADMINISTRATION):
        path = f"{_page(pattern)}?{query}"
        looked = users.ask("GET", path, headers).status
        pressed = users.ask("POST", path, {**headers, **form}, b"do=nothing").status
        if to_look == 200:
            # she is also told that there is no such page or thing
            assert looked in {200, 400, 404}, path
            assert pressed in {to_press, 404}, path
        else:
            # Tornado's own check of the XSRF token may come before the question who asks
            assert (looked, pressed) in {(to_look, to_press), (to_look, 403)}, path


def _page(pattern: str) -> str:
    """An address that the pattern of an administration page fits, below the mount."""
    address = re.sub(r"\(\?P<id>[^)]*\)", str(UUID(int=0)), pattern)
    address = re.sub(r"\(\?P<\w+>[^)]*\)|\.\*", "practice", address)
    found = address.replace("/?", "/").replace("\\", "")
    assert re.fullmatch(pattern, found), pattern
    return found.removeprefix(MOUNT)


@pytest.mark.parametrize(
    "way",
    [one for one in WAYS if WAYS[one].proves in PAGE_WAYS and one != "?token= of the kernel"],
)
@pytest.mark.parametrize("route", PAGES)
def test_sec_05_who_may_open_a_page(users: TwoUsers, place: Place, route: str, way: str) -> None:
    comes = WAYS[way]
    method = route.partition(" ")[0]
    headers, form = comes.headers(users), None
    if method == "POST":
        xsrf = headers.pop("X-XSRFToken", "")
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        form = urlencode({"do": "authenticate", "_xsrf": xsrf}).encode()
    query = urlencode(comes.query(users))
    answer = users.ask(method, f"{place.path}?{query}", headers, form)
    status = PAGE_ANSWERS[route][PAGE_WAYS.index(comes.proves)]
    assert answer.status == status, answer.body
    where = answer.headers.get("Location", "")
    assert (where.startswith("/login") and "?next=/" in where) == (status == 302)
    for secret in (users.admin.server_token, users.admin.kernel_credential):
        assert secret not in where
        assert secret.encode() not in answer.body


def test_the_other_person_is_not_the_administrator(users: TwoUsers) -> None:
    def me(person: Person) -> object:
        return users.ask("GET", "api/v1/me", person.browser).json()

    same = {"where": "hub", "wire_version": 1, "version": oc.__version__}
    assert me(users.admin) == {"owner": "admin", "admin": True, **same}
    assert me(users.other) == {"owner": "other", "admin": False, **same}
