"""A pending sign-in on the screen, until it ended, and how it ended."""

from __future__ import annotations

from jupyter_oauthconn.errors import (
    AccessDeniedError,
    AuthorizationExpiredError,
    AuthorizationFailedError,
    CallbackMismatchError,
    ConfigurationError,
    InteractionRequiredError,
    InvalidClientError,
    OAuthConnError,
)
from jupyter_oauthconn.model import Authorization, AuthorizationState, Flow, Interaction

from .. import display
from ..current import Place
from .patience import Patience, WaitInterrupt, stopped_waiting
from .polling import poll


def finish(place: Place, authorization: Authorization, patience: Patience) -> Authorization:
    """Shows a pending sign-in and waits for its end.

    Interrupting leaves it pending: a later call joins it.

    Raises:
        WaitInterrupt: a `KeyboardInterrupt` that says so.
        AuthorizationFailedError: it was refused, expired, or the new account was not wanted.
        InteractionRequiredError: `patience.limit` passed.
    """
    practice = patience.mode(place) is Interaction.PRACTICE
    patience.begun.set()
    first = place.claim_display(authorization.id, patience.stop)
    screen = None
    outcome = "not authenticated (the wait ended; run it again to go on)"
    try:
        try:
            if practice and first:
                _practise(authorization)
            elif first:
                screen = display.Pending(authorization, browser=patience.browser)
            ended = _await_end(place, authorization, patience)
            outcome = _words(ended)
        except OAuthConnError as error:
            outcome = f"not authenticated ({error.message.rstrip('.')})"
            raise
        except KeyboardInterrupt:
            raise WaitInterrupt(stopped_waiting(authorization.connection)) from None
        finally:
            if screen is not None:
                screen.replace(outcome)
            elif practice and first:
                display.show_outcome(authorization.connection, outcome)
    finally:
        if first:
            place.release_display(authorization.id, patience.stop)
    failed = failure(ended)
    if failed is not None:
        raise failed
    return ended


def failure(ended: Authorization) -> OAuthConnError | None:
    """The error that an ended sign-in stands for; None where it succeeded."""
    if ended.state is AuthorizationState.DONE:
        return None
    message = ended.error.message if ended.error else ""
    code = ended.error.code if ended.error else ended.state.value
    hint = f"Start again: `%connect auth {ended.connection}`."
    if code in {"invalid_client", "unauthorized_client"}:
        hint = (
            "An administrator must mend the OAuth client (its id or secret); nothing is wrong "
            "with your account."
        )
        return InvalidClientError(message, hint=hint, error=code, status=401)
    if ended.state is AuthorizationState.EXPIRED:
        text = f"The sign-in for {ended.connection!r} was not finished in time."
        return AuthorizationExpiredError(message or text, hint=hint)
    message = message or f"The sign-in for {ended.connection!r} was refused."
    for kind in (AccessDeniedError, CallbackMismatchError, AuthorizationExpiredError):
        if code == kind.code:
            return kind(message, hint=hint)
    return AuthorizationFailedError(message, hint=hint, code=code if ended.error else None)


def _words(ended: Authorization) -> str:
    if ended.state is AuthorizationState.DONE:
        return f"authenticated as {ended.identity}" if ended.identity else "authenticated"
    error = failure(ended)
    return f"not authenticated ({error.message.rstrip('.') if error else 'unknown'})"


def _await_end(place: Place, authorization: Authorization, patience: Patience) -> Authorization:
    if authorization.flow is Flow.PASTE:
        ended = _paste(place, authorization)
    else:
        ended = poll(place, authorization, patience)
    return _confirm(place, ended) if ended.confirm else ended


def _paste(place: Place, authorization: Authorization) -> Authorization:
    _require_answers(authorization, "The address of the page that did not load must be typed in")
    address = display.ask_secret("Address of the page that did not load: ")
    return place.broker.finish_by_paste(authorization.id, address)


def _confirm(place: Place, ended: Authorization) -> Authorization:
    """Another account than before is taken only when the person says so."""
    name, who = ended.connection, ended.identity or "another account"
    _require_answers(ended, f"{who} signed in for {name!r}, not the account of before")
    status = place.broker.connection(name).status
    before = status.identity if status is not None else None
    question = (
        f"{name} was connected as {before or 'another account'}, now {who} signed in. "
        f"Use {who} from now on?"
    )
    if display.ask_yes(question):
        return place.broker.confirm(ended.id)
    place.broker.cancel(ended.id)
    raise AuthorizationFailedError(
        f"{who} was not accepted for {name!r}; the account of before stays.",
        hint=f"`%connect auth {name} --again` signs in once more.",
    )


def _require_answers(authorization: Authorization, why: str) -> None:
    if not display.can_ask():
        raise InteractionRequiredError(
            f"{why}, and nobody can be asked here.",
            hint=f"Run `%connect auth {authorization.connection}` in a cell of its own, where "
            "you can answer.",
            authorization=authorization,
        )


def _practise(authorization: Authorization) -> None:
    if authorization.public_url is None:
        raise ConfigurationError(
            f"The practice robot cannot sign in for {authorization.connection!r}: its page has "
            "no address.",
            hint="interaction=practice works with the practice provider only.",
        )
    from ..practice import consent

    consent(authorization.public_url)
