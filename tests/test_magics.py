"""`%connect` and `%oauthclient` in a real InteractiveShell."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import ExecutionResult, InteractiveShell
from IPython.core.oinspect import getdoc
from traitlets.config import Config

import jupyter_oauthconn as oc
from jupyter_oauthconn.magics import clients, completion, connections

sys.path.insert(0, str(Path(__file__).parent / "kernel"))

from fake_broker import FakeBroker


class Cells:
    """Runs lines as cells; a failed one gives its error's class, sentence and hint."""

    def __init__(self, shell: InteractiveShell) -> None:
        self.shell = shell

    def run(self, line: str) -> Any:
        done = self.raw(line)
        assert done.success, done.error_in_exec
        return done.result

    def raw(self, line: str) -> ExecutionResult:
        return self.shell.run_cell(line, store_history=True)

    def fail(self, line: str) -> oc.errors.OAuthConnError:
        error = self.raw(line).error_in_exec
        assert isinstance(error, oc.errors.OAuthConnError), error
        assert error.hint
        return error

    def tab(self, line: str) -> list[str]:
        with provisionalcompleter():
            return [one.text for one in self.shell.Completer.completions(line, len(line))]


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InteractiveShell]:
    patch = pytest.MonkeyPatch()
    patch.setenv("IPYTHONDIR", str(tmp_path_factory.mktemp("ipython")))
    config = Config()
    config.HistoryManager.enabled = False
    config.Completer.use_jedi = False  # ten seconds of start-up, and no part of ours
    made = InteractiveShell.instance(config=config)
    yield made
    InteractiveShell.clear_instance()
    patch.undo()


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeBroker]:
    monkeypatch.delenv("JUPYTER_OAUTHCONN_INTERACTION", raising=False)
    made = FakeBroker("sales", "fresh")
    made.sign_in("sales")
    with oc.use(made):
        yield made


@pytest.fixture
def cells(shell: InteractiveShell, broker: FakeBroker) -> Iterator[Cells]:
    shell.reset()
    shell.extension_manager.load_extension("jupyter_oauthconn")
    yield Cells(shell)
    shell.extension_manager.unload_extension("jupyter_oauthconn")


def test_the_table(cells: Cells) -> None:
    assert "sales  Authenticated" in repr(cells.run("%connect"))
    assert "UTC" in repr(cells.run("%connect --long"))


