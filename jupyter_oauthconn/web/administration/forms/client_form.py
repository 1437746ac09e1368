"""The form of an OAuth client, in the parts that the wizard and the edit page show."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from jupyter_oauthconn.catalog import ProviderEntry, resolve_scopes
from jupyter_oauthconn.errors import InvalidParameterError
from jupyter_oauthconn.model import AuthMethod, ClientRegistration, Endpoints

from .. import words
from ..views import Field, Group, Option
from .reading import PARAMETER

WITH_SECRET, BY_REFERENCE, PUBLIC = "secret", "reference", "public"
_LIFETIMES = ("access_token_lifetime", "refresh_token_lifetime", "inactivity")
#: How a client proves itself, in words.
METHODS = {
    AuthMethod.CLIENT_SECRET_BASIC: "Secret in the header (client_secret_basic)",
    AuthMethod.CLIENT_SECRET_POST: "Secret in the body (client_secret_post)",
    AuthMethod.NONE: "None: a public client (none)",
}
_ENDPOINTS = (
    ("authorization", "Authorization address"),
    ("token", "Token address"),
    ("refresh", "Refresh address, if another"),
    ("revocation", "Revocation address"),
    ("introspection", "Introspection address"),
    ("device_authorization", "Device authorization address"),
)
_URL = "https://login.example.com"


def needs_address(entry: ProviderEntry) -> bool:
    """Whether the catalog does not know where its authorization server is."""
    built_in = entry.endpoints.authorization and entry.endpoints.token
    return entry.issuer is None and not built_in


def endpoint(name: str) -> str:
    """The field of an endpoint; none of our own names may be `token`."""
    return f"{name}_url"


def typed_of(client: ClientRegistration) -> dict[str, str]:
    """A stored client as it would be typed."""
    lifetimes = {name: getattr(client, name) for name in _LIFETIMES}
    return {
        "title": client.title,
        "description": client.description,
        "client_id": client.client_id,
        "auth_method": client.auth_method.value,
        "issuer": client.issuer or "",
        **{endpoint(one.name): getattr(client.endpoints, one.name) or ""
           for one in fields(Endpoints)},
        **{PARAMETER + name: value for name, value in client.parameters.items()},
        "scope": client.scope,
        "authorization_parameters": "\n".join(
            f"{name}={value}" for name, value in client.authorization_parameters.items()
        ),
        **{name: "" if one is None else words.exact_length(one) if one else "0"
           for name, one in lifetimes.items()},
        "redirect_uris": "\n".join(client.redirect_uris),
        "loopback_any": "yes" if client.loopback_port == "any" else "",
    }  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientForm:
    """Fields with what was typed and what is wrong."""

    entry: ProviderEntry
    typed: Mapping[str, str]
    errors: Mapping[str, str] = field(default_factory=dict)

    def where(self) -> list[Group]:
        """Step 1: name, and where the authorization server is."""
        named = Group(
            title="Name",
            fields=(
                self._field("name", "Name", required=True, example="sales-app",
                            help="What connections refer to. a-z, 0-9, _ and -; it never "
                            "changes."),
                self._title(),
            ),
        )  # fmt: skip
        if not needs_address(self.entry):
            return [named, *self._variables(), self._addresses(folded=True)]
        issuer = self._field(
            "issuer", "Issuer", kind="url", example=_URL,
            help="The provider's address, exactly as its metadata writes it. The other addresses "
            "are found there.",
        )  # fmt: skip
        instead = Group(
            title="Without an issuer",
            intro="Where a provider has no metadata, give both addresses instead.",
            folded=not (self.typed.get(endpoint("authorization")) or self.typed.get("token_url")),
            fields=tuple(self._url(endpoint(name), label) for name, label in _ENDPOINTS[:2]),
        )
        return [named, *self._variables(),
                Group(title="Authorization server", fields=(issuer,)), instead]  # fmt: skip

    def credentials(self) -> Group:
        """Of step 2."""
        kinds = (
            Option(value=WITH_SECRET, text="With this client secret"),
            Option(value=BY_REFERENCE, text="With a secret that is kept elsewhere"),
            Option(value=PUBLIC, text="Without one: it is a public client"),
        )
        return Group(
            title="Credentials",
            fields=(
                self._field("client_id", "Client ID", required=True),
                self._field("credential", "How the client proves itself", kind="radio",
                            options=kinds),
                Field(name="client_secret", label="Client secret", kind="password",
                      error=self.errors.get("client_secret", ""),
                      help="It is sealed, and never shown again."),
                self._field("secret_reference", "Where the secret is kept",
                            example="env:SALES_SECRET",
                            help="env:NAME, file:/run/secrets/x or keyring:SERVICE/NAME, read by "
                            "the token service."),
                self._field("secret_ends", "Last day of the secret", kind="date",
                            help="As the provider shows it; this page then warns in time."),
            ),
        )  # fmt: skip

    def authentication(self, *, public: bool) -> Field:
        """`public`: the choice also says whether there is a secret."""
        methods = [one for one in METHODS if public or one is not AuthMethod.NONE]
        options = tuple(Option(value=one.value, text=METHODS[one]) for one in methods)
        usual = Option(value="", text="As is usual for this provider")
        return self._field(
            "auth_method", "Client authentication", kind="select",
            options=options if public else (usual, *options),
        )  # fmt: skip

    def asked(self, authentication: Field) -> Group:
        """What a sign-in asks for."""
        usual = self._usual_scope()
        return Group(
            title="What sign-ins ask for",
            intro="PKCE with S256 is always used; there is nothing to switch on.",
            folded=True,
            fields=(
                self._field("scope", "Scope", help="Separated by blanks. Empty: "
                            + (f"{usual}, which is usual for this provider." if usual
                               else "what the provider grants by default.")),
                authentication,
                self._field("authorization_parameters", "More parameters of the sign-in",
                            kind="area", help="One name=value a line, for example prompt=consent."),
            ),
        )  # fmt: skip

    def lifetimes(self) -> Group:
        units = "90d, 8h, 30m, or seconds."
        return Group(
            title="How long tokens last",
            intro="Leave empty what the provider says itself.",
            folded=True,
            fields=(
                self._field("access_token_lifetime", "Life of an access token", help=units),
                self._field("refresh_token_lifetime", "Life of a refresh token", help=units),
                self._field(
                    "inactivity",
                    "A sign-in ends when unused for",
                    example="30d",
                    help=f"{units} 0: never.",
                ),
            ),
        )

    def coming_back(self, *, folded: bool) -> Group:
        return Group(
            title="Where sign-ins come back",
            folded=folded,
            fields=(
                self._field("redirect_uris", "Redirect URIs", kind="area",
                            help="One a line, exactly as they are registered at the provider."),
                self._field("loopback_any", "Any port of a person's own machine", kind="check",
                            help="For native client apps, whose provider accepts any port on "
                            "localhost (RFC 8252)."),
            ),
        )  # fmt: skip

    def described(self, *, with_title: bool = True) -> Group:
        description = self._field("description", "Description", help="What it is for, whom to ask.")
        return Group(
            title="For people",
            folded=True,
            fields=(self._title(), description) if with_title else (description,),
        )

    def _title(self) -> Field:
        usual = "the host of the issuer" if self.entry.stands_for_any else self.entry.title
        return self._field("title", "Title", example="Sales platform",
                           help=f"What people see when they sign in. Empty: {usual}.")  # fmt: skip

    def everything(self, *, all_open: bool = False) -> list[Group]:
        """For editing; `all_open`: a link leads to one of the fields."""
        first = Group(
            title="Client app",
            fields=(
                self._field("client_id", "Client ID", required=True),
                self.authentication(public=True),
            ),
        )
        asked = self.asked(first.fields[1])
        rest = tuple(one for one in asked.fields if one.name != "auth_method")
        groups = [
            first,
            *self._variables(),
            self._addresses(folded=not needs_address(self.entry)),
            Group(title=asked.title, intro=asked.intro, fields=rest),
            self.lifetimes(),
            self.coming_back(folded=False),
            self.described(),
        ]
        return [replace(one, folded=False) for one in groups] if all_open else groups

    def _variables(self) -> list[Group]:
        variables = tuple(
            self._field(
                PARAMETER + one.name, one.title, example=one.example,
                required=one.required and one.default is None,
                help=f"Empty: {one.default}." if one.default else "",
            )
            for one in self.entry.variables
            if one.at == "client"
        )  # fmt: skip
        return [Group(title=f"Your {self.entry.title}", fields=variables)] if variables else []

    def _addresses(self, *, folded: bool) -> Group:
        return Group(
            title="Addresses",
            intro="What is typed here wins over the catalog and over the provider's metadata.",
            folded=folded,
            fields=(
                self._url("issuer", "Issuer"),
                *(self._url(endpoint(name), label) for name, label in _ENDPOINTS),
            ),
        )

    def _usual_scope(self) -> str:
        parameters = {
            one.name: typed
            for one in self.entry.variables
            if (typed := self.typed.get(PARAMETER + one.name, "").strip())
        }
        try:
            scopes = resolve_scopes(self.entry, parameters)
        except InvalidParameterError:
            return ""  # the variable's own field says what is wrong
        return " ".join((*scopes.identity, *scopes.default, *scopes.offline))

    def _url(self, name: str, label: str) -> Field:
        return self._field(name, label, kind="url")

    @property
    def _field(self) -> Callable[..., Field]:
        def make(name: str, label: str, **more: Any) -> Field:
            return Field(
                name=name,
                label=label,
                value=self.typed.get(name, ""),
                error=self.errors.get(name, ""),
                **more,
            )

        return make
