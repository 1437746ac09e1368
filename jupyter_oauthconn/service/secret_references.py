"""Secrets by reference: a variable, a file or the system's keyring, named instead of written.

env:SALES_SECRET        file:/run/secrets/sales        keyring:SERVICE/NAME
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from jupyter_oauthconn.errors import InvalidParameterError
from jupyter_oauthconn.model import Secret

_KINDS = frozenset({"env", "file", "keyring"})
_HINT = (
    "Put the client secret there or name another place: env:NAME, file:PATH or "
    "keyring:SERVICE/NAME (--secret-env NAME, --secret-file PATH)."
)
#: Keys are longer than passwords, and nothing is longer than this.
_LONGEST_SECRET = 64 * 1024


def secret_at(reference: str, environ: Mapping[str, str] | None = None) -> Secret:
    """Reads the secret that a reference names; its value is no argument anywhere.

    Args:
        environ: where `env:` looks; None: the environment of this process.

    Raises:
        InvalidParameterError: malformed, or nothing is there.
    """
    check_reference(reference)
    kind, _, place = reference.partition(":")
    if kind == "env":
        value = (os.environ if environ is None else environ).get(place, "")
        missing = f"The environment variable {place} is not set."
    elif kind == "file":
        value, missing = _in_file(place)
    else:
        value, missing = _in_keyring(place)
    if not value:
        raise InvalidParameterError(missing, hint=_HINT, parameter="secret_reference")
    return Secret(value)


def is_reference(text: str) -> bool:
    """Whether it has the form of one; nothing is looked up."""
    kind, _, place = text.partition(":")
    return kind in _KINDS and bool(place) and text.isprintable()


def check_reference(reference: str) -> None:
    """Raises `InvalidParameterError` for what is no reference."""
    if not is_reference(reference):
        # the text is not repeated: it may be the secret itself, given by mistake
        raise InvalidParameterError(
            "A secret is given by reference.", hint=_HINT, parameter="secret_reference"
        )


def variable_of(reference: str) -> str | None:
    """The environment variable that a reference names."""
    kind, _, name = reference.partition(":")
    return name if kind == "env" else None


def _in_file(place: str) -> tuple[str, str]:
    """The value, and what to say if it is empty."""
    try:
        value = text_of(place, _LONGEST_SECRET).strip()
    except ValueError as error:
        return "", f"The file {place} cannot be read: {error}."
    return value, f"The file {place} is empty."


def text_of(place: str, longest: int) -> str:
    """The text of a regular file, of at most so many bytes.

    Raises:
        ValueError: it cannot be read; says why, without its content.
    """
    try:
        path = Path(place).expanduser()
        if path.exists() and not path.is_file():
            reason = "it is no regular file"
        else:
            with path.open("rb") as file:
                content = file.read(longest + 1)
            if len(content) <= longest:
                return content.decode()
            reason = f"it is longer than {longest} bytes"
    except OSError as error:
        reason = error.strerror or "it cannot be opened"
    except UnicodeDecodeError:
        reason = "it is not text in UTF-8"
    except (RuntimeError, ValueError):
        # an unknown user after ~, a NUL
        reason = "there can be no such path"
    raise ValueError(reason)


def _in_keyring(place: str) -> tuple[str, str]:
    service, _, name = place.rpartition("/")
    if not service or not name:
        return "", "A reference to a keyring names a service and a user in it."
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError:
        return "", "References to a keyring need a package that is missing: pip install keyring."
    try:
        value = keyring.get_password(service, name)
    except KeyringError as error:
        return "", f"The keyring cannot be read: {type(error).__name__}."
    return value or "", f"The keyring has nothing for {service}/{name}."
