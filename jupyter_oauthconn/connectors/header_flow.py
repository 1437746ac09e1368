"""The header on a request, and once more after a 401, for clients of httpx and of httpx2 alike.

The two libraries have the same classes and share none (2026-11).
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, TypeVar

from .frames import Failure, without_frames
from .headers import CREDENTIAL_HEADERS, MASK, OWN_HEADERS, credential_header
from .reach import Reach, TokenSource

_UNAUTHORIZED = 401

Response = TypeVar("Response")


def with_token(
    source: TokenSource, reach: Reach, request: Any, can_be_repeated: Callable[[Any], bool]
) -> Generator[Any, Any, None]:
    """An `auth_flow`: sets the header; after a 401 once more with a newer token.

    Redirects are followed below this: the client drops the header on the way to another origin.

    Args:
        can_be_repeated: whether the request's body can be sent a second time.
    """
    if not reach.covers(str(request.url)):
        yield request
        return
    token = source.token()
    name, header = credential_header(token)
    request.headers[name] = header
    response = yield request
    if is_refused(response, name, header) and can_be_repeated(request):
        newer = source.token(rejected=token)
        if newer.generation != token.generation:
            response.read()
            request.headers[name] = credential_header(newer)[1]
            yield request


def is_refused(response: Any, name: str, header: str) -> bool:
    """Whether it is the token that was refused: a redirect's last request may have gone elsewhere,
    without the header."""
    refused: bool = response.status_code == _UNAUTHORIZED
    return refused and response.request.headers.get(name) == header


def masked(response: Response) -> Response:
    """The answer, without the token in the requests that it brings along."""
    last: Any = response
    for one in (last, *last.history):
        _mask(one.request)
        if one.next_request is not None:
            _mask(one.next_request)
    return response


def quiet(failure: Failure) -> Failure:
    """A `RequestError` without the token in the request that it brings along, and without the
    libraries' frames; see `without_frames`."""
    error: Any = failure
    _mask(error.request)
    return without_frames(failure)


def _mask(request: Any) -> None:
    for name in CREDENTIAL_HEADERS:
        if name in request.headers:
            request.headers[name] = MASK


def without_own(headers: Any) -> Any:
    """The headers of a redirect to another origin: the libraries drop `Authorization` alone."""
    for name in OWN_HEADERS:
        headers.pop(name, None)
    return headers
