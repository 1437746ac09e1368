"""Google's credential object, renewed by the token service."""

from __future__ import annotations

import threading
from collections.abc import MutableMapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

from google.auth.credentials import TokenState
from google.oauth2.credentials import Credentials

from jupyter_oauthconn.connectors.headers import MaskedText, authorization_header
from jupyter_oauthconn.connectors.reach import Reach, TokenSource, require
from jupyter_oauthconn.model import AccessToken

#: google-auth takes a token for stale 225 s before its end, gcsfs 300 s before.
_AHEAD_SECONDS = 300.0
#: google-auth does not say which token a 401 was for: those that come so soon after a forced
#: refresh are taken for the same.
_ONE_WAVE = timedelta(seconds=10)


class OAuthConnCredentials(Credentials):
    """Holds no refresh token, and the access token only as what masks itself.

    Pickled or copied it is the way to a token, without one.

    Args:
        scopes: shown to the libraries that look at them; what was granted is decided at sign-in.
        quota_project_id: the project that is billed for the quota.
    """

    def __init__(
        self,
        source: TokenSource,
        reach: Reach,
        scopes: Sequence[str] | None = None,
        quota_project_id: str | None = None,
    ) -> None:
        self._source = source
        self._reach = reach
        self._access: AccessToken | None = None
        self._lock = threading.Lock()
        self._forced_at = datetime.min.replace(tzinfo=UTC)
        super().__init__(None, scopes=scopes, quota_project_id=quota_project_id)

    @property
    def token(self) -> str | None:
        """Google's libraries read it; None before the first refresh."""
        return None if self._access is None else MaskedText(self._access.reveal())

    @token.setter
    def token(self, value: None) -> None:
        """Google's constructor empties it; nobody may put another token here."""
        if value is not None:
            raise AttributeError("The token comes from the token service.")

    @property
    def expiry(self) -> datetime | None:
        """UTC without a zone, as google-auth compares it."""
        end = None if self._access is None else self._access.expires_at
        return None if end is None else end.astimezone(UTC).replace(tzinfo=None)

    @expiry.setter
    def expiry(self, value: None) -> None:
        """Google's constructor empties it."""

    @property
    def expired(self) -> bool:
        """Whether to renew: before the margin that Google's libraries keep, scaled down for tokens
        that live so short that they would be stale from the start."""
        token = self._access
        if token is None or token.expires_at is None:
            return False
        ahead = timedelta(seconds=_AHEAD_SECONDS)
        return not token.valid_for(ahead, now=datetime.now(UTC))

    @property
    def token_state(self) -> TokenState:
        if self._access is None:
            return TokenState.INVALID
        if not self.expired:
            return TokenState.FRESH
        end = self._access.expires_at
        return TokenState.STALE if end and end > datetime.now(UTC) else TokenState.INVALID

    def refresh(self, request: Any) -> None:
        """Takes what the token service has.

        google-auth also calls this when a server answered 401. A token that has more than the
        margin left was then refused, and the token service must renew it: once, however many
        threads and attempts of google-auth saw that 401.
        """
        with self._lock:
            token = self._access
            margin = timedelta(seconds=_AHEAD_SECONDS)
            now = datetime.now(UTC)
            refused = token is not None and token.valid_for(margin, now=now, exact=True)
            refused = refused and now - self._forced_at > _ONE_WAVE
            self._access = self._source.token(_AHEAD_SECONDS, rejected=token if refused else None)
            if refused:
                self._forced_at = now

    def before_request(
        self, request: Any, method: str, url: str, headers: MutableMapping[str, str]
    ) -> None:
        """Raises `NotAllowedError`: the address is none of the connection's."""
        require(self._source.name, self._reach, url)
        super().before_request(request, method, url, headers)

    def apply(self, headers: MutableMapping[str, str], token: str | None = None) -> None:
        """As Google's, but the value does not show itself where a frame is printed."""
        if self._access is not None:
            headers["authorization"] = authorization_header(self._access)
        if self.quota_project_id:
            headers["x-goog-user-project"] = self.quota_project_id

    def to_json(self, strip: Sequence[str] | None = None) -> NoReturn:
        raise TypeError("These credentials are not written down: make them from the connection.")

    def _make_copy(self) -> OAuthConnCredentials:
        # Google's own would leave the way to the next token behind
        return OAuthConnCredentials(
            self._source, self._reach, self.scopes, quota_project_id=self.quota_project_id
        )

    def __repr__(self) -> str:
        return f"<Google credentials of {self._source.name!r}>"

    def __reduce__(self) -> tuple[object, ...]:
        return (
            OAuthConnCredentials,
            (self._source, self._reach, self.scopes, self.quota_project_id),
        )
