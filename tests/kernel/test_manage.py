"""The functions of `oc`: clients and connections, tables, what is forgotten when they change."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from fake_broker import MARKER, FakeBroker

import jupyter_oauthconn as oc
from jupyter_oauthconn.kernel import current, display, views
from jupyter_oauthconn.model import AuthMethod, ConnectionDraft


def test_the_table_shows_name_status_and_account(broker: FakeBroker) -> None:
    table = oc.connections()
    assert repr(table).splitlines() == [
        "Name   Status             Connected as",
        "sales  Authenticated      you@example.com",
        "fresh  Not authenticated",
    ]
    assert "UTC" not in repr(table)
    assert "UTC" in repr(oc.connections(long=True))
    assert [one.name for one in table] == ["sales", "fresh"]
    assert table[0].name == "sales"


def test_html_is_escaped_and_has_heads(broker: FakeBroker) -> None:
    broker.sign_in("sales", "<script>alert(1)</script>")
    html = oc.connections()._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert '<th scope="col">Name</th>' in html
    assert '<th scope="row">Name</th><td>sales</td>' in oc.status("sales")._repr_html_()


def test_an_empty_table_says_what_to_do() -> None:
    with oc.use(FakeBroker()):
        assert "%connect add" in repr(oc.connections())
        assert "%oauthclient register" in repr(oc.clients())


def test_a_shared_connection_that_ones_own_hides(broker: FakeBroker) -> None:
    own = broker.connection("sales")
    theirs = replace(own, mine=False, owner="ada")
    table = repr(views.connections([own, theirs]))
    assert "sales (shared by ada, hidden by yours)" in table
    assert "sales (shared by ada)" in repr(views.connections([theirs]))
    assert views.status(theirs)["Shared by"] == "ada"


def test_add_splits_parameters_from_fields(broker: FakeBroker) -> None:
    conn = oc.add("more", client="app", role="reader", scope=["a", "b"], share_with=["user:eve"])
    assert conn.name == "more"
    record = broker.connection("more")
    assert record.parameters == {"role": "reader"}
    assert record.scope == "a b"
    assert record.shared_users == ("eve",)


def test_add_makes_client_and_connection_in_one_step(broker: FakeBroker) -> None:
    oc.add("one", provider="acme", client_id="id-9", host="acme.example", role="reader")
    assert broker.client("one").client_id == "id-9"
    assert broker.client("one").parameters == {"host": "acme.example"}
    assert broker.connection("one").parameters == {"role": "reader"}


def test_one_step_is_both_or_none(broker: FakeBroker) -> None:
    with pytest.raises(oc.errors.ConflictError):
        oc.add("sales", provider="acme", client_id="id-9")
    with pytest.raises(oc.errors.UnknownClientError):
        broker.client("sales")


def test_add_without_a_client_says_what_to_give(broker: FakeBroker) -> None:
    with pytest.raises(oc.errors.InvalidParameterError) as caught:
        oc.add("one")
    assert "--provider KEY --client-id ID" in caught.value.hint


def test_a_verb_cannot_name_a_connection(broker: FakeBroker) -> None:
    with pytest.raises(oc.errors.InvalidNameError):
        oc.add("status", provider="acme", client_id="x")
    assert [one.name for one in broker.clients()] == ["app"]


def test_a_client_or_what_makes_a_new_one(broker: FakeBroker) -> None:
    for given in ({"provider": "acme"}, {"client_id": "zz"}, {"issuer": "https://i.example"}):
        with pytest.raises(oc.errors.InvalidParameterError, match="what makes a new one"):
            oc.add("one", "app", **given)
    oc.add("two", provider="acme", client_id="i", auth_method="none", loopback_port="any")
    made = broker.client("two")
    assert (made.auth_method, made.loopback_port) == (AuthMethod.NONE, "any")


def test_an_address_is_missed_before_the_secret_is_asked_for(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(display, "can_ask", lambda: True)
    monkeypatch.setattr("getpass.getpass", lambda text: (asked.append(text), "typed")[1])
    with pytest.raises(oc.errors.InvalidParameterError, match="no address of its own"):
        oc.register_client("a", provider="anywhere", client_id="i", secret_from="prompt")
    assert asked == []
    for number, given in enumerate(
        ({"issuer": "https://i.example"}, {"endpoints": {"authorization": "https://a.example"}})
    ):
        oc.register_client(
            f"a{number}", provider="anywhere", client_id="i", secret_from="prompt", **given
        )
    assert len(asked) == 2


def test_a_client_shows_who_may_use_it_and_where_it_is(broker: FakeBroker) -> None:
    shown = oc.register_client(
        "a",
        provider="acme",
        client_id="i",
        issuer="https://i.example",
        endpoints={"token": "https://t.example"},
        loopback_port="any",
        redirect_uris=["http://[::1]:1/a", "http://localhost:2/a", "https://hub.example/a"],
    )
    assert (shown["Issuer"], shown["Endpoints"]) == ("https://i.example", "token=https://t.example")
    assert shown["May use it"] == "administrators only"
    assert shown["Redirect URIs"].split("  ") == [
        "http://[::1]/a (any port)", "http://localhost/a (any port)", "https://hub.example/a",
    ]  # fmt: skip
    shown = oc.register_client(
        "b", provider="acme", client_id="i", allowed_users=["ada"], allowed_groups=["staff"]
    )
    assert shown["May use it"] == "ada, group staff, administrators"


def test_the_table_of_clients(broker: FakeBroker) -> None:
    oc.register_client("open", provider="acme", client_id="i", allowed_users=["*"])
    lines = repr(oc.clients()).splitlines()
    assert lines[0].split("  ")[0] == "Name"
    assert "May use it" in lines[0]
    assert "administrators only" in lines[1]
    assert "everyone" in lines[2]
    assert "no secret" in lines[2]


def test_a_second_secret_and_its_end(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("A_SECRET", "s1")
    monkeypatch.chdir(tmp_path)
    Path("second").write_text("s2")
    oc.register_client("a", provider="acme", client_id="i", secret_from="env:A_SECRET")
    assert "not known" in repr(oc.clients())
    shown = oc.edit_client("a", secret_from="file:second", secret_ends="2127-01-31")
    new, old = broker.client("a").secrets
    # an export from another folder still finds it
    assert (new.reference, old.reference) == (f"file:{tmp_path / 'second'}", "env:A_SECRET")
    assert f"ends 2127-01-31, from file:{tmp_path / 'second'}; set " in shown["Secrets"]
    assert "2127-01-31" in repr(oc.clients())
    assert broker.secrets["a"].reveal() == "s2"
    for wrong in (
        {"secret_ends": "2127-01-31"},
        {"secret_from": "file:second", "secret_ends": "x"},
    ):
        with pytest.raises(oc.errors.InvalidParameterError):
            oc.edit_client("a", **wrong)
    assert len(broker.client("a").secrets) == 2


def test_an_edit_says_who_signs_in_again(broker: FakeBroker) -> None:
    whose = "1 connection (sales of you) with 1 sign-in"
    assert oc.edit_client("app", dry_run=True, client_id="j")["Sign in again"] == whose
    assert oc.edit_client("app", dry_run=True, title="x")["Sign in again"] == "nobody"
    assert (broker.client("app").client_id, broker.client("app").title) == ("id-1", "app")
    assert "Sign in again" not in oc.edit_client("app", title="x")
    broker.calls.clear()
    assert oc.edit_client("app", client_id="j")["Sign in again"] == whose
    assert broker.client("app").client_id == "j"


def test_what_hangs_on_a_client(broker: FakeBroker) -> None:
    use = oc.client_use("app")
    assert [(one.connection, one.sign_ins) for one in use] == [("sales", 1), ("fresh", 0)]
    assert "sales       you    1" in repr(use)
    oc.register_client("b", provider="acme", client_id="i")
    assert repr(oc.client_use("b")) == "No connection uses it."
    with pytest.raises(oc.errors.InUseError):
        oc.remove_client("app")
    oc.remove_client("app", force=True)
    assert list(broker.connections()) == []


def test_a_request_for_a_client(broker: FakeBroker) -> None:
    assert oc.client_request("acme").startswith("To: ")
    with pytest.raises(oc.errors.UnknownProviderError):
        oc.client_request("acne")


def test_sharing_is_given_changed_and_taken_away(broker: FakeBroker) -> None:
    def shared() -> tuple[object, object]:
        one = broker.connection("sales")
        return one.shared_users, one.shared_groups

    oc.edit("sales", share_with=["user:eve", "group:staff"])
    oc.edit("sales", role="x")
    assert shared() == (("eve",), ("staff",))
    assert oc.edit("sales", share_with=["user:*"])["Shared with"] == "everyone"
    assert shared() == (("*",), ())
    assert "Shared with" not in oc.edit("sales", share_with=[])
    assert shared() == ((), ())
    for wrong in ("eve", "group:*", "user:", "role:x"):
        with pytest.raises(oc.errors.InvalidParameterError, match="nobody to share with"):
            oc.edit("sales", share_with=[wrong])


def test_two_accounts_are_two_connections(broker: FakeBroker) -> None:
    oc.add("guests", client="app", login_hint="guest@example.com")
    assert broker.connection("guests").login_hint == "guest@example.com"
    shown = oc.edit("guests", login_hint="other@example.com")
    assert shown["Meant for"] == "other@example.com"
    assert shown["New sign-in"] == "needed"
    assert "New sign-in" not in oc.status("guests")  # its status says that already


def test_use_says_who_keeps_the_tokens(tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        used = oc.use(oc.Settings(home=str(tmp_path)))
        stack.enter_context(used)
        assert repr(used) == f"<tokens are kept by this process, in {tmp_path}>"
        used = oc.use(oc.Settings(database_url="postgresql://me:hunter2@db.example/x"))
        stack.enter_context(used)
        assert "in the database" in repr(used)
        assert "hunter2" not in repr(used)
        used = oc.use(FakeBroker())
        stack.enter_context(used)
        assert repr(used) == "<tokens are kept by the given FakeBroker>"


def test_edit_merges_parameters(broker: FakeBroker) -> None:
    oc.edit("sales", role="reader", warehouse="wh")
    oc.edit("sales", role="writer", warehouse=None, scope="a")
    record = broker.connection("sales")
    assert (record.parameters, record.scope) == ({"role": "writer"}, "a")


@pytest.mark.parametrize(
    "change",
    [
        lambda: oc.edit("sales", role="x"),
        lambda: oc.revoke("sales"),
        lambda: oc.remove("sales"),
        lambda: oc.edit_client("app", scope="x"),
        lambda: oc.ensure("sales", "1h"),
    ],
)
def test_a_change_forgets_the_kept_token(broker: FakeBroker, change: object) -> None:
    oc.connect("sales")
    change()  # type: ignore[operator]
    assert current.place().tokens.fresh("sales") is None


def test_register_reads_the_secret_from_its_place(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ACME_SECRET", "s-env")
    file = tmp_path / "secret"
    file.write_text("s-file\n")
    shown = oc.register_client("a", provider="acme", client_id="i", secret_from="env:ACME_SECRET")
    oc.register_client("b", provider="acme", client_id="i", secret_from=f"file:{file}")
    assert broker.secrets["a"].reveal() == "s-env"
    assert broker.secrets["b"].reveal() == "s-file"
    assert "callback/a" in shown["Redirect URIs"]
    assert "s-env" not in repr(shown) + shown._repr_html_()


@pytest.mark.parametrize("reference", ["hunter2", "env:", "env:NOT_SET_ANYWHERE", "file:/no/such"])
def test_a_reference_without_a_secret(broker: FakeBroker, reference: str) -> None:
    with pytest.raises(oc.errors.InvalidParameterError) as caught:
        oc.register_client("a", provider="acme", client_id="i", secret_from=reference)
    assert "hunter2" not in str(caught.value)
    assert "env:NAME, file:PATH or keyring:SERVICE/NAME" in caught.value.hint
    with pytest.raises(oc.errors.UnknownClientError):
        broker.client("a")


def test_register_asks_for_the_secret(broker: FakeBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(oc.errors.InvalidParameterError, match="nobody can answer"):
        oc.register_client("a", provider="acme", client_id="i", secret_from="prompt")
    monkeypatch.setattr(display, "can_ask", lambda: True)
    monkeypatch.setattr("getpass.getpass", lambda _: "typed")
    oc.register_client("a", provider="acme", client_id="i", secret_from="prompt")
    assert broker.secrets["a"].reveal() == "typed"


def test_fields_of_a_client_are_read(broker: FakeBroker) -> None:
    oc.register_client(
        "a",
        provider="acme",
        client_id="i",
        auth_method="none",
        access_token_lifetime="10m",
        redirect_uris="http://localhost:1/cb",
        endpoints={"token": "https://t.example"},
    )
    made = broker.client("a")
    assert made.auth_method is AuthMethod.NONE
    assert made.access_token_lifetime == timedelta(minutes=10)
    assert made.redirect_uris == ("http://localhost:1/cb",)
    assert made.endpoints.token == "https://t.example"
    oc.edit_client("a", endpoints={"authorization": "https://a.example"}, parameters={"host": "h"})
    changed = broker.client("a")
    assert (changed.endpoints.token, changed.endpoints.authorization) == (
        "https://t.example",
        "https://a.example",
    )
    assert changed.parameters == {"host": "h"}
    oc.edit_client("a", parameters={"host": None})
    assert broker.client("a").parameters == {}


def test_an_unknown_field_is_named(broker: FakeBroker) -> None:
    with pytest.raises(oc.errors.InvalidParameterError, match="'scop'") as caught:
        oc.register_client("a", provider="acme", client_id="i", scop="x")
    assert caught.value.hint == "Did you mean scope?"
    with pytest.raises(oc.errors.InvalidParameterError, match="'client_secret'"):
        oc.register_client("a", provider="acme", client_id="i", client_secret="hunter2")


def test_ensure_test_doctor_events(broker: FakeBroker) -> None:
    assert oc.ensure("sales", "6h")["Lasts"] == "yes"
    assert oc.ensure("sales", timedelta(hours=9))["Lasts"] == "no"
    assert oc.ensure("sales", timedelta(days=31))["Lasts"] == "not known"
    assert oc.test("sales")[0].detail == "answered"
    assert "mend" in repr(oc.doctor())
    assert "token issued" in repr(oc.events())
    assert oc.revoke("sales")["At the provider"] == "revoked"
    for wrong in ("soon", "-1h", "0", "inf", "nan"):
        with pytest.raises(oc.errors.InvalidParameterError, match="not a duration"):
            oc.ensure("sales", wrong)


def test_names_are_remembered_for_tab(broker: FakeBroker) -> None:
    names = current.place().names
    assert not names.connections
    oc.connect("sales")
    assert names.connections == {"sales"}
    broker.add_connection(ConnectionDraft(name="third", client="app"))
    oc.connections(), oc.clients(), oc.providers()
    assert names.connections == {"sales", "fresh", "third"}
    assert (names.clients, names.providers) == ({"app"}, {"acme", "secretless", "anywhere"})


def test_no_table_holds_a_token(broker: FakeBroker) -> None:
    oc.connect("sales")
    shown = [oc.connections(long=True), oc.clients(), oc.providers(), oc.status("sales")]
    assert MARKER not in "".join(repr(one) + one._repr_html_() for one in shown)
