"""Serves the pages of the administration: who asks, is she an administrator, what was typed."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode, urlsplit

from tornado.web import HTTPError

from jupyter_oauthconn.errors import NotAllowedError, NotSignedInError, OAuthConnError
from jupyter_oauthconn.model import Owner, Secret
from jupyter_oauthconn.service.secret_references import is_reference

from ..host import Kind
from ..page_handler import FormPageHandler
from ..problems import STATUS
from ..threads import asking, reading
from . import messages, rendering
from .desk import Act, AdminPage, Desk, Download, GoTo, Page

_LONGEST_FORM = 256 * 1024
_SECRET = "client_secret"
_REFERENCE = "secret_reference"
_FORM = "application/x-www-form-urlencoded"


class AdminPageHandler(FormPageHandler):
    """Base of everything below `admin/`."""

    SUPPORTED_METHODS: tuple[str, ...] = ("GET", "POST")
    _owner: Owner | None = None

    def set_default_headers(self) -> None:
        super().set_default_headers()
        for name, value in rendering.HEADERS.items():
            self.set_header(name, value)

    async def administrator(self) -> Owner:
        """Raises `NotSignedInError`, `NotAllowedError`."""
        caller = await self.caller()
        if caller.kind is not Kind.BROWSER:
            raise NotAllowedError(
                "The administration page is for people.",
                hint="Open this address in the browser in which you are signed in.",
            )
        if not caller.administrator:
            contact = await reading(self.host.service.access.whom_to_ask)
            raise NotAllowedError(
                f"{caller.owner.name} is no administrator here.",
                hint=f"Ask {contact} for an OAuth client, or for what you need to have changed. "
                "Your own connections are in the notebook: `%connect` lists them.",
            )
        self._owner = caller.owner
        return caller.owner

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        error = kwargs["exc_info"][1] if "exc_info" in kwargs else HTTPError(status_code)
        title, message, hint, status = _told(error, status_code, self.request_id)
        context = {"message": message, "hint": hint, "back": self._back()}
        page = Page(template="error.html", title=title, section="", context=context)
        self.show(rendering.render(page.template, self.frame(page)), status)

    def frame(self, page: Page) -> dict[str, Any]:
        """What every template needs, with what the page's own does."""
        below = f"{self.host.mount}admin/"
        return {
            "title": page.title,
            "section": page.section,
            "below": below,
            "script": f"{below}script.js?{urlencode({'v': rendering.SCRIPT_VERSION})}",
            "script_integrity": rendering.SCRIPT_INTEGRITY,
            "person": self._owner.name if self._owner else None,
            # of the address; the answer to a button says itself what came of it
            "done": messages.message(self._code()) if self.request.method == "GET" else "",
            **page.context,
        }

    def _code(self) -> str:
        """Of what was done; raises nothing, whatever an address holds."""
        return self.request.query_arguments.get("done", [b""])[0].decode(errors="replace")

    def _back(self) -> str:
        """To the page where the refused button was; the administration's first for others."""
        came_from = urlsplit(self.request.headers.get("Referer", ""))
        below = f"{self.host.mount}admin/"
        here = came_from.netloc == self.request.host and came_from.path.startswith(below)
        if self._owner is None or self.request.method != "POST" or not here:
            return below
        return came_from.path


