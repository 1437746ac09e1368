"""`import jupyter_oauthconn as oc`: cheap, complete, lazy."""

from __future__ import annotations

import json
import subprocess
import sys

import jupyter_oauthconn as oc

#: What a kernel must not pay for before it is used.
HEAVY = {
    "sqlalchemy", "alembic", "cryptography", "httpx2", "httpx", "requests", "authlib", "joserfc",
    "ipywidgets", "tornado", "jupyter_server", "IPython", "traitlets", "tomllib", "argparse",
}  # fmt: skip


def modules_after(code: str) -> set[str]:
    program = f"import sys, json\n{code}\nprint(json.dumps(sorted(sys.modules)))"
    answer = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return set(json.loads(answer.stdout.splitlines()[-1]))


def test_the_import_loads_itself_only() -> None:
    before = modules_after("import importlib, typing, __future__")
    after = modules_after("import jupyter_oauthconn")
    assert after - before == {"jupyter_oauthconn"}


def test_connecting_loads_nothing_heavy() -> None:
    from pathlib import Path

    here = str(Path(__file__).parent)
    loaded = modules_after(
        f"sys.path.insert(0, {here!r})\n"
        "import jupyter_oauthconn as oc\n"
        "from fake_broker import FakeBroker\n"
        "broker = FakeBroker('sales'); broker.sign_in('sales'); oc.use(broker)\n"
        "oc.connect('sales').headers(); oc.connections()"
    )
    assert {name.partition(".")[0] for name in loaded} & (HEAVY - {"tomllib", "argparse"}) == set()
    own = {name for name in loaded if name.startswith("jupyter_oauthconn.")}
    layers = {name.split(".")[1] for name in own}
    assert layers == {"broker", "catalog", "connectors", "errors", "kernel", "model"} - (
        {"broker"} - layers
    )


def test_loading_the_extension_adds_nothing_heavy_to_ipython() -> None:
    start = (
        "import IPython\n"
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "shell = InteractiveShell.instance()\n"
    )
    added = modules_after(start + "shell.run_line_magic('load_ext', 'jupyter_oauthconn')")
    added -= modules_after(start)
    tops = {name.partition(".")[0] for name in added}
    assert tops & (HEAVY - {"IPython", "traitlets", "tomllib", "argparse"}) == set()
    assert any(name.startswith("jupyter_oauthconn.magics") for name in added)


def test_everything_public_can_be_had() -> None:
    for name in oc.__all__:
        assert getattr(oc, name) is not None
    assert set(oc.__all__) <= set(dir(oc))
    assert not hasattr(oc, "no_such_thing")
    assert oc.errors.OAuthConnError.code == "internal"
    assert oc.__version__.count(".") >= 1
