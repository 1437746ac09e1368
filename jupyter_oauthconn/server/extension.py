"""`jupyter_oauthconn` as an extension of a Jupyter server: settings, start and stop."""

from __future__ import annotations

import asyncio
import atexit
import os
from collections.abc import Sequence
from concurrent.futures import Future
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_server.extension.application import ExtensionApp
from traitlets import Any

from jupyter_oauthconn.broker.choice import data_home
from jupyter_oauthconn.broker.running import ServiceFile, store_fingerprint
from jupyter_oauthconn.errors import OAuthConnError
from jupyter_oauthconn.model import Settings
from jupyter_oauthconn.model.settings import DEFAULT, PREFIX, setting_fields

from .announcement import Announcement, certificate, local_url
from .host import ServerHost

if TYPE_CHECKING:
    from .handlers import Rule

#: Longer than a provider call may take, so that a refresh that was sent is also written.
_STOP_SECONDS = 30.0
#: JupyterLab's first page comes before libraries that it does not need (opened after one second
#: they made it 1.17 times as slow, 2026-11); a request for the service opens it at once.
_OPEN_AFTER_SECONDS = 10.0
#: May hold passwords, and kernels inherit the environment.
_SECRET_SETTINGS = ("database_url", "proxy")
_DEFAULTS = Settings(
    device_flow_enabled=False,
    origins={"device_flow_enabled": DEFAULT},  # a server's own default
)


class Setting(Any):
    """A trait of any type, judged by `Settings` like an environment variable: what traitlets
    refuses itself would end the whole server, and be logged with all other settings."""

    def from_string_list(self, texts: list[str]) -> list[str]:
        """What a command line gives that names the trait more than once."""
        return list(texts)

    def default_value_repr(self) -> str:
        """What holds if neither the configuration nor the environment says anything."""
        match getattr(_DEFAULTS, self.name or ""):
            case timedelta() as duration:
                return f"{duration.total_seconds():.0f}"
            case tuple() as values:
                return repr(list(values))
            case value:
                return repr(value)


def _take_secrets(config_files: Sequence[str]) -> dict[str, str]:
    """The environment for the configuration files' references. Their secrets are taken out of the
    process's own, which kernels inherit."""
    from jupyter_oauthconn.service.declared.files import variables_of

    environ = dict(os.environ)
    for name in variables_of(config_files) if config_files else ():
        os.environ.pop(name, None)
    return environ


