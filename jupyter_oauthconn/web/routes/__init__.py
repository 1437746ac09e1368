"""The JSON routes as data: address, who may call, what goes in and comes out.

One table; the dispatch, the tests and the OpenAPI document read it. A module for each noun; an act
is a call of one of the broker's verbs (2026-11: no framework between the table and the verbs).
"""

from . import administration, clients, connections, reports, sign_ins
from .route import ANYONE, EVERYBODY, ApiCall, Route

ROUTES: tuple[Route, ...] = (
    *reports.ROUTES,
    *administration.ROUTES,
    *clients.ROUTES,
    *connections.ROUTES,
    *sign_ins.ROUTES,
)

__all__ = ["ANYONE", "EVERYBODY", "ROUTES", "ApiCall", "Route"]
