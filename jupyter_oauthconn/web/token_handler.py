"""The token route: the one that answers with a secret, and the one that must be fast."""

from __future__ import annotations

import contextlib
import re
from functools import partial

from jupyter_server.auth.decorator import allow_unauthenticated

from jupyter_oauthconn.errors import InteractionRequiredError, NotSignedInError

from .answers import (
    JsonHandler,
    kernel_credential_required,
    shows_bearer,
    unknown_credential,
)
from .dispatch import Rule, pattern
from .host import Caller, Host
from .routes import ApiCall
from .routes.checks import check_path, read_body, read_query
from .routes.sign_ins import TOKEN, stored_token
from .threads import asking, reading


def token_handlers(host: Host) -> list[Rule]:
    """Tornado's rule of the token route."""
    return [(re.escape(host.mount) + pattern(TOKEN.path), TokenHandler, {"host": host})]


class TokenHandler(JsonHandler):
    """A plain handler: no session is looked at, so no script of a page can ask for a token."""

    methods = (TOKEN.method,)

    def initialize(self, host: Host) -> None:
        self.host = host

    def check_xsrf_cookie(self) -> None:
        """Nothing to check: cookies count for nothing here, and no other site's page can make a
        browser send the credential's header."""

    # Jupyter's own check is for its sessions; the kernel's credential is checked in `_kernel`
    @allow_unauthenticated
    async def post(self, name: str) -> None:
        self.refuse_credential_in_address()
        caller = self._kernel()
        path = {"name": name}
        check_path(TOKEN.path, path)
        call = ApiCall(
            host=self.host,
            caller=caller,
            path=path,
            query=read_query(TOKEN.query, self.request.query_arguments),
            body=read_body(
                self.request.body, self.request.headers.get("Content-Type", ""), TOKEN.body
            ),
        )
        answer = None
        with contextlib.suppress(InteractionRequiredError):  # below, with the sign-in started
            answer = await reading(partial(stored_token, call))
        self.answer(answer or await asking(partial(TOKEN.act, call)))

    def _kernel(self) -> Caller:
        """Raises `NotAllowedError`, `NotSignedInError`."""
        headers = self.request.headers
        caller = self.host.kernel_caller(headers.get("Authorization", ""))
        if caller is not None:
            return caller
        if shows_bearer(headers):
            raise unknown_credential()
        if "Authorization" in headers or "Cookie" in headers:
            raise kernel_credential_required()
        raise NotSignedInError(
            "This request shows no credential.",
            hint="A kernel's stands in the header `Authorization: Bearer …`.",
        )