class OAuthConn(ExtensionApp):
    """OAuth connections for the notebooks of this server.

    Where nothing is set here, environment variables of the same names are read:
    JUPYTER_OAUTHCONN_PUBLIC_URL and so on.
    """

    name = "oauthconn"

    client_management_enabled = Setting(help="May OAuth clients be registered on this server?").tag(
        config=True
    )
    public_url = Setting(
        help="The address under which browsers reach this server, with its base URL, e.g. "
        "https://jupyter.example.com/base/. None: the one in the browser's address bar."
    ).tag(config=True)
    allow_user_clients = Setting(
        help="May people who are no administrators register OAuth clients for themselves alone?"
    ).tag(config=True)
    administrator_contact = Setting(
        help="Whom people ask for an OAuth client, e.g. a name or an address."
    ).tag(config=True)
    database_url = Setting(
        help="SQLAlchemy URL of the database. None: the SQLite file oauthconn.db in `home`."
    ).tag(config=True)
    catalog_paths = Setting([], help="Folders with further provider entries (TOML files).").tag(
        config=True
    )
    config_files = Setting(
        [], help="TOML files of OAuth clients and connections, applied when the server starts."
    ).tag(config=True)
    device_flow_enabled = Setting(
        help="May people sign in with a code on another device? Somebody could be talked into "
        "entering another person's code."
    ).tag(config=True)
    allowed_private_hosts = Setting(
        [], help="Hosts in private networks that providers may live on."
    ).tag(config=True)
    ca_bundle = Setting(
        help="PEM file of further certification authorities for calls to providers."
    ).tag(config=True)
    proxy = Setting(help="HTTP proxy for calls to providers.").tag(config=True)
    authorization_lifetime = Setting(help="How long a sign-in may take, in seconds.").tag(
        config=True
    )
    refresh_margin = Setting(
        help="How long before its end a token is renewed, at most, in seconds."
    ).tag(config=True)
    audit_retention = Setting(help="How long the history is kept, in seconds.").tag(config=True)
    home = Setting(
        help="Folder of database and keys. None: `oauthconn` in Jupyter's data folder."
    ).tag(config=True)

    host: ServerHost
    announcement: Announcement
    _reported = ""

    def initialize_handlers(self) -> None:
        """Serves the addresses below `<base_url>oauthconn/`; opens the token service soon."""
        assert self.serverapp is not None
        settings, problem = _DEFAULTS, None
        try:
            settings = self.read_settings()
        except OAuthConnError as error:
            problem = error
        home = data_home(settings)
        self._fingerprint = store_fingerprint(home, settings.database_url)
        mount = f"{self.serverapp.base_url}oauthconn/"
        self.host = ServerHost(
            settings,
            home,
            mount,
            problem=problem,
            environ=_take_secrets(settings.config_files),
            report=self._report,
        )
        self.announcement = Announcement(Path(self.serverapp.runtime_dir))
        self.serverapp.web_app.add_handlers(".*$", self._rules())  # type: ignore[no-untyped-call]
        # the first thing in the running loop: the port is final, and no request has come yet.
        # `_start_jupyter_server_extension` is called there too, but only since jupyter_server 2.15
        self.serverapp.io_loop.add_callback(self._begin)

    def read_settings(self) -> Settings:
        """What is in force: the server's configuration, else the environment.

        Takes secrets out of the environment.

        Raises:
            InvalidParameterError: one cannot be read; names it.
        """
        try:
            found = _DEFAULTS.with_environ(os.environ)
        finally:
            for name in _SECRET_SETTINGS:
                os.environ.pop(PREFIX + name.upper(), None)
        names = [one.name for one in setting_fields() if self.has_trait(one.name)]
        return found.configured(
            {name: value for name in names if (value := getattr(self, name)) not in (None, [])}
        )

    async def stop_extension(self) -> None:
        """Ends cleanly: a refresh that was sent is finished and written."""
        self.host.drain()
        try:
            await asyncio.wait_for(asyncio.to_thread(self._end), _STOP_SECONDS)
        except TimeoutError:
            self.log.warning("The token service is still at work after %.0f s.", _STOP_SECONDS)

    def _rules(self) -> list[Rule]:
        from jupyter_oauthconn.web import handlers

        from .handlers import ServerPersonHandler, gated

        return gated(handlers(self.host, ServerPersonHandler))

    def _begin(self) -> None:
        # Ctrl-C without a terminal ends Jupyter without a word to its extensions
        atexit.register(self._end)
        self._announce()
        assert self.serverapp is not None
        self.serverapp.io_loop.call_later(_OPEN_AFTER_SECONDS, self.host.open)

    def _announce(self) -> None:
        assert self.serverapp is not None
        url = local_url(self.serverapp)
        if url is None:
            self.log.warning(
                "jupyter_oauthconn: this server listens on a Unix socket, where kernels do not "
                "reach its token service. Let it listen on a port of localhost."
            )
            return
        self.host.reached_at(f"{url}oauthconn/")
        try:
            self.announcement.make(
                ServiceFile(
                    url=f"{url}oauthconn/",
                    credential=self.host.new_credential(),
                    certificate=certificate(self.serverapp),
                    store=self._fingerprint,
                    pid=os.getpid(),
                    version=version("jupyter-oauthconn"),
                )
            )
        except (OSError, RuntimeError, UnicodeError) as error:
            self.log.error("jupyter_oauthconn: kernels get no credential. %s", error)

    def _report(self, opening: Future[None]) -> None:
        """In the thread that has tried to open the service; requests may try again and again."""
        match opening.exception():
            case None:
                self.announcement.sweep()
            case OAuthConnError() as error if error.message != self._reported:
                self._reported = error.message
                self.log.error("jupyter_oauthconn: %s %s", error.message, error.hint)
            case OAuthConnError():
                pass
            case error:
                self.log.error("jupyter_oauthconn does not start.", exc_info=error)

    def _end(self) -> None:
        atexit.unregister(self._end)
        self.host.close()
        self.announcement.withdraw()