def test_a_name_binds(cells: Cells) -> None:
    assert cells.run("%connect sales") == oc.connect("sales")
    cells.run("%connect sales as conn")
    assert cells.shell.user_ns["conn"] == oc.connect("sales")
    cells.run("%connect sales as web --handle httpx")
    assert isinstance(cells.shell.user_ns["web"], httpx2.Client)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("%connect sales as", "followed by `as VAR`"),
        ("%connect sales as 1x", "cannot name a variable"),
        ("%connect sales as class", "cannot name a variable"),
        ("%connect sales conn", "followed by `as VAR`"),
        ("%connect sales --handle warp", "no handle 'warp'"),
        ("%connect salse", "no connection named 'salse'"),
        ("%connect login sales", "no verb 'login'"),
        ("%connect add", "needs the connection's name"),
        ("%connect add x", "needs an OAuth client"),
        ("%connect add x --client app --provider acme --client-id zz", "what makes a new one"),
        ("%connect add x --client app --public", "what makes a new one"),
        ("%connect add x --client app --secret-env A", "what makes a new one"),
        ("%connect add x --provider acme --client-id y --public --secret-env A", "no secret"),
        ("%connect add x --provider anywhere --client-id y", "no address of its own"),
        ("%oauthclient register x --provider anywhere --client-id y", "no address of its own"),
        ("%connect add x --set nonsense --client app", "key=value"),
        ("%connect auth sales --flow teleport", "no flow 'teleport'"),
        ("%connect auth sales --wrong", "unknown option --wrong"),
        ("%connect test", "the following arguments are required: NAME"),
        ("%connect test a b", "more words than expected"),
        ("%connect ensure sales --for soon", "not a duration"),
        ("%connect check", "cannot tell yet"),
        ("%connect edit sales --unshare --share-with user:a", "shared and unshared at once"),
        ("%connect edit sales --share-with group:*", "names nobody to share with"),
        ("%oauthclient edit app --ends 2127-01-31", "given with the secret"),
        ("%oauthclient edit app --secret-env A --secret-keyring a/b", "one place"),
        ("%oauthclient request", "the following arguments are required: PROVIDER"),
        ("%connect status 'sales", "no closing quotation"),
        ("%oauthclient register", "needs a name, the provider and the client id"),
        ("%oauthclient register x --provider nowhere --client-id y", "no provider named 'nowhere'"),
        ("%oauthclient frobnicate", "no verb 'frobnicate'"),
        ("%oauthclient import /no/such/file.toml", "cannot be read"),
        ("%oauthclient edit app --secret-env A --secret-file B", "one place"),
        ("%oauthclient edit app --auth-method magic", "'magic'"),
        ("%oauthclient register x --provider acme --client-id y", "nobody can answer"),
    ],
)
def test_what_makes_no_sense_is_a_sentence_with_a_hint(
    cells: Cells, line: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    error = cells.fail(line)
    assert sentence in error.message
    shown = capsys.readouterr().out
    assert error.message in shown
    assert error.hint in shown
    assert "Traceback" not in shown
    assert "jupyter_oauthconn/" not in shown


@pytest.mark.parametrize("option", ["--secret", "--client-secret=hunter2"])
def test_a_secret_is_no_argument_and_not_repeated(cells: Cells, option: str) -> None:
    error = cells.fail(
        f"%oauthclient register x --provider acme --client-id y --public {option} hunter2"
    )
    assert "never an argument" in error.message
    assert "--secret-env VAR" in error.hint
    assert "hunter2" not in error.message + error.hint


def test_calls_of_oc_show_no_traceback_either(
    cells: Cells, capsys: pytest.CaptureFixture[str]
) -> None:
    assert isinstance(cells.raw("import jupyter_oauthconn as oc\noc.connect('salse')")
                      .error_in_exec, oc.errors.UnknownConnectionError)  # fmt: skip
    assert "Traceback" not in capsys.readouterr().out
    cells.raw("1 / 0")
    assert "Traceback" in capsys.readouterr().out


def test_the_verbs_of_connect(cells: Cells, broker: FakeBroker) -> None:
    shown = cells.run(
        '%connect add more --client app --set role="data reader" --scope "a b" '
        "--share-with user:eve --share-with group:staff"
    )
    assert shown["Parameters"] == "role=data reader"
    record = broker.connection("more")
    assert (record.scope, record.shared_users, record.shared_groups) == (
        "a b", ("eve",), ("staff",),
    )  # fmt: skip
    assert cells.run("%connect edit more --set role=x --scope c")["Parameters"] == "role=x"
    assert "Parameters" not in cells.run("%connect edit more --set role=")
    assert broker.connection("more").shared_users == ("eve",)
    shown = cells.run("%connect edit more --share-with user:* --login-hint a@b.example")
    assert (shown["Shared with"], shown["Meant for"]) == ("everyone", "a@b.example")
    assert shown["New sign-in"] == "needed"
    assert "Shared with" not in cells.run("%connect edit more --unshare")
    assert cells.run("%connect auth sales") == oc.connect("sales")
    assert cells.run("%connect status sales")["Status"] == "Authenticated"
    assert "Next step" in repr(cells.run("%connect status"))
    assert "answered" in repr(cells.run("%connect test sales"))
    assert cells.run("%connect ensure sales --for 6h")["Lasts"] == "yes"
    assert "mend" in repr(cells.run("%connect doctor sales"))
    assert cells.run("%connect revoke sales")["Here"] == "forgotten"
    cells.run("%connect rm more")
    assert [one.name for one in broker.connections()] == ["sales", "fresh"]


def test_one_step(cells: Cells, broker: FakeBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONE_SECRET", "s1")
    cells.run("%connect add one --provider acme --client-id i --secret-env ONE_SECRET")
    cells.run(
        "%connect add two --provider acme --client-id i --public --set host=h --issuer https://i.example"
    )
    cells.run("%connect add three --provider secretless --client-id i --loopback-port any "
              "--redirect-uri http://localhost/x --title T --scope s")  # fmt: skip
    three = broker.client("three")
    assert (three.loopback_port, three.redirect_uris, three.title, three.scope) == (
        "any", ("http://localhost/x",), "T", "",
    )  # fmt: skip
    assert broker.connection("three").scope == "s"
    assert broker.client("two").auth_method == "none"
    assert {name: one.reveal() for name, one in broker.secrets.items()} == {"one": "s1"}
    assert broker.client("two").parameters == {"host": "h"}
    assert broker.client("two").issuer == "https://i.example"


def test_register_and_edit(
    cells: Cells, broker: FakeBroker, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setenv("A_SECRET", "s2")
    shown = cells.run(
        "%oauthclient register a --provider acme --client-id i --secret-env A_SECRET "
        "--set host=h --scope 'x y' --token-url https://t.example --access-token-lifetime 600 "
        "--redirect-uri http://localhost:1/a --redirect-uri http://localhost:2/a "
        "--loopback-port any --title 'The A'"
    )
    assert "every program of your user" in capsys.readouterr().out
    assert shown["Redirect URIs"] == "http://localhost/a (any port)"
    made = broker.client("a")
    assert (made.title, made.scope, made.loopback_port) == ("The A", "x y", "any")
    assert made.endpoints.token == "https://t.example"
    monkeypatch.setenv("A_SECRET", "s3")
    shown = cells.run("%oauthclient edit a --client-id k --description 'What it is' --dry-run")
    assert shown["Sign in again"] == "nobody"
    shown = cells.run(
        "%oauthclient edit a --client-id j --authorization-url https://a.example "
        "--secret-env A_SECRET --ends 2127-01-31 --description 'What it is'"
    )
    assert shown["Description"] == "What it is"
    assert "ends 2127-01-31, from env:A_SECRET" in shown["Secrets"]
    made = broker.client("a")
    assert made.client_id == "j"
    assert (made.endpoints.token, made.endpoints.authorization) == (
        "https://t.example", "https://a.example",
    )  # fmt: skip
    assert broker.secrets["a"].reveal() == "s3"


def test_a_public_client_is_not_warned_about(
    cells: Cells, broker: FakeBroker, capsys: pytest.CaptureFixture[str]
) -> None:
    cells.run("%oauthclient register a --provider acme --client-id i --public")
    assert broker.client("a").auth_method == "none"
    assert "every program" not in capsys.readouterr().out


def test_the_other_verbs_of_oauthclient(cells: Cells, broker: FakeBroker) -> None:
    assert "app" in repr(cells.run("%oauthclient"))
    assert "read" in repr(cells.run("%oauthclient test app"))
    assert cells.run("%oauthclient disable app")["Enabled"] == "no"
    assert cells.run("%oauthclient enable app")["Enabled"] == "yes"
    cells.run("%oauthclient rm app --force")
    assert list(broker.clients()) == []


def test_rm_asks_for_the_name_where_somebody_can_answer(
    cells: Cells, broker: FakeBroker, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    error = cells.fail("%oauthclient rm app")
    assert isinstance(error, oc.errors.InUseError)
    assert "(sales of you, fresh of you) with 1 sign-in" in error.message
    assert "--force" in error.hint
    asked: list[str] = []
    answers = iter(["y", "app"])
    monkeypatch.setattr("jupyter_oauthconn.kernel.display.can_ask", lambda: True)
    monkeypatch.setattr(
        "builtins.input", lambda question: (asked.append(question), next(answers))[1]
    )
    capsys.readouterr()
    cells.run("%oauthclient rm app")
    shown = capsys.readouterr().out
    assert "sales       you    1\n" in shown
    assert shown.endswith("app: kept\n")
    assert "Type app to go on" in asked[0]
    assert [one.name for one in broker.clients()] == ["app"]
    cells.run("%oauthclient rm app")
    assert list(broker.clients()) == []


def test_request(cells: Cells, capsys: pytest.CaptureFixture[str]) -> None:
    assert cells.run("%oauthclient request acme") is None
    assert capsys.readouterr().out == "To: an administrator\nProvider: Acme\n"
    assert "no provider named 'acne'" in cells.fail("%oauthclient request acne").message


def test_export_and_import(
    cells: Cells, broker: FakeBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setenv("APP_SECRET", "s4")
    cells.run("%oauthclient edit app --secret-env APP_SECRET")
    capsys.readouterr()
    cells.run("%oauthclient export app")
    text = capsys.readouterr().out
    assert 'secret_reference = "env:APP_SECRET"' in text
    assert "s4" not in text
    file = tmp_path / "my clients.toml"
    file.write_text(text.replace("clients.app", "clients.again"))
    assert cells.run(f"%oauthclient import '{file}' --dry-run") is None
    plan = capsys.readouterr().out
    assert plan.startswith("+ add OAuth client again\n    provider: acme\n")
    assert "s4" not in plan
    assert "again" not in broker.secrets
    cells.run(f"%oauthclient import '{file}'")
    assert capsys.readouterr().out == plan
    assert broker.secrets["again"].reveal() == "s4"
    cells.run(f"%oauthclient import '{file}'")
    assert capsys.readouterr().out == "Nothing to do: everything is as the file says.\n"
    assert cells.tab("%oauthclient test ag") == ["again"]
    file.write_text(f'{file.read_text()}[connections.sales]\nclient = "again"\n')
    cells.run(f"%oauthclient import '{file}'")
    assert capsys.readouterr().out == "~ change connection sales\n    client: app → again\n"
    assert broker.connection("sales").client == "again"
    file.write_text('[clients.x]\nprovider = "acme"\nclient_id = "i"\nclient_secret = "hunter2"')
    error = cells.fail(f"%oauthclient import '{file}'")
    assert "holds the secret of 'x' itself" in error.message
    assert "hunter2" not in error.message + error.hint


def test_export_of_everything_has_my_connections(
    cells: Cells, broker: FakeBroker, capsys: pytest.CaptureFixture[str]
) -> None:
    broker.edit_connection("sales", {"login_hint": "you@example.com"})
    cells.run("%oauthclient export")
    document = tomllib.loads(capsys.readouterr().out)
    assert set(document["clients"]) == {"app"}
    assert document["connections"] == {
        "sales": {"client": "app", "login_hint": "you@example.com"},
        "fresh": {"client": "app"},
    }


def test_python_values_are_not_expanded(cells: Cells) -> None:
    cells.run("secret = 'sales'")
    assert "{secret}" in cells.fail("%connect {secret}").message


def test_help(cells: Cells, capsys: pytest.CaptureFixture[str]) -> None:
    assert cells.run("%connect auth --help") is None
    assert "--again" in capsys.readouterr().out
    for name, verbs in (("connect", connections.VERBS), ("oauthclient", clients.VERBS)):
        text = getdoc(cells.shell.find_line_magic(name)) or ""
        for verb, one in verbs.items():
            assert verb in text
            for option in one.parser.options:
                assert name == "connect" or verb == "edit" or option in text, option
    cells.run("%connect?")
    capsys.readouterr()
    for line in ("%connect help", "%connect --help"):
        assert cells.run(line) is None
        assert capsys.readouterr().out.startswith("Connections to data behind OAuth 2.\n")
    for line in ("%oauthclient help", "%oauthclient --help"):
        assert cells.run(line) is None
        assert capsys.readouterr().out.startswith("OAuth clients: the apps")
    assert "sales  Authenticated" in repr(cells.run("%connect list"))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("%connect sal", ["sales"]),
        ("%connect r", ["revoke", "rm"]),
        ("%connect auth ", ["--again", "--flow", "--no-wait", "fresh", "sales"]),
        ("%connect auth sales --n", ["--no-wait"]),
        ("%connect auth sales --flow p", ["paste"]),
        ("%connect sales --handle h", ["httpx"]),
        ("x = %connect sales ", ["--handle", "as"]),
        ("%connect add new --client ", ["app"]),
        ("%connect add new --provider ac", ["acme"]),
        ("%connect add tests", []),
        ("%connect c", []),
        ("%oauthclient ex", ["export"]),
        ("%oauthclient re", ["register", "request"]),
        ("%oauthclient request ac", ["acme"]),
        ("%oauthclient export ", ["app"]),
        ("%oauthclient export app ", []),
        ("%oauthclient import --d", ["--dry-run"]),
        ("%oauthclient edit app --e", ["--ends"]),
        ("%oauthclient edit app --secret-k", ["--secret-keyring"]),
        ("%connect edit sales --u", ["--unshare"]),
        ("%connect edit sales --l", ["--login-hint"]),
        ("%oauthclient test ", ["app"]),
        ("%oauthclient register --auth-method n", ["none"]),
    ],
)
def test_tab(cells: Cells, broker: FakeBroker, line: str, expected: list[str]) -> None:
    cells.run("import jupyter_oauthconn as oc; oc.connections(), oc.clients(), oc.providers()")
    broker.calls.clear()
    assert sorted(cells.tab(line)) == expected
    assert broker.calls == []


def test_tab_knows_the_catalog(cells: Cells, broker: FakeBroker) -> None:
    assert cells.tab("%oauthclient register --provider prac") == ["practice"]
    assert broker.calls == []


def test_tab_where_nothing_of_ours_fits(broker: FakeBroker) -> None:
    assert completion.candidates_after("connect", ["sales", "as"], "") == []
    assert completion.candidates_after("oauthclient", ["unknown"], "") == []


def test_tab_elsewhere_is_left_alone(cells: Cells) -> None:
    cells.run("sales_of_mine = 1")
    assert "sales_of_mine" in cells.tab("sales_of")


def test_unloading_takes_everything_away(shell: InteractiveShell) -> None:
    manager = shell.magics_manager
    before = (dict(manager.magics["line"]), set(manager.registry), len(shell.configurables),
              list(shell.Completer.custom_matchers))  # fmt: skip
    shell.extension_manager.load_extension("jupyter_oauthconn")
    shell.extension_manager.reload_extension("jupyter_oauthconn")
    assert "connect" in manager.magics["line"]
    assert len(shell.Completer.custom_matchers) == len(before[3]) + 1
    shell.extension_manager.unload_extension("jupyter_oauthconn")
    after = (dict(manager.magics["line"]), set(manager.registry), len(shell.configurables),
             list(shell.Completer.custom_matchers))  # fmt: skip
    assert after == before
    assert not hasattr(oc.errors.OAuthConnError("x"), "_render_traceback_")
