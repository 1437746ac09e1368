"""Lists in pages: `{"items": […], "next": cursor or null}`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from jupyter_oauthconn.errors import InvalidParameterError

#: parameters of every list that is kept in order of names
PAGING: Mapping[str, type] = {"limit": int, "cursor": str}
MOST_ITEMS = 1000

_Item = TypeVar("_Item", bound=Mapping[str, Any])


def page(
    items: Iterable[_Item], query: Mapping[str, Any], *, by: Callable[[_Item], str]
) -> dict[str, object]:
    """The items after the cursor, which is the last one's `by`; all of them without a `limit`.

    So a page begins at the right place although items before it were added or removed meanwhile.
    """
    after: str = query.get("cursor", "")
    rest = sorted((one for one in items if by(one) > after), key=by)
    if "limit" not in query:
        return whole(rest)
    limit = limit_of(query, default=MOST_ITEMS)
    more = len(rest) > limit
    return {"items": rest[:limit], "next": by(rest[limit - 1]) if more else None}


def whole(items: Sequence[object]) -> dict[str, object]:
    """A list whose one page this is."""
    return {"items": items, "next": None}


def limit_of(query: Mapping[str, Any], *, default: int) -> int:
    """Raises `InvalidParameterError`: not from 1 to `MOST_ITEMS`."""
    limit: int = query.get("limit", default)
    if not 1 <= limit <= MOST_ITEMS:
        raise InvalidParameterError(
            f"limit is {limit}.", hint=f"Give 1 to {MOST_ITEMS}.", parameter="limit"
        )
    return limit
