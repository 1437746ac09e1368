"""Which token service answers, decided in this one place."""

from __future__ import annotations

import os
from pathlib import Path

from jupyter_oauthconn.errors import ServiceUnreachableError
from jupyter_oauthconn.model import Settings

from . import TokenServiceBroker


def choose(settings: Settings | None = None) -> TokenServiceBroker:
    """The broker of this process: a token service of its own.

    Args:
        settings: those of a local service; given, they are used wherever this runs.

    Raises:
        ServiceUnreachableError: a Jupyter server without the extension started this kernel, and
            a sign-in page of the kernel's own might be on a machine that no browser reaches.
    """
    environ = os.environ
    if settings is None and "JPY_SESSION_NAME" in environ:
        raise ServiceUnreachableError(
            "The Jupyter server that started this kernel runs no jupyter_oauthconn extension.",
            hint="Where the browser is on the same machine as this kernel, let the kernel keep "
            "the tokens itself: `import jupyter_oauthconn as oc; oc.use(oc.Settings())`, then run "
            "the line again.",
        )
    from .local import LocalBroker

    settings = settings or Settings.from_environ(environ)
    return LocalBroker(settings, data_home(settings))


def data_home(settings: Settings) -> Path:
    """The folder of database and keys."""
    if settings.home is not None:
        return Path(settings.home).expanduser().absolute()
    from jupyter_core.paths import jupyter_data_dir

    return Path(jupyter_data_dir()) / "oauthconn"
