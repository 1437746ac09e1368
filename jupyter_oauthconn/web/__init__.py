"""The token service over HTTP: JSON routes, the token route, and the pages of a sign-in.

Host-independent: a Jupyter server, a Hub service and the two-user host of the tests bring a
`Host`, which knows their people, and a `PersonHandler`, which says who calls. What may be called
by whom is data (`routes.ROUTES`); the dispatch, the tests and the OpenAPI document read the same
table. HTTP statuses live in `problems` alone. May import `broker` and everything below it, and
tornado (2026-11: verbs run in threads, the event loop only waits).
"""
