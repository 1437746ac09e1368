"""Nothing that a provider gave is lost: answers are saved, saved again, or spooled.

A rotated refresh token exists nowhere but in the answer that carries it. If the database is away
at that moment, the answer stays in memory and the save is tried again on fresh connections; when
the process ends first, it goes sealed into the spool folder, which `Store.open` replays.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from jupyter_oauthconn.errors import StorageError
from jupyter_oauthconn.model import Claim, NewTokens
from jupyter_oauthconn.storage import Store

_log = logging.getLogger(__name__)

_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 2.0
#: Tried this long while the caller waits; after that in the background.
_CALLER_PAUSES = (0.05, 0.1, 0.2)


@dataclass(frozen=True, slots=True)
class _Unsaved:
    claim: Claim
    tokens: NewTokens
    discard: Callable[[], object]


class KeptAnswers:
    """Saves answers, whatever the database does meanwhile. Thread-safe."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._unsaved: dict[UUID, _Unsaved] = {}
        self._changed = threading.Condition()
        self._saver: threading.Thread | None = None
        self._closing = threading.Event()

    def save(self, claim: Claim, tokens: NewTokens, discard: Callable[[], object]) -> bool:
        """Writes `tokens` into the claimed grant; True also when only kept for a later save.

        Args:
            discard: ends them at the provider; called when a later save finds the grant revoked.

        Returns False when the compare-and-swap was lost: another refresh, a sign-in or a
        revocation came first.
        """
        for pause in (*_CALLER_PAUSES, 0.0):
            try:
                return self._store.grants.save(claim, tokens)
            except StorageError:
                if self._closing.wait(pause):
                    break
        self.hold(claim, tokens, discard)
        return True

    def in_memory(self, grant_id: UUID) -> tuple[Claim, NewTokens] | None:
        """Tokens of a grant that are not in the database yet."""
        with self._changed:
            unsaved = self._unsaved.get(grant_id)
        return (unsaved.claim, unsaved.tokens) if unsaved else None

    def close(self) -> None:
        """One last save of each; what still fails goes sealed into the spool folder."""
        self._closing.set()
        with self._changed:
            self._changed.notify_all()
            left = list(self._unsaved.values())
        for unsaved in left:
            if self._save_kept(unsaved):
                continue
            try:
                self._store.grants.spool(unsaved.claim, unsaved.tokens)
            except StorageError as error:
                _log.error("A refreshed token is lost: %s", error.message)

    def hold(self, claim: Claim, tokens: NewTokens, discard: Callable[[], object]) -> None:
        """Keeps an answer in memory and saves it, again and again, in the background."""
        _log.warning("A refreshed token could not be saved yet; it is kept and saved again.")
        with self._changed:
            self._unsaved[claim.grant.id] = _Unsaved(claim, tokens, discard)
            if self._saver is None or not self._saver.is_alive():
                self._saver = threading.Thread(
                    target=self._save_again, name="oauthconn-saver", daemon=True
                )
                self._saver.start()

    def _save_again(self) -> None:
        pause = _FIRST_PAUSE
        while not self._closing.wait(pause):
            with self._changed:
                left = list(self._unsaved.values())
                if not left:
                    self._saver = None
                    return
            done = [self._save_kept(one) for one in left]
            pause = _FIRST_PAUSE if all(done) else min(pause * 2, _LONGEST_PAUSE)

    def _save_kept(self, unsaved: _Unsaved) -> bool:
        grant_id = unsaved.claim.grant.id
        try:
            if not self._store.grants.save(unsaved.claim, unsaved.tokens):
                refresh_token = unsaved.tokens.refresh_token
                if refresh_token is None or not self._store.grants.keep_candidate(
                    unsaved.claim, unsaved.tokens.access_token, refresh_token
                ):
                    unsaved.discard()
        except StorageError:
            return False
        with self._changed:
            if self._unsaved.get(grant_id) is unsaved:
                del self._unsaved[grant_id]
        return True
