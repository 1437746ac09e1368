"""Routes for administrators: settings, keys, other people's grants."""

from __future__ import annotations

from jupyter_oauthconn import wire

from .paging import whole
from .route import ApiCall, Route


def _settings(call: ApiCall) -> object:
    return whole([wire.setting_json(one) for one in call.broker.settings()])


def _change(call: ApiCall) -> object:
    found = call.broker.change_settings(call.body["settings"])
    return whole([wire.setting_json(one) for one in found])


def _keys(call: ApiCall) -> object:
    keys: list[wire.Key] = [
        {"id": one.id, "active": one.active, "values": one.values}
        for one in call.host.service.store.key_uses()
    ]
    return whole(keys)


def _revoke_grant(call: ApiCall) -> wire.Revocation:
    return wire.revocation_json(call.broker.revoke_grant(call.id))


ROUTES = (
    Route(method="GET", path="api/v1/settings", act=_settings, administrator=True,
          answer=wire.Setting, several=True,
          summary="What is in force, and where each setting comes from."),
    Route(method="PATCH", path="api/v1/settings", act=_change, administrator=True,
          body=wire.SettingsChanges, answer=wire.Setting, several=True,
          summary="Changes settings while the service runs; those that configuration or "
          "environment say cannot be."),
    Route(method="GET", path="api/v1/keys", act=_keys, administrator=True,
          answer=wire.Key, several=True,
          summary="The keys' ids and how much is sealed with each; never a key."),
    Route(method="DELETE", path="api/v1/grants/{id}", act=_revoke_grant,
          asks_provider=True, answer=wire.Revocation,
          summary="Ends one's own sign-in, an administrator's: anybody's, here and at the "
          "provider."),
)  # fmt: skip
