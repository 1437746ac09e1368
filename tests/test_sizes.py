"""Code stays readable: limits for functions, modules, folders and the texts of layers."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "jupyter_oauthconn"
MODULES = sorted(
    path for path in PACKAGE.rglob("*.py") if "versions" not in path.relative_to(PACKAGE).parts
)
WITH_DOCSTRING = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
FORBIDDEN_NAMES = {"utils", "common", "helpers", "core", "base", "manager"}


def name(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


def docstring_lines(tree: ast.AST) -> set[int]:
    lines: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, WITH_DOCSTRING) and ast.get_docstring(node) is not None:
            lines.update(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
    return lines


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_a_module_fits(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    tree = ast.parse(source)
    documentation = docstring_lines(tree)
    code = [
        line
        for number, line in enumerate(source.splitlines(), 1)
        if number not in documentation and line.strip() and not line.strip().startswith("#")
    ]
    assert len(code) <= 300, f"{len(code)} lines of code"
    assert path.stem not in FORBIDDEN_NAMES
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            assert length <= 60, f"{node.name} has {length} lines"
    if path.stem == "__init__":
        assert len((ast.get_docstring(tree) or "").splitlines()) <= 25


@pytest.mark.parametrize("folder", sorted({path.parent for path in MODULES}), ids=name)
def test_a_folder_fits(folder: Path) -> None:
    modules = [path for path in folder.glob("*.py") if not path.stem.startswith("__")]
    assert len(modules) <= (15 if folder.name == "protocol" else 9)
    assert folder.name not in FORBIDDEN_NAMES
