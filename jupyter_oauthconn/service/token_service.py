"""The token service, put together: where every part meets its neighbours."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from uuid import UUID

from jupyter_oauthconn.catalog import Catalog, load
from jupyter_oauthconn.errors import OAuthConnError
from jupyter_oauthconn.model import Settings
from jupyter_oauthconn.protocol import AddressGuard, Transport
from jupyter_oauthconn.storage import Store

from .checks.doctor import Checks
from .declared.files import apply_files
from .profile import Profiles
from .refresh import Exchange, KeptAnswers, Refresher
from .registry import Access, Clients, Connections, GrantsOfAll
from .registry.client_drafts import ClientRules
from .settings import RunningSettings
from .sign_in import SignIns
from .sign_in.redirect_uris import USUAL_MOUNT
from .tokens import Tokens


class TokenService:
    """Keeps grants and hands out access tokens, for every owner.

    Its parts are its interface: `tokens`, `sign_ins`, `clients`, `connections`, `grants`,
    `settings`, `checks`, `catalog`, `store`. Thread-safe; a forked child opens one of its own.
    """

    def __init__(
        self, settings: Settings, store: Store, catalog: Catalog, *, mount_path: str = USUAL_MOUNT
    ) -> None:
        self.configured = settings
        self.mount_path = mount_path
        self.settings = RunningSettings(store, settings)
        self.store = store
        self.catalog = catalog
        guard = AddressGuard(settings.allowed_private_hosts)
        self.transport = Transport(guard=guard, ca_bundle=settings.ca_bundle, proxy=settings.proxy)
        self.profiles = Profiles(store, catalog, self.transport)
        self._kept = KeptAnswers(store)
        exchange = Exchange(store, self.profiles, self.transport, self._kept, self.settings)
        self._refresher = Refresher(store, exchange, self._kept)
        self.tokens = Tokens(store, self._refresher)
        self.sign_ins = SignIns(store, self.profiles, self.transport, self.settings)
        self.access = Access(store, self.settings)
        self.connections = Connections(store, catalog, self.profiles, self.transport, self.access)
        self.client_rules = ClientRules(catalog, guard, settings, mount_path)
        self.clients = Clients(store, catalog, self.client_rules, self.access, self.connections)
        self.grants = GrantsOfAll(store, catalog, self.connections)
        self.checks = Checks(
            store,
            catalog,
            profiles=self.profiles,
            transport=self.transport,
            tokens=self.tokens,
            registry=self.clients,
            connections=self.connections,
            access=self.access,
            settings=self.settings,
        )

    @classmethod
    def open(
        cls,
        settings: Settings,
        home: Path,
        *,
        mount_path: str = USUAL_MOUNT,
        environ: Mapping[str, str] | None = None,
    ) -> TokenService:
        """Opens (at first start: makes) database, keys and catalog, and applies `config_files`.

        Args:
            mount_path: that new OAuth clients come back below, e.g. `/base/oauthconn/`.
            environ: where references to secrets in `config_files` look; None: the environment of
                this process.

        Raises:
            StorageError, MissingKeyError, ConfigurationError
        """
        store = Store.open(home=home, database_url=settings.database_url)
        catalog = load([Path(path) for path in settings.catalog_paths])
        service = cls(settings, store, catalog, mount_path=mount_path)
        try:
            store.journal.prune(store.now() - service.settings.now().audit_retention)
            apply_files(service, settings.config_files, environ)
        except OAuthConnError:
            service.close()
            raise
        return service

    def owner(self, kind: str, external_id: str, name: str) -> UUID:
        """The owner's id; made when first seen."""
        return self.store.owners.ensure(kind, external_id, name)

    def close(self) -> None:
        """Finishes what is under way, then saves or spools every answer."""
        self._refresher.close()
        self._kept.close()
        self.transport.close()
        self.store.close()
