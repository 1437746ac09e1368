"""`%connect` and `%oauthclient`: the kernel side as lines of a notebook.

May import `kernel` and everything below it, and IPython. A line is read by argparse, a verb is a
function; errors are the sentence and its hint, without a traceback. No secret is ever an
argument, because IPython keeps input lines. Loading registers names only: a kernel that says
`%load_ext` and no more pays next to nothing. Unloading takes away all that loading added:
IPython removes nothing by itself (2026-11).
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from IPython.core.completer import CompletionContext, SimpleMatcherResult, context_matcher
from IPython.core.magic import MAGIC_NO_VAR_EXPAND_ATTR

#: Name of a magic → module with its `run(line, shell)`.
_MODULES = {"connect": "connections", "oauthclient": "clients"}


class _LineMagic:
    """A line magic whose module is loaded at its first use, or when its help is read."""

    def __init__(self, name: str, shell: Any) -> None:
        self.__name__ = name
        self._shell = shell
        # names are names: `{x}` and `$x` in a line are not looked up
        setattr(self, MAGIC_NO_VAR_EXPAND_ATTR, True)

    def __call__(self, line: str) -> object:
        return self._run()(line, self._shell)

    def getdoc(self) -> str | None:
        """IPython asks this for `%connect?`."""
        doc: str | None = self._run().__doc__
        return doc

    def _run(self) -> Any:
        return import_module(f".{_MODULES[self.__name__]}", __name__).run


@context_matcher(identifier="jupyter_oauthconn.magics")  # type: ignore[untyped-decorator]
def _matcher(context: CompletionContext) -> SimpleMatcherResult:
    if not any(f"%{name}" in context.text_until_cursor for name in _MODULES):
        return {"completions": []}
    from .completion import matches

    return matches(context)


def load(shell: Any) -> None:
    """Registers magics, completion and the short form of errors with an IPython shell."""
    from . import rendering

    for name in _MODULES:
        shell.register_magic_function(_LineMagic(name, shell), "line", name)
    if shell.Completer is not None and _matcher not in shell.Completer.custom_matchers:
        shell.Completer.custom_matchers.append(_matcher)
    rendering.install()


def unload(shell: Any) -> None:
    """Takes them away again."""
    from . import rendering

    for name in _MODULES:
        shell.magics_manager.magics["line"].pop(name, None)
    if shell.Completer is not None and _matcher in shell.Completer.custom_matchers:
        shell.Completer.custom_matchers.remove(_matcher)
    rendering.uninstall()
