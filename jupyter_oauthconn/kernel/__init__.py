"""The notebook side: the connection object, waiting for a person, what a cell shows.

May import `broker`, `connectors`, `model`, `errors`, and of `service` the two modules of `checks`
that need no store, for the doctor; IPython in `display.py` only, and there only
where it is loaded already, so that a script pays nothing for it (2026-11).

Decisions: one process holds its token service in `current.Place`; a forked child starts with an
empty one. A token that is fresh costs a dict lookup and a clock compare, no lock and no request.
Waiting is polling the broker, never a comm or a widget: those are not answered while a cell runs.
"""
