"""Every token, code, secret and verifier carries a marker; afterwards it is searched for in every
place where something could have been written."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from jupyter_oauthconn.demo import PracticeServer

MARKER = "cAnArYmArKeR0aNaRy"

#: Makes what the project draws by lot carry the marker too: state, verifier, nonce, flow cookie.
SITECUSTOMIZE = """
import os, secrets
_real = secrets.token_urlsafe
_marker = open(os.environ["MARKER_FILE"]).read()
secrets.token_urlsafe = lambda nbytes=None: _marker + _real(nbytes)
"""

CELLS = [
    """
import logging, os, sys
logging.basicConfig(level=logging.DEBUG, filename=os.environ["LOG_FILE"])
%load_ext jupyter_oauthconn
import jupyter_oauthconn as oc
from jupyter_oauthconn.demo import practice
practice.start()
""",
    """
import json
%oauthclient register secretive --provider practice --client-id confidential-notebook \
  --issuer {issuer} --secret-file {secret_file} --auth-method client_secret_basic \
  --loopback-port any
%connect add sales --client secretive --scope "sales.read"
""",
    """
conn = %connect sales
marker = open(os.environ["MARKER_FILE"]).read()
assert conn.token().reveal().startswith(marker), "the canary would find nothing"
del marker
""",
    "conn.token()",
    "str(conn.token()), conn.headers(), conn, conn.status, conn.identity",
    "%connect --long",
    "%connect status sales",
    "%connect test sales",
    "%oauthclient",
    "oc.clients(), oc.connections(), oc.events()",
    "f'{conn.token()}'",
    "import pickle; pickle.dumps(conn.token())",
    "import pickle; pickle.dumps(conn.headers())",
    """
%xmode Verbose
def fails(token, headers):
    copy = token
    return 1 / 0
fails(conn.token(), conn.headers())
""",
    """
%xmode Context
with conn.httpx(base_url=practice.data_url) as client:
    print(len(client.get("sales").json()), client.get("nothing").status_code, client)
print(conn.session().get(practice.data_url + "/whoami").json())
""",
    """
practice.expire("sales")
conn.session().get(practice.data_url + "/whoami").status_code
""",
    "%xmode Verbose\nconn.session().get('http://127.0.0.1:1/x')",
    "conn.httpx().get('http://127.0.0.1:1/x')",
    "dict(conn.headers()), conn.session().get(practice.data_url + '/sales').request.headers",
    "practice.fail(1, 500); conn.token(rejected=conn.token())",
    """
%xmode Verbose
practice.revoke("sales")
oc.ensure("sales", "6h")
""",
    "%connect auth sales --again",
    "%connect doctor",
    "%history",
    """
import gc, subprocess
open(os.environ["ENVIRONMENT_FILE"], "wb").write(
    open("/proc/self/environ", "rb").read() + open("/proc/self/cmdline", "rb").read()
    + repr(dict(os.environ)).encode() + repr(sys.argv).encode())
""",
]


@pytest.fixture
def server() -> Iterator[PracticeServer]:
    with PracticeServer(marker=MARKER) as server:
        yield server


def test_sec_47_51_53_no_secret_in_any_sink(tmp_path: Path, server: PracticeServer) -> None:
    searched, private = tmp_path / "searched", tmp_path / "private"
    for folder in (searched, private, searched / "logs", searched / "ipython"):
        folder.mkdir()
    environ = _environ(searched, private, server)
    executed = _run_notebook(environ, server, private)
    (searched / "executed.ipynb").write_text(nbformat.writes(executed))
    for number, command in enumerate(_commands(searched)):
        run = subprocess.run(
            [sys.executable, "-m", "jupyter_oauthconn", *command],
            env=environ, capture_output=True, check=False, timeout=60,
        )  # fmt: skip
        (searched / "logs" / f"command-{number}").write_bytes(run.stdout + run.stderr)
        assert run.returncode == 0, (command, run.stderr)
    files = [path for path in searched.rglob("*") if path.is_file()]
    names = {path.name for path in files}
    assert {"oauthconn.db", "keys.json", "history.sqlite", "kernel.log", "backup.db"} <= names
    assert leaks(files) == []


def test_the_search_would_find_one(tmp_path: Path) -> None:
    for number, text in enumerate((MARKER, f"Basic {base64.b64encode(f'a:{MARKER}'.encode())!r}")):
        (tmp_path / str(number)).write_text(f"xx{text}yy")
    assert len(leaks(list(tmp_path.iterdir()))) == 2


def _environ(searched: Path, private: Path, server: PracticeServer) -> dict[str, str]:
    (private / "sitecustomize.py").write_text(SITECUSTOMIZE)
    (private / "marker").write_text(MARKER)
    (private / "secret").write_text(server.provider.confidential_secret.reveal())
    return {
        **{k: v for k, v in os.environ.items() if not k.startswith("JUPYTER_OAUTHCONN_")},
        "PYTHONPATH": str(private),
        "MARKER_FILE": str(private / "marker"),
        "LOG_FILE": str(searched / "logs" / "kernel.log"),
        "ENVIRONMENT_FILE": str(searched / "environment"),
        "IPYTHONDIR": str(searched / "ipython"),
        "JUPYTER_OAUTHCONN_HOME": str(searched / "home"),
        "JUPYTER_OAUTHCONN_INTERACTION": "practice",
        "JUPYTER_OAUTHCONN_PRACTICE_URL": server.issuer,
    }


def _run_notebook(
    environ: dict[str, str], server: PracticeServer, private: Path
) -> nbformat.NotebookNode:
    values = {"{issuer}": server.issuer, "{secret_file}": str(private / "secret")}
    notebook = nbformat.v4.new_notebook()
    for cell in CELLS:
        source = cell.strip()
        for name, value in values.items():
            source = source.replace(name, value)
        notebook.cells.append(nbformat.v4.new_code_cell(source))
    client = NotebookClient(
        notebook,
        timeout=60,
        allow_errors=True,
        store_widget_state=True,
        ipython_hist_file=str(Path(environ["IPYTHONDIR"]) / "history.sqlite"),
    )
    client.execute(env=environ)
    outputs = [(cell.source, cell.outputs) for cell in notebook.cells]
    failed = [source for source, found in outputs if any("ename" in one for one in found)]
    refused = [CELLS[i].strip() for i in (10, 11, 12, 13, 16, 17, 19, 20)]
    assert failed == refused, json.dumps(outputs, indent=1)
    return notebook


def _commands(searched: Path) -> list[list[str]]:
    return [
        ["status", "--json"],
        ["clients", "list", "--json"],
        ["clients", "export"],
        ["connections", "list"],
        ["events", "--json"],
        ["doctor"],
        ["keys", "list"],
        ["db", "check"],
        ["db", "backup", str(searched / "backup.db")],
    ]


def leaks(files: list[Path]) -> list[tuple[str, str]]:
    """Files with the marker, plain or inside base64 at any of its three alignments."""
    needles = [MARKER.encode(), MARKER.lower().encode(), MARKER[::-1].encode()]
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + MARKER.encode() + b"\0" * 3)
        needles.append(encoded[4 if shift else 0 : -8])
    found = []
    for path in files:
        content = path.read_bytes()
        found += [(str(path), needle.decode()) for needle in needles if needle in content]
    return found
