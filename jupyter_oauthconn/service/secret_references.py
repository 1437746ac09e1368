"""Secrets by reference: a variable, a file or the system's keyring, named instead of written.

env:SALES_SECRET        file:/run/secrets/sales        keyring:SERVICE/NAME
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from jupyter_oauthconn.errors import InvalidParameterError
from jupyter_oauthconn.model import Secret


def secret_at(reference: str, environ: Mapping[str, str] | None = None) -> Secret:
    """Reads the secret that a reference names; its value is no argument anywhere.

    Args:
        environ: where `env:` looks; None: the environment of this process.

    Raises:
        InvalidParameterError: malformed, or nothing is there.
    """
    kind, _, place = reference.partition(":")
    if kind == "env" and place:
        value = (os.environ if environ is None else environ).get(place, "")
        missing = f"The environment variable {place} is not set."
    elif kind == "file" and place:
        value, missing = _in_file(place)
    elif kind == "keyring" and "/" in place:
        value, missing = _in_keyring(place)
    else:
        # the text is not repeated: it may be the secret itself, given by mistake
        value, missing = "", "A secret is given by reference."
    if not value:
        raise InvalidParameterError(
            missing,
            hint="Put the client secret there or name another place: env:NAME, file:PATH or "
            "keyring:SERVICE/NAME (--secret-env NAME, --secret-file PATH).",
            parameter="secret_reference",
        )
    return Secret(value)


def variable_of(reference: str) -> str | None:
    """The environment variable that a reference names."""
    kind, _, name = reference.partition(":")
    return name if kind == "env" else None


def _in_file(place: str) -> tuple[str, str]:
    """The value, and what to say if it is empty."""
    try:
        value = Path(place).expanduser().read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        return "", f"The file {place} cannot be read: {reason}."
    return value, f"The file {place} is empty."


def _in_keyring(place: str) -> tuple[str, str]:
    service, _, name = place.rpartition("/")
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
