"""A magic's line: words, options, and sentences instead of an exit where they make no sense."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from jupyter_oauthconn.errors import InvalidParameterError
from jupyter_oauthconn.kernel import current
from jupyter_oauthconn.model import AuthMethod, Flow

#: What may stand after an option, for completion.
CHOICES = {
    "--flow": ("auto", *(one.value for one in Flow)),
    "--auth-method": tuple(one.value for one in AuthMethod),
    "--loopback-port": ("any",),
}


class Parser(argparse.ArgumentParser):
    """Reads the words of one verb; never exits, and never repeats a value it does not know."""

    def __init__(self, prog: str, description: str = "") -> None:
        super().__init__(prog=prog, description=description, add_help=False, allow_abbrev=False)
        self.options: list[str] = []

    def add_argument(self, *names: Any, **options: Any) -> argparse.Action:
        action = super().add_argument(*names, **options)
        self.options += [one for one in names if one.startswith("--")]
        return action

    def read(self, words: list[str]) -> argparse.Namespace:
        found, unknown = self.parse_known_args(words)
        if unknown:
            self._refuse(unknown)
        return found

    def error(self, message: str) -> NoReturn:
        raise InvalidParameterError(f"{self.prog}: {message}.", hint=self._usage())

    def _refuse(self, unknown: list[str]) -> NoReturn:
        options = [word.split("=", 1)[0] for word in unknown if word.startswith("-")]
        if any("secret" in one or "password" in one for one in options):
            raise InvalidParameterError(
                f"{self.prog}: a secret is never an argument, because IPython keeps input lines.",
                hint="Use --secret-env VAR or --secret-file PATH, or be asked. If you just typed "
                "a secret, it is in IPython's history: replace it at the provider.",
            )
        what = f"unknown option {options[0]}" if options else "more words than expected"
        raise InvalidParameterError(f"{self.prog}: {what}.", hint=self._usage())

    def _usage(self) -> str:
        return " ".join(self.format_usage().split())


@dataclass(frozen=True, slots=True)
class Verb:
    """One verb of a magic: how its words are read, and what it does."""

    parser: Parser
    run: Callable[[argparse.Namespace], object]

    def __call__(self, words: list[str]) -> object:
        return self.run(self.parser.read(words))


def words_of(line: str, prog: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError as error:
        raise InvalidParameterError(
            f"{prog}: the line cannot be read: {str(error).lower()}.",
            hint="Close every quotation mark.",
        ) from None


def is_call_for_help(words: list[str]) -> bool:
    """Whether the magic itself is asked about, not one of its verbs."""
    return words[:1] in (["help"], ["--help"])


def setting(text: str) -> tuple[str, str]:
    """`key=value` of `--set`."""
    key, equals, value = text.partition("=")
    if not equals or not key.isidentifier():
        raise argparse.ArgumentTypeError("--set takes key=value")
    return key, value


def add_client_fields(parser: Parser) -> None:
    """The options of an OAuth client but `--set` and `--scope`, which connections have, too."""
    parser.add_argument("--client-id", metavar="ID")
    parser.add_argument("--public", action="store_true", help="the client has no secret")
    parser.add_argument("--secret-env", metavar="VAR")
    parser.add_argument("--secret-file", metavar="PATH")
    parser.add_argument("--secret-keyring", metavar="SERVICE/NAME")
    for option in ("--title", "--description", "--issuer", "--authorization-url", "--token-url"):
        parser.add_argument(option)
    parser.add_argument("--auth-method", metavar="METHOD")
    for option in ("--access-token-lifetime", "--refresh-token-lifetime", "--inactivity"):
        parser.add_argument(option, metavar="S")
    parser.add_argument("--redirect-uri", action="append", metavar="URI")
    parser.add_argument("--loopback-port", metavar="any")
    parser.add_argument("--allow-user", action="append", metavar="U")
    parser.add_argument("--allow-group", action="append", metavar="G")


def client_fields(found: argparse.Namespace) -> dict[str, Any]:
    """The fields of an OAuth client that `add_client_fields` read."""
    fields = _given(found, _FIELDS)
    if found.public:
        fields["auth_method"] = AuthMethod.NONE
    endpoints = _given(found, {"authorization_url": "authorization", "token_url": "token"})
    if endpoints:
        fields["endpoints"] = endpoints
    return fields


_FIELDS = {
    "client_id": "client_id",
    "title": "title",
    "description": "description",
    "issuer": "issuer",
    "auth_method": "auth_method",
    "access_token_lifetime": "access_token_lifetime",
    "refresh_token_lifetime": "refresh_token_lifetime",
    "inactivity": "inactivity",
    "redirect_uri": "redirect_uris",
    "loopback_port": "loopback_port",
    "allow_user": "allowed_users",
    "allow_group": "allowed_groups",
}


def add_settings(parser: Parser) -> None:
    parser.add_argument(
        "--set", type=setting, action="append", default=[], metavar="key=value", dest="settings"
    )


def secret_place(found: argparse.Namespace) -> str | None:
    """`env:…`, `file:…` or `keyring:…` as given. Raises `InvalidParameterError` for several."""
    places = _given(
        found, {"secret_env": "env", "secret_file": "file", "secret_keyring": "keyring"}
    )
    if len(places) > 1:
        raise InvalidParameterError(
            "A secret has one place.",
            hint="Give one of --secret-env, --secret-file and --secret-keyring.",
        )
    return next((f"{kind}:{place}" for kind, place in places.items()), None)


def secret_from(found: argparse.Namespace) -> str | None:
    """Where the secret of a new client comes from; asked for where the provider expects one."""
    place = secret_place(found)
    if place is not None:
        if found.public:
            raise InvalidParameterError(
                "A public client has no secret.",
                hint="Give --public, or the place of a secret, not both.",
            )
        return place
    method = AuthMethod.NONE if found.public else found.auth_method
    if method is None:
        method = current.place().broker.provider(found.provider).auth_methods[0]
    return None if method == AuthMethod.NONE else "prompt"


def _given(found: argparse.Namespace, names: Mapping[str, str]) -> dict[str, Any]:
    """The options that were given, under the fields' names."""
    values = {field: getattr(found, option) for option, field in names.items()}
    return {field: value for field, value in values.items() if value is not None}
