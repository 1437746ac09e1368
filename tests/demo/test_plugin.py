"""The pytest plugin, as people use it: in a pytest of their own, and under nbval."""

from __future__ import annotations

import os
import subprocess
import sys

import nbformat

_TESTS = """
import os, subprocess, sys

def test_first(practice):
    assert practice.issuer == os.environ["JUPYTER_OAUTHCONN_PRACTICE_URL"]
    practice.access_token_seconds = 10

def test_second(practice):
    assert practice.access_token_seconds == 3600
    child = "from jupyter_oauthconn.demo import practice; print(practice.start().issuer)"
    told = subprocess.run([sys.executable, "-c", child], capture_output=True, text=True)
    assert told.stdout.strip() == practice.issuer

def test_home(oauthconn_home, tmp_path):
    assert os.environ["JUPYTER_OAUTHCONN_HOME"] == str(oauthconn_home)
    assert os.environ["JUPYTER_OAUTHCONN_INTERACTION"] == "practice"
    assert oauthconn_home.is_relative_to(tmp_path)

def test_afterwards():
    assert "JUPYTER_OAUTHCONN_HOME" not in os.environ
"""

_UNUSED = """
import sys

def test_nothing_is_loaded():
    ours = {name for name in sys.modules if name.partition(".")[0] == "jupyter_oauthconn"}
    assert ours == {"jupyter_oauthconn", "jupyter_oauthconn.testing"}
    assert not {"authlib", "joserfc"} & sys.modules.keys()
"""

_CELLS = [
    "from jupyter_oauthconn.demo import practice\nimport jupyter_oauthconn as oc\n"
    "_ = practice.start()",
    '_ = oc.register_client("practice", provider="practice", issuer=practice.issuer,\n'
    '                       client_id="notebook", loopback_port="any")\n'
    '_ = oc.add("sales", client="practice")',
    '# NBVAL_IGNORE_OUTPUT\nconn = oc.connect("sales")',
    "conn.identity",
    "import urllib.request, json\n"
    "def units():\n"
    '    request = urllib.request.Request(practice.data_url + "/sales", headers=conn.headers())\n'
    "    with urllib.request.urlopen(request) as answer:\n"
    '        return sum(row["units"] for row in json.load(answer))\n'
    "units()",
    'practice.revoke("sales")\n'
    "try:\n    units()\nexcept urllib.error.HTTPError as error:\n    print(error.code)",
]
_OUTPUTS = {3: "'analyst@example.com'", 4: "7824"}


def _pytest(folder, *arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
        cwd=folder,
        env=_clean() | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def _clean():
    return {k: v for k, v in os.environ.items() if not k.startswith(("JUPYTER", "PYTEST", "COV"))}


def test_the_fixtures(tmp_path):
    (tmp_path / "test_mine.py").write_text(_TESTS)
    run = _pytest(tmp_path)
    assert "4 passed" in run.stdout, run.stdout + run.stderr


def test_unused_it_costs_nothing(tmp_path):
    (tmp_path / "test_mine.py").write_text(_UNUSED)
    run = _pytest(tmp_path)
    assert "1 passed" in run.stdout, run.stdout + run.stderr


def test_a_notebook_under_nbval(tmp_path):
    book = nbformat.v4.new_notebook()
    for index, source in enumerate(_CELLS):
        cell = nbformat.v4.new_code_cell(source, execution_count=index + 1)
        if index in _OUTPUTS:
            data = {"text/plain": _OUTPUTS[index]}
            cell.outputs = [
                nbformat.v4.new_output("execute_result", data, execution_count=index + 1)
            ]
        book.cells.append(cell)
    book.cells[-1].outputs = [nbformat.v4.new_output("stream", name="stdout", text="401\n")]
    nbformat.write(book, tmp_path / "book.ipynb")
    run = _pytest(
        tmp_path,
        "--nbval",
        "--nbval-current-env",
        "book.ipynb",
        JUPYTER_OAUTHCONN_INTERACTION="practice",
        JUPYTER_OAUTHCONN_HOME=str(tmp_path / "home"),
    )
    assert f"{len(_CELLS)} passed" in run.stdout, run.stdout + run.stderr
