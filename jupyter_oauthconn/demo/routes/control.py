"""The dials over HTTP, so that they work when the provider is another process."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from http import HTTPStatus
from ipaddress import ip_address
from typing import Any, TypeVar
from urllib.parse import urlsplit

from jupyter_oauthconn.errors import InvalidParameterError, NotAllowedError, OAuthConnError
from jupyter_oauthconn.model import Secret

from .answering import ProviderHandler

_Body = Mapping[str, Any]
_Kind = TypeVar("_Kind")


class ControlHandler(ProviderHandler):
    """`/practice/<action>`: JSON for programs of this machine, never for a web page."""

    def prepare(self) -> None:
        """Works also while the provider is down."""

    def get(self, action: str) -> None:
        self._act({"dials": self._dials}.get(action), {})

    def patch(self, action: str) -> None:
        self._act({"dials": self._change}.get(action), self._body())

    def post(self, action: str) -> None:
        actions: dict[str, Callable[[_Body], object]] = {
            "faults": self._plan,
            "expire": lambda body: self.provider.expire(Secret(_given(body, "token", str))),
            "revoke": lambda body: self.provider.revoke(Secret(_given(body, "token", str))),
            "requests": lambda body: [asdict(one) for one in self.provider.requests(**body)],
            "clients": self._register,
            "reset": lambda body: self.provider.reset(),
        }
        self._act(actions.get(action), self._body())

    def _act(self, action: Callable[[_Body], object] | None, body: _Body) -> None:
        try:
            self._check()
            if action is None:
                raise InvalidParameterError("The practice provider has no such control.")
            status, answer = HTTPStatus.OK, action(body)
        except OAuthConnError as error:
            forbidden = isinstance(error, NotAllowedError)
            status = HTTPStatus.FORBIDDEN if forbidden else HTTPStatus.BAD_REQUEST
            answer = {"code": error.code, "message": error.message, "hint": error.hint}
        self.set_status(status)
        self.set_header("Content-Type", "application/json")
        self.set_header("Cache-Control", "no-store")
        self.finish(json.dumps(answer))

    def _check(self) -> None:
        """A web page can neither set the header without asking first nor leave its origin out."""
        headers = self.request.headers
        host = urlsplit(f"//{self.request.host}").hostname
        if (
            headers.get("X-Practice") != "dials"
            or "Origin" in headers
            or "Sec-Fetch-Site" in headers
            # a foreign name that resolves to this machine would be same-origin (DNS rebinding)
            or host not in {"localhost", "127.0.0.1", "::1"}
            or not ip_address(self.request.remote_ip or "::").is_loopback
        ):
            raise NotAllowedError(
                "The dials of the practice provider are for programs of this machine."
            )

    def _body(self) -> _Body:
        try:
            body = json.loads(self.request.body or "{}")
        except ValueError:
            body = {}
        return body if isinstance(body, dict) else {}

    def _dials(self, body: _Body) -> dict[str, object]:
        return asdict(self.provider.dials) | {
            "confidential_secret": self.provider.confidential_secret.reveal()
        }

    def _change(self, body: _Body) -> None:
        self.provider.dials.change(body)

    def _plan(self, body: _Body) -> None:
        self.provider.faults.plan(
            _given(body, "kind", str), _given(body, "times", int), _given(body, "endpoint", str)
        )

    def _register(self, body: _Body) -> None:
        secret = body.get("secret")
        self.provider.register(
            _given(body, "client_id", str),
            _given(body, "redirect_uris", list),
            secret=Secret(secret) if secret else None,
            any_loopback_port=bool(body.get("any_loopback_port")),
        )


def _given(body: _Body, name: str, kind: type[_Kind]) -> _Kind:
    value = body.get(name)
    if not isinstance(value, kind):
        raise InvalidParameterError(f"The request lacks {name!r}.", parameter=name)
    return value
