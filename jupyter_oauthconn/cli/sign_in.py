"""`auth` and `token`: the two commands that a person or a script comes for."""

from __future__ import annotations

from datetime import UTC, datetime

from jupyter_oauthconn import wire
from jupyter_oauthconn.errors import InteractionRequiredError
from jupyter_oauthconn.model import DEFAULT_MIN_VALIDITY, Flow, Interaction

from .call import Call, Commands, add_command, duration
from .output import DONE, say, time_left


def add_commands(commands: Commands) -> None:
    auth = add_command(commands, "auth", _auth, "sign in; prints a link and waits")
    auth.add_argument("name", metavar="NAME")
    auth.add_argument("--again", action="store_true", help="although there is a sign-in")
    auth.add_argument("--flow", choices=["auto", *(one.value for one in Flow)], default="auto")
    auth.add_argument("--no-browser", action="store_true", help="only print the link")
    token = add_command(commands, "token", _token, "print a fresh access token, nothing else")
    token.add_argument("name", metavar="NAME")
    token.add_argument(
        "--min-validity",
        type=duration,
        default=DEFAULT_MIN_VALIDITY,
        metavar="SECONDS",
        help="it lives so much longer; at most a fifth of its life is asked for",
    )


def _token(call: Call) -> int:
    token = call.broker.access_token(call.name, min_validity=call.arguments.min_validity)
    call.show(wire.token_json(token, now=datetime.now(UTC)), token.reveal)
    return DONE


def _auth(call: Call) -> int:
    if not call.arguments.again and _has_token(call):
        say(f"{call.name}: authenticated already; --again signs in anew.")
    else:
        _sign_in(call)
    if call.arguments.json:
        connection = call.broker.connection(call.name)
        call.show(wire.connection_json(connection), str)
    return DONE


def _has_token(call: Call) -> bool:
    try:
        call.broker.access_token(call.name)
    except InteractionRequiredError:
        return False
    return True


def _sign_in(call: Call) -> None:
    """Raises `AuthorizationFailedError`, `InteractionRequiredError`, `KeyboardInterrupt`."""
    from jupyter_oauthconn.kernel.current import Place
    from jupyter_oauthconn.kernel.sign_in import Patience, finish

    place = Place(lambda: call.broker, call.settings)
    patience = Patience(browser=not call.arguments.no_browser)
    mode = patience.mode(place)
    if mode is Interaction.FAIL:
        asked = call.settings.interaction is Interaction.FAIL
        why = (
            "the setting interaction=fail says" if asked else "no terminal is read from, which says"
        )
        raise InteractionRequiredError(
            f"Signing in for {call.name!r} needs a person, and {why} that nobody is here.",
            hint="Set JUPYTER_OAUTHCONN_INTERACTION=wait where a person reads what is printed.",
        )
    flow = None if call.arguments.flow == "auto" else Flow(call.arguments.flow)
    pending = call.broker.authorize(call.name, flow=flow)
    if mode is Interaction.WAIT:
        say(f"Waiting for you to sign in (ends {time_left(pending.expires_at)}, Ctrl-C stops).")
    try:
        finish(place, pending, patience)
    except KeyboardInterrupt:
        if pending.flow is not Flow.CALLBACK:
            # it lives in this process and ends with it; one at a server may be waited for elsewhere
            call.broker.cancel(pending.id)
        raise
