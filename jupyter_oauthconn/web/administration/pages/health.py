"""Health: the doctor, keys, database, versions, and what is set otherwise than by default."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from importlib.metadata import version

from jupyter_oauthconn.model import Check
from jupyter_oauthconn.model.settings import DEFAULT

from ..desk import AdminPage, Answer, Desk, Page
from ..views import Cell, Table, texts
from .clients.testing import findings_table
from .settings import settings_table

_PACKAGES = ("jupyter-oauthconn", "jupyter-server", "tornado", "authlib", "joserfc", "httpx2",
             "sqlalchemy", "cryptography")  # fmt: skip


def _look(desk: Desk) -> Answer:
    return _page(desk, None)


def _doctor(desk: Desk) -> Answer:
    """Only looks, so what it finds is shown at once."""
    return _page(desk, desk.broker.doctor())


def _page(desk: Desk, findings: Sequence[Check] | None) -> Page:
    store = desk.service.store
    versions = [("Python", platform.python_version()), *((one, version(one)) for one in _PACKAGES)]
    set_here = [one for one in desk.broker.settings() if one.origin != DEFAULT]
    return Page(
        template="health.html",
        title="Health",
        section="health",
        context={
            "doctor": None if findings is None else findings_table("What the doctor found",
                                                                   findings),
            "keys": Table(
                caption="Keys that seal what is stored",
                columns=("Key", "State", "Values sealed with it"),
                rows=[
                    [
                        Cell(text=one.id),
                        Cell(text="Active: seals new values" if one.active else "Opens old values"),
                        Cell(text=str(one.values)),
                    ]
                    for one in store.key_uses()
                ],
                empty="There is no key.",
            ),
            "facts": [
                ("Database", Cell(text=f"revision {store.revision()}")),
                ("Runs as", Cell(text=f"{desk.host.where} at", codes=(desk.host.mount,))),
            ],
            "versions": Table(
                caption="Versions",
                columns=("Part", "Version"),
                rows=[texts(name, found) for name, found in versions],
                empty="",
            ),
            "settings": settings_table("Settings that are not as by default", set_here,
 empty="Every setting is at its default."),
        },
    )  # fmt: skip


PAGES = (AdminPage(path="/health", look=_look, acts={"doctor": _doctor}),)
