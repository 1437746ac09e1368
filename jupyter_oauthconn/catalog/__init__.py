"""What is known of providers, as data (`providers/*.toml`).

May import `wire` and below. Providers are never subclasses: what one of them needs becomes a
field of `ProviderEntry` (2026-11). `loader` finds the files, `parse` reads one strictly, `render`
fills a person's values in and refuses whatever would change a host,
`handles` does both for the tables of handles. A key exists once: nobody can
replace an entry by a file of the same name, only add another (2026-11).
"""

from .entry import (
    Exchange,
    ExchangeKind,
    Handle,
    Placement,
    ProviderEntry,
    RefreshRules,
    ResourceParameter,
    Rotation,
    Scopes,
    TokenAnswerRules,
    TokenPlacement,
    Variable,
)
from .handles import resolve_handle, unfit_placement
from .loader import Catalog, load
from .render import (
    check_parameters,
    resolve_api_hosts,
    resolve_authorization_parameters,
    resolve_endpoints,
    resolve_issuer,
    resolve_scopes,
    resolve_steps,
    resolve_text,
)

__all__ = [
    "Catalog", "Exchange", "ExchangeKind", "Handle", "Placement", "ProviderEntry", "RefreshRules",
    "ResourceParameter", "Rotation", "Scopes", "TokenAnswerRules", "TokenPlacement", "Variable",
    "check_parameters", "load", "resolve_api_hosts", "resolve_authorization_parameters",
    "resolve_endpoints", "resolve_handle", "resolve_issuer", "resolve_scopes", "resolve_steps",
    "resolve_text", "unfit_placement",
]  # fmt: skip
