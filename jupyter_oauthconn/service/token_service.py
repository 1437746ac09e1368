"""The token service, put together: where every part meets its neighbours."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

from jupyter_oauthconn.catalog import Catalog, load
from jupyter_oauthconn.model import Settings
from jupyter_oauthconn.protocol import AddressGuard, Transport
from jupyter_oauthconn.storage import Store

from .checks.doctor import Checks
from .clients import Clients
from .connections import Connections
from .profile import Profiles
from .refresh import Exchange, KeptAnswers, Refresher
from .sign_in import SignIns
from .sign_in.redirect_uris import USUAL_MOUNT
from .tokens import Tokens


class TokenService:
    """Keeps grants and hands out access tokens, for every owner.

    Its parts are its interface: `tokens`, `sign_ins`, `clients`, `connections`, `checks`,
    `catalog`, `store`. Thread-safe; a forked child opens one of its own.
    """

    def __init__(
        self, settings: Settings, store: Store, catalog: Catalog, *, mount_path: str = USUAL_MOUNT
    ) -> None:
        self.settings = settings
        self.store = store
        self.catalog = catalog
        guard = AddressGuard(settings.allowed_private_hosts)
        self.transport = Transport(guard=guard, ca_bundle=settings.ca_bundle, proxy=settings.proxy)
        self.profiles = Profiles(store, catalog, self.transport)
        self._kept = KeptAnswers(store)
        margin = settings.refresh_margin
        exchange = Exchange(store, self.profiles, self.transport, self._kept, margin=margin)
        self._refresher = Refresher(store, exchange, self._kept)
        self.tokens = Tokens(store, self.profiles, self._refresher)
        self.sign_ins = SignIns(
            store,
            self.profiles,
            self.transport,
            lifetime=settings.authorization_lifetime,
            margin=margin,
        )
        self.clients = Clients(store, catalog, guard, settings, mount_path)
        self.connections = Connections(store, catalog, self.profiles, self.transport)
        self.checks = Checks(
            store,
            catalog,
            profiles=self.profiles,
            transport=self.transport,
            tokens=self.tokens,
            connections=self.connections,
        )

    @classmethod
    def open(cls, settings: Settings, home: Path, *, mount_path: str = USUAL_MOUNT) -> TokenService:
        """Opens (at first start: makes) database, keys and catalog.

        Args:
            mount_path: that new OAuth clients come back below, e.g. `/base/oauthconn/`.

        Raises:
            StorageError, MissingKeyError
        """
        store = Store.open(home=home, database_url=settings.database_url)
        store.journal.prune(store.now() - settings.audit_retention)
        catalog = load([Path(path) for path in settings.catalog_paths])
        return cls(settings, store, catalog, mount_path=mount_path)

    def owner(self, kind: str, external_id: str, name: str) -> UUID:
        """The owner's id; made when first seen."""
        return self.store.owners.ensure(kind, external_id, name)

    def close(self) -> None:
        """Finishes what is under way, then saves or spools every answer."""
        self._refresher.close()
        self._kept.close()
        self.transport.close()
        self.store.close()
