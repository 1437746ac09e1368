"""A token from the service, after a sign-in where one is needed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from jupyter_oauthconn.errors import InteractionRequiredError
from jupyter_oauthconn.model import DEFAULT_MIN_VALIDITY, AccessToken, Flow, Interaction

from .. import display
from ..current import Place
from .patience import Patience
from .showing import finish


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A token as a caller wants it; the arguments of `Broker.access_token`."""

    name: str
    min_validity: timedelta = DEFAULT_MIN_VALIDITY
    exact: bool = False
    rejected_generation: int | None = None
    resource: str | None = None


def obtain(place: Place, ask: Ask, patience: Patience) -> AccessToken:
    """A token from the service, after a sign-in where one is needed; kept for the next caller.

    Raises:
        InteractionRequiredError: a person must act, and nobody is there or is waited for.
        AuthorizationFailedError: the sign-in ended without a grant.
    """
    mode = patience.mode(place)
    try:
        token = _access_token(place, ask, interactive=mode is not Interaction.FAIL)
    except InteractionRequiredError as error:
        place.tokens.forget(ask.name)
        if mode is Interaction.FAIL:
            error.hint = _nobody(ask.name)
        if error.authorization is None or mode is Interaction.FAIL:
            raise
        pending = error.authorization
    else:
        return token
    # outside the except block: a traceback of the wait need not begin with the reason for it
    finish(place, pending, patience)
    return _access_token(place, ask, interactive=False)


def _access_token(place: Place, ask: Ask, *, interactive: bool) -> AccessToken:
    token = place.broker.access_token(
        ask.name,
        min_validity=ask.min_validity,
        exact=ask.exact,
        rejected_generation=ask.rejected_generation,
        resource=ask.resource,
        interactive=interactive,
    )
    place.tokens.keep(ask.name, token, ask.resource)
    place.names.connections.add(ask.name)
    return token


def authenticate(
    place: Place, name: str, *, again: bool, flow: Flow | None, patience: Patience, wait: bool
) -> None:
    """Signs in for a connection, whether it needs it (`again`) or only if it does.

    Args:
        wait: False: show the sign-in and return.

    Raises:
        InteractionRequiredError: nobody is there; nothing was started.
        AuthorizationFailedError: the sign-in ended without a grant; what was before still holds.
    """
    mode = patience.mode(place)
    if not again:
        try:
            _access_token(place, Ask(name=name), interactive=False)
        except InteractionRequiredError as error:
            if mode is Interaction.FAIL:
                error.hint = _nobody(name)
                raise
        else:
            return
    if mode is Interaction.FAIL:
        raise InteractionRequiredError(
            f"Signing in for {name!r} needs a person, and nobody is here to do it.",
            hint=_nobody(name),
        )
    pending = place.broker.authorize(name, flow=flow)
    if wait or mode is Interaction.PRACTICE:
        finish(place, pending, patience)
        place.tokens.forget(name)
    else:
        display.Pending(pending, browser=patience.browser)


def _nobody(name: str) -> str:
    return (
        f"Sign in once where a person can: `%connect auth {name}` in a notebook, or "
        f"`jupyter oauthconn auth {name}` in a terminal."
    )