class AdminHandler(AdminPageHandler):
    """One page of the table."""

    page: AdminPage

    async def get(self, **path: str) -> None:
        try:
            owner = await self.administrator()
        except NotSignedInError:
            self.go_to_login()
            return
        await self._answer(self.page.look, self._desk(owner, path))

    async def post(self, **path: str) -> None:
        self.refuse_other_sites()
        owner = await self.administrator()
        self.refuse_unseen(_subject(owner))
        content_type = self.request.headers.get("Content-Type", "").partition(";")[0].strip()
        if content_type.lower() != _FORM or len(self.request.body) > _LONGEST_FORM:
            raise HTTPError(HTTPStatus.BAD_REQUEST)
        typed = _first_of(self.request.body_arguments)
        secret = typed.pop(_SECRET, "").strip()
        if not is_reference(typed.get(_REFERENCE, "").strip()):
            # it may be the secret itself in the wrong field: no page shows it again
            typed.pop(_REFERENCE, None)
        do, _, detail = typed.pop("do", "").partition(":")
        if do not in self.page.acts:
            raise HTTPError(HTTPStatus.BAD_REQUEST)
        desk = self._desk(
            owner, path, do=do, detail=detail, form=typed, secret=Secret(secret) if secret else None
        )
        await self._answer(self.page.acts[do], desk)

    def _desk(self, owner: Owner, path: Mapping[str, str], **form: Any) -> Desk:
        return Desk(
            host=self.host,
            owner=owner,
            origin=self.host.origin(self),
            path=path,
            query=_first_of(self.request.query_arguments),
            **form,
        )

    async def _answer(self, act: Act, desk: Desk) -> None:
        fields = self.form_fields(_subject(desk.owner))
        match await asking(partial(act, desk)):
            case GoTo(address=address, done=done):
                more = f"{'&' if '?' in address else '?'}{urlencode({'done': done})}"
                self.redirect(address + (more if done else ""), status=HTTPStatus.SEE_OTHER)
            case Download() as file:
                self.set_header("Content-Type", file.content_type)
                self.set_header("Content-Disposition", f'attachment; filename="{file.filename}"')
                self.finish(file.content)
            case Page() as page:
                context = {**self.frame(page), "hidden": fields}
                html = await reading(partial(rendering.render, page.template, context))
                self.show(html, page.status)


class NothingHandler(AdminPageHandler):
    """Every other address there; says so to administrators only."""

    async def get(self) -> None:
        try:
            await self.administrator()
        except NotSignedInError:
            self.go_to_login()
            return
        raise HTTPError(HTTPStatus.NOT_FOUND)

    async def post(self) -> None:
        self.refuse_other_sites()
        await self.administrator()
        raise HTTPError(HTTPStatus.NOT_FOUND)


class ScriptHandler(AdminPageHandler):
    """The one script, for anybody: it holds nothing of anybody's."""

    SUPPORTED_METHODS = ("GET",)

    async def get(self) -> None:
        self.set_header("Content-Type", "text/javascript; charset=utf-8")
        # its address names its content
        if self.get_query_argument("v", "") == rendering.SCRIPT_VERSION:
            self.set_header("Cache-Control", "public, max-age=31536000, immutable")
        self.finish(rendering.SCRIPT)


def _subject(owner: Owner) -> str:
    """Of the page keys: one that somebody else got does not serve a script in her output."""
    return f"admin/ {owner.id}"


def _first_of(arguments: Mapping[str, list[bytes]]) -> dict[str, str]:
    """Raises `HTTPError` for what is no text."""
    try:
        return {name: values[0].decode() for name, values in arguments.items()}
    except UnicodeDecodeError:
        raise HTTPError(HTTPStatus.BAD_REQUEST) from None


def _told(error: BaseException, status: int, request_id: str) -> tuple[str, str, str, int]:
    """An error's title, sentence and next step, and its status."""
    match error:
        case NotSignedInError():
            return "Not signed in", error.message, error.hint, HTTPStatus.UNAUTHORIZED
        case NotAllowedError():
            return "Not allowed", error.message, error.hint, HTTPStatus.FORBIDDEN
        case OAuthConnError():
            answered = STATUS.get(error.code, HTTPStatus.INTERNAL_SERVER_ERROR)
            return "That did not work", error.message, error.hint, answered
        case HTTPError(status_code=HTTPStatus.FORBIDDEN):
            message = "This button was not pressed on our page, or the page is too old."
            return "Nothing was changed", message, "Open the page again.", status
        case HTTPError(status_code=HTTPStatus.NOT_FOUND):
            return (
                "Not found",
                "There is no such page.",
                "The menu leads to those there are.",
                status,
            )
    if status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return "Not understood", "This request cannot be answered.", "Open the page again.", status
    hint = f"The server's log says where it happened (request {request_id})."
    return "Something went wrong", "The token service failed.", hint, status
