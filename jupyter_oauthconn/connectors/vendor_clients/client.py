"""Which vendor's client, and how a token gets into it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from jupyter_oauthconn.connectors.connector import Access, base_address
from jupyter_oauthconn.connectors.connector import library as imported
from jupyter_oauthconn.connectors.credentials import CONNECTOR as CREDENTIAL
from jupyter_oauthconn.connectors.exchange import token_source
from jupyter_oauthconn.connectors.reach import require
from jupyter_oauthconn.errors import InvalidParameterError

#: simple-salesforce writes a header of it, which the session's own replaces.
_PLACEHOLDER = "set-for-each-request"


class ClientConnector:
    """Options are those of the vendor's client; `library` names it where the entry does not."""

    def open(self, access: Access, *, library: str | None = None, **options: Any) -> Any:
        """Raises `InvalidParameterError`: no client is known for this connection."""
        wanted = library or access.handle.options.get("library", "")
        vendor = _VENDORS.get(wanted)
        if vendor is None:
            raise InvalidParameterError(
                f"There is no vendor's client {wanted!r} for {access.source.name!r}.",
                hint=f"There are {', '.join(_VENDORS)}; `conn.credential(…)`, `conn.session()` and "
                "`conn.httpx()` fit many others.",
                parameter="library",
            )
        return vendor.open(access, **options)

    def check(self, handle: Any, access: Access) -> str:
        for base in type(handle).__mro__:
            for vendor in _VENDORS.values():
                if base.__module__.split(".", 1)[0] == vendor.module:
                    return vendor.check(handle, access)
        raise InvalidParameterError(
            f"Nobody knows how to test a {type(handle).__name__}.", parameter="handle"
        )


def _salesforce(access: Access, *, verify: bool | str | None = None, **options: Any) -> Any:
    """`verify` is that of `requests`, e.g. the file of a company's own authority."""
    simple_salesforce = imported("simple_salesforce", access, requires="simple-salesforce")
    from jupyter_oauthconn.connectors.with_requests import session

    source = token_source(access)
    url = base_address(access) or source.token().extra.get("instance_url", "")
    require(source.name, access.reach, url)
    carrier = session(source, access.reach)
    if verify is not None:
        carrier.verify = verify
    return simple_salesforce.Salesforce(
        instance_url=url, session_id=_PLACEHOLDER, session=carrier, **options
    )


def _check_salesforce(handle: Any, access: Access) -> str:
    host = handle.sf_instance.partition(":")[0]
    return f"Salesforce at {host} answered with {len(handle.limits())} limits."


def _sheets(access: Access, **options: Any) -> Any:
    gspread = imported("gspread", access, requires="gspread")
    from jupyter_oauthconn.connectors.with_requests import keep_quiet

    made = gspread.authorize(CREDENTIAL.open(access, library="google"), **options)
    keep_quiet(made.http_client.session)
    return made


def _check_sheets(handle: Any, access: Access) -> str:
    if probe := access.handle.probe:
        return f"Google Sheets opened {handle.open_by_key(probe).title!r}."
    return f"Google Drive lists {len(handle.list_spreadsheet_files())} spreadsheets."


def _slack(access: Access, **options: Any) -> Any:
    imported("slack_sdk", access, requires="slack-sdk")
    from .for_slack import FreshWebClient

    made = FreshWebClient(token_source(access), access.reach, **options)
    require(access.source.name, access.reach, made.base_url)
    return made


def _check_slack(handle: Any, access: Access) -> str:
    who = handle.auth_test()
    return f"Slack knows {who['user']} of {who['team']}."


def _github(access: Access, **options: Any) -> Any:
    github = imported("github", access, requires="PyGithub")
    from .for_github import client

    url = options.setdefault("base_url", base_address(access) or github.Consts.DEFAULT_BASE_URL)
    require(access.source.name, access.reach, url)
    return client(token_source(access), access.reach, **options)


def _check_github(handle: Any, access: Access) -> str:
    host = urlsplit(handle.requester.base_url).hostname
    return f"GitHub at {host} knows {handle.get_user().login}."


class _Vendor(NamedTuple):
    module: str
    open: Callable[..., Any]
    check: Callable[[Any, Access], str]


_VENDORS = {
    "gspread": _Vendor("gspread", _sheets, _check_sheets),
    "pygithub": _Vendor("github", _github, _check_github),
    "simple-salesforce": _Vendor("simple_salesforce", _salesforce, _check_salesforce),
    "slack-sdk": _Vendor("slack_sdk", _slack, _check_slack),
}

CONNECTOR = ClientConnector()
