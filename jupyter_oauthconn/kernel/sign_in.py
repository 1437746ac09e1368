"""Getting a token when a person must act first: start or join the sign-in, show it, wait."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from datetime import timedelta

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
from jupyter_oauthconn.model import (
    DEFAULT_MIN_VALIDITY,
    AccessToken,
    Authorization,
    AuthorizationState,
    Flow,
    Interaction,
)

from . import display
from .current import Place, seconds

#: One question to the service lasts this long; in the main thread a signal ends it at once.
_LONG = timedelta(seconds=20)
#: In any other thread only the next question sees that the wait was given up.
_SHORT = timedelta(milliseconds=300)


class StoppedError(Exception):
    """The wait was given up from outside. Never leaves the kernel side."""


class WaitInterrupt(KeyboardInterrupt):
    """Ctrl-C or "interrupt" while a person was waited for."""

    def _render_traceback_(self) -> list[str]:
        """What IPython shows: where the wait was is of no use to anybody."""
        return [str(self)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A token as a caller wants it; the arguments of `Broker.access_token`."""

    name: str
    min_validity: timedelta = DEFAULT_MIN_VALIDITY
    exact: bool = False
    rejected_generation: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How a caller waits for a person.

    Attributes:
        wait: None: as the setting `interaction` says; True, False: whatever it says; seconds: at
            most so long.
        browser: may a browser be opened here.
        stop: ends the wait from another thread.
    """

    wait: bool | float | timedelta | None = None
    browser: bool = True
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def limit(self) -> float | None:
        """The longest wait in seconds; None: until the sign-in ends."""
        if self.wait is None or isinstance(self.wait, bool):
            return None
        return seconds(self.wait)

    def mode(self, place: Place) -> Interaction:
        """What happens here when a person must act; never `AUTO`."""
        if self.wait is False:
            return Interaction.FAIL
        setting = place.settings.interaction
        if setting is Interaction.PRACTICE:
            return setting
        if self.wait is not None:
            return Interaction.WAIT
        if setting is not Interaction.AUTO:
            return setting
        # a forked child has its parent's front end in memory, but not its sockets
        if place.forked or not display.somebody_is_there():
            return Interaction.FAIL
        return Interaction.WAIT


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
        interactive=interactive,
    )
    place.tokens.keep(ask.name, token)
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


def finish(place: Place, authorization: Authorization, patience: Patience) -> Authorization:
    """Shows a pending sign-in and waits for its end.

    Interrupting leaves it pending: a later call joins it.

    Raises:
        WaitInterrupt: a `KeyboardInterrupt` that says so.
        AuthorizationFailedError: it was refused, expired, or the new account was not wanted.
        InteractionRequiredError: `patience.limit` passed.
    """
    practice = patience.mode(place) is Interaction.PRACTICE
    first = place.claim_display(authorization.id, patience.stop)
    screen = None
    try:
        if practice and first:
            _practise(authorization)
        elif first:
            screen = display.Pending(authorization, browser=patience.browser)
        outcome = "not authenticated (the wait ended; run it again to go on)"
        try:
            ended = _await_end(place, authorization, patience)
            outcome = _words(ended)
        except OAuthConnError as error:
            outcome = f"not authenticated ({error.message.rstrip('.')})"
            raise
        except KeyboardInterrupt:
            raise WaitInterrupt(
                f"{authorization.connection}: stopped waiting. The sign-in is still open; run "
                "the same line to go on."
            ) from None
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
        ended = _poll(place, authorization, patience)
    return _confirm(place, ended) if ended.confirm else ended


def _poll(place: Place, authorization: Authorization, patience: Patience) -> Authorization:
    main = threading.current_thread() is threading.main_thread()
    share = _LONG if main else _SHORT
    deadline = None if patience.limit is None else time.monotonic() + patience.limit
    while not patience.stop.is_set():
        if deadline is not None:
            left = timedelta(seconds=max(0.0, deadline - time.monotonic()))
            share = min(share, left)
        now = place.broker.authorization(authorization.id, wait=share)
        if now.state is not AuthorizationState.PENDING or now.confirm:
            return now
        if deadline is not None and time.monotonic() >= deadline:
            raise InteractionRequiredError(
                f"Nobody signed in for {authorization.connection!r} in the time given.",
                hint="The sign-in is still open: the same call waits for it again.",
                authorization=now,
            )
    raise StoppedError


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
    from .practice import consent

    consent(authorization.public_url)


def _nobody(name: str) -> str:
    return (
        f"Sign in once where a person can: `%connect auth {name}` in a notebook, or "
        f"`jupyter oauthconn auth {name}` in a terminal."
    )
