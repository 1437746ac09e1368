"""The header that carries a token, as a text that does not show itself."""

from __future__ import annotations

from typing import NoReturn, SupportsIndex

from jupyter_oauthconn.model import AccessToken

#: What carries a token whose type is that name, in place of `Authorization`.
OWN_HEADERS = ("X-Tableau-Auth",)
CREDENTIAL_HEADERS = ("Authorization", *OWN_HEADERS)
MASK = "********"


class MaskedText(str):
    """A header's value as any HTTP library takes it, masked where a dict or a frame shows it.

    Pickled, it is the mask itself: errors of libraries bring their request along, and must reach
    the process that waits for them.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return f"'{MASK}'"

    def __radd__(self, before: str) -> MaskedText:
        """`"Bearer " + token`, as Azure's asynchronous SDK makes its header. The synchronous one
        formats it, and what is formatted is a plain text."""
        return MaskedText(before + str(self))

    def __copy__(self) -> MaskedText:
        return self

    def __deepcopy__(self, memo: object) -> MaskedText:
        return self

    def __reduce_ex__(self, protocol: SupportsIndex) -> tuple[type[str], tuple[str]]:
        return str, (MASK,)


class RequestHeaders(dict[str, str]):
    """Headers with a token, for the process that asked for them."""

    def copy(self) -> RequestHeaders:
        return RequestHeaders(self)

    __copy__ = copy

    def __deepcopy__(self, memo: object) -> RequestHeaders:
        return self.copy()

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise TypeError(
            "Headers with a token are not pickled: pass the connection and call .headers() in "
            "the other process."
        )


def credential_header(token: AccessToken) -> tuple[str, MaskedText]:
    """Name and value of the header that carries a token.

    HTTP libraries drop `Authorization` on a redirect to another origin. Whoever sends one of
    `OWN_HEADERS` drops it there.
    """
    for name in OWN_HEADERS:
        if token.token_type.lower() == name.lower():
            return name, MaskedText(token.reveal())
    return "Authorization", authorization_header(token)


def authorization_header(token: AccessToken) -> MaskedText:
    """The value of the `Authorization` header (RFC 6750 §2.1), where a driver has a place for no
    other.

    Providers write the type in every case; resources compare it with `Bearer`.
    """
    scheme = "Bearer" if token.token_type.lower() == "bearer" else token.token_type
    return MaskedText(f"{scheme} {token.reveal()}")
