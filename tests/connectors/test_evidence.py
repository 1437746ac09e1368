"""The README's tables of evidence say what the tests are."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

pytest.importorskip("fsspec", reason='`pip install ".[connectors]"`')

from evidence import (
    DOUBLES,
    PLACEMENTS,
    PROOFS,
    README,
    Evidence,
    named_tests,
    with_tables,
)

from jupyter_oauthconn.catalog import Placement
from jupyter_oauthconn.connectors import kinds

HERE = Path(__file__).parent


def functions(module: str) -> set[str]:
    tree = ast.parse((HERE / f"{module}.py").read_text(encoding="utf-8"))
    return {one.name for one in tree.body if isinstance(one, ast.FunctionDef)}


def test_the_readme_has_the_tables_of_this_moment() -> None:
    text = README.read_text(encoding="utf-8")
    assert with_tables(text) == text, "run `python tests/connectors/evidence.py`"


def test_every_test_that_is_named_exists() -> None:
    there = {f"{one}::{name}" for one in (m.stem for m in HERE.glob("test_*.py"))
             for name in functions(one)}  # fmt: skip
    assert named_tests() - there == set()


def test_every_kind_and_every_placement_has_a_line() -> None:
    assert {one.kind for one in PROOFS} == set(kinds())
    assert set(PLACEMENTS) == set(Placement)
    proven = {one.placement for one in PROOFS if one.placement is not None}
    assert proven | set(DOUBLES) == set(Placement)
    assert proven & set(DOUBLES) == set()


def test_every_vendors_file_proves_something() -> None:
    files = {one.stem for one in HERE.glob("test_vendor_*.py")}
    assert files == {name for test in named_tests() if (name := test.partition("::")[0]) in files}


def test_a_driver_is_the_real_package() -> None:
    """What is said to be proven by a driver stands where the real packages are used."""
    for one in PROOFS:
        if one.evidence is Evidence.DRIVER:
            assert all(test.startswith("test_vendor_") for test in one.tests), one
