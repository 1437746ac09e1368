"""What a person sees: sign in and allow, or type a device's code."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TypeVar
from urllib.parse import urlsplit

from ..provider import (
    ACCOUNTS,
    Account,
    DeviceRequest,
    OAuthServer,
    PracticeProvider,
    Question,
    Record,
    Reply,
    UntrustedRequestError,
)
from . import pages
from .answering import ProviderHandler

_WAIT_SECONDS = 600
_MOST_WAITING = 1000
_Asked = TypeVar("_Asked", Question, DeviceRequest)


@dataclass(frozen=True, slots=True)
class _Waiting:
    browser: str
    asked: Question | DeviceRequest
    ends_at: float


@dataclass(slots=True)
class Desk:
    """The consent pages that are open in browsers, by the key in their form."""

    waiting: dict[str, _Waiting] = field(default_factory=dict)

    def put(self, browser: str, asked: Question | DeviceRequest, now: float) -> str:
        while len(self.waiting) >= _MOST_WAITING:
            del self.waiting[next(iter(self.waiting))]
        key = secrets.token_urlsafe(24)
        self.waiting[key] = _Waiting(browser, asked, now + _WAIT_SECONDS)
        return key

    def take(self, browser: str | None, key: str, now: float) -> Question | DeviceRequest | None:
        """Once, and for the browser that was shown the page only."""
        one = self.waiting.get(key)
        if one is None or browser is None or one.browser != browser:
            return None
        del self.waiting[key]
        return one.asked if one.ends_at > now else None


class ConsentHandler(ProviderHandler):
    """A page with the consent form."""

    desk: Desk

    def initialize(  # type: ignore[override]  # Tornado passes the keywords of the route
        self, provider: PracticeProvider, oauth: OAuthServer, desk: Desk
    ) -> None:
        super().initialize(provider, oauth)
        self.desk = desk

    def ask(self, asked: Question | DeviceRequest) -> None:
        """Shows the consent page for that request."""
        browser = self._browser
        if browser is None:
            browser = secrets.token_urlsafe(24)
            # Lax: a browser comes here from the app, which is another site
            self.set_cookie(
                self._cookie, browser, path=self._path or "/", httponly=True, samesite="Lax"
            )
        key = self.desk.put(browser, asked, self.provider.clock())
        if isinstance(asked, DeviceRequest):
            page = pages.consent_page(asked.client_id, asked.scope, action=self.action, key=key)
        else:
            address = urlsplit(asked.request.payload.redirect_uri)
            page = pages.consent_page(
                asked.client.client_id,
                asked.scope,
                action=self.action,
                key=key,
                login_hint=asked.login_hint,
                returns_to=f"{address.scheme}://{address.netloc}",
            )
        self.show(page)

    def decision(self, kind: type[_Asked]) -> tuple[_Asked, Account | None] | None:
        """What was asked and who allowed it; None, with a page shown, if the form is stale."""
        asked = self.desk.take(
            self._browser, self.get_body_argument("request", ""), self.provider.clock()
        )
        account = ACCOUNTS.get(self.get_body_argument("account", ""))
        choice = self.get_body_argument("decision", "")
        usable = choice == "deny" or (choice == "allow" and account is not None)
        if not isinstance(asked, kind) or not usable:
            self.note(HTTPStatus.BAD_REQUEST, "invalid_request")
            text = "It was answered before, is too old, or belongs to another browser. Start again."
            self.show(
                pages.message_page("This page cannot be used any more", text),
                HTTPStatus.BAD_REQUEST,
            )
            return None
        return asked, account if choice == "allow" else None

    def note(self, status: int, outcome: str, client: str | None = None) -> None:
        self.provider.note(
            Record(
                at=self.provider.clock(),
                endpoint=self.name,
                status=status,
                outcome=outcome,
                client=client,
            )
        )

    name: str

    @property
    def action(self) -> str:
        return f"{self._path}/{self.name}"

    @property
    def _path(self) -> str:
        return urlsplit(self.provider.issuer).path

    @property
    def _cookie(self) -> str:
        # cookies ignore ports, so the name carries it
        return f"practice-{urlsplit(self.provider.issuer).port}"

    @property
    def _browser(self) -> str | None:
        return self.get_cookie(self._cookie)


class AuthorizeHandler(ConsentHandler):
    """The authorization endpoint (RFC 6749 §3.1)."""

    name = "authorize"

    def get(self) -> None:
        try:
            asked = self.oauth.question(self.parameters(self.request.query_arguments))
        except UntrustedRequestError as error:
            self.note(HTTPStatus.BAD_REQUEST, "invalid_request")
            self.show(pages.message_page(error.title, error.text), HTTPStatus.BAD_REQUEST)
            return
        if isinstance(asked, Reply):
            self._send_back(asked, None)
        else:
            self.ask(asked)

    def post(self) -> None:
        decided = self.decision(Question)
        if decided:
            question, account = decided
            self._send_back(self.oauth.decide(question, account), question.client.client_id)

    def _send_back(self, reply: Reply, client: str | None) -> None:
        self.note(HTTPStatus.SEE_OTHER, reply.outcome, client)
        # RFC 9700 §4.12: 303, so that no browser repeats the form's POST at the app
        self.set_status(HTTPStatus.SEE_OTHER)
        self.set_header("Location", reply.location or "")
        self.set_header("Cache-Control", "no-store")
        self.set_header("Referrer-Policy", "no-referrer")
        self.finish()


class DeviceHandler(ConsentHandler):
    """The device flow's page (RFC 8628 §3.3)."""

    name = "device"

    def get(self) -> None:
        # §3.3.1: a code in the link is shown, and still a person has to go on
        code = self.get_query_argument("user_code", "")
        self.show(pages.device_page(action=self.action, user_code=code))

    def post(self) -> None:
        if "request" in self.request.body_arguments:
            self._decide()
            return
        typed = self.get_body_argument("user_code", "")
        asked = self.provider.waiting_device(typed)
        if asked is None:
            self.note(HTTPStatus.BAD_REQUEST, "invalid_request")
            problem = "No device waits with this code. Look at it again, or start anew there."
            page = pages.device_page(action=self.action, user_code=typed, problem=problem)
            self.show(page, HTTPStatus.BAD_REQUEST)
        else:
            self.ask(asked)

    def _decide(self) -> None:
        decided = self.decision(DeviceRequest)
        if decided:
            asked, account = decided
            asked.account, asked.denied = account, account is None
            self.note(HTTPStatus.OK, "ok" if account else "access_denied", asked.client_id)
            text = "You can go back to where you started; it goes on by itself."
            title = "The device is connected" if account else "The device was refused"
            self.show(pages.message_page(title, text))
