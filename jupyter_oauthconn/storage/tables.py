"""The tables, and the three column types whose Python side differs from what a database keeps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.types import TypeDecorator

#: Alembic's revision that these tables have.
HEAD = "0002"
#: Oldest version of the package that reads a database of this revision; additions do not raise it.
READABLE_FROM = "0.1.0"


class UtcTime(TypeDecorator[datetime]):
    """An aware UTC time; SQLite keeps it without its zone, sortable as text."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Seconds(TypeDecorator[timedelta]):
    """A duration."""

    impl = sa.Double
    cache_ok = True

    def process_bind_param(self, value: timedelta | None, dialect: sa.Dialect) -> float | None:
        return None if value is None else value.total_seconds()

    def process_result_value(self, value: float | None, dialect: sa.Dialect) -> timedelta | None:
        return None if value is None else timedelta(seconds=value)


class Strings(TypeDecorator[tuple[str, ...]]):
    """A tuple of strings."""

    impl = sa.JSON
    cache_ok = True

    def process_bind_param(self, value: tuple[str, ...] | None, dialect: sa.Dialect) -> Any:
        return list(value or ())

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> tuple[str, ...]:
        return tuple(value)


metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _id() -> sa.Column[Any]:
    return sa.Column("id", sa.Uuid, primary_key=True)


def _text(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Text, nullable=False)


def _text_or_empty(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Text, nullable=False, server_default="")


def _maybe(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Text)


def _time(name: str) -> sa.Column[Any]:
    return sa.Column(name, UtcTime)


def _at(name: str) -> sa.Column[Any]:
    return sa.Column(name, UtcTime, nullable=False)


def _sealed(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.LargeBinary)


def _json(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.JSON, nullable=False)


def _strings(name: str) -> sa.Column[Any]:
    return sa.Column(name, Strings, nullable=False)


def _number(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Integer, nullable=False)


def _owned_by(name: str, target: str) -> sa.Column[Any]:
    return sa.Column(name, sa.ForeignKey(target, ondelete="CASCADE"), nullable=False, index=True)


store_meta = sa.Table(
    "store_meta", metadata, sa.Column("key", sa.Text, primary_key=True), _text("value")
)

key_sentinels = sa.Table(
    "key_sentinels",
    metadata,
    sa.Column("key_id", sa.Text, primary_key=True),
    sa.Column("value_sealed", sa.LargeBinary, nullable=False),
)

settings = sa.Table(
    "settings", metadata, sa.Column("key", sa.Text, primary_key=True), _text("value")
)

owners = sa.Table(
    "owners",
    metadata,
    _id(),
    _text("kind"),
    _text("external_id"),
    _text("name"),
    sa.UniqueConstraint("kind", "external_id"),
)

clients = sa.Table(
    "clients",
    metadata,
    _id(),
    _number("version"),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    _text("title"),
    _text_or_empty("description"),
    _text("provider"),
    _text("client_id"),
    _text("auth_method"),
    _json("parameters"),
    _maybe("issuer"),
    _json("endpoints"),
    _text("scope"),
    _json("authorization_parameters"),
    sa.Column("access_token_lifetime", Seconds),
    sa.Column("refresh_token_lifetime", Seconds),
    sa.Column("inactivity", Seconds),
    _strings("redirect_uris"),
    _maybe("loopback_port"),
    _strings("allowed_users"),
    _strings("allowed_groups"),
    sa.Column("enabled", sa.Boolean, nullable=False),
    _text("managed_by"),
    # of a client that a user registered for herself; without a foreign key, see the migration
    sa.Column("owner_id", sa.Uuid),
    _at("updated_at"),
    _text("updated_by"),
)

client_secrets = sa.Table(
    "client_secrets",
    metadata,
    _id(),
    _owned_by("client_id", "clients.id"),
    sa.Column("value_sealed", sa.LargeBinary, nullable=False),
    _at("set_at"),
    _time("ends_at"),
    _maybe("reference"),
)

connections = sa.Table(
    "connections",
    metadata,
    _id(),
    _number("version"),
    _owned_by("owner_id", "owners.id"),
    sa.Column(
        "client_id", sa.ForeignKey("clients.id", ondelete="RESTRICT"), nullable=False, index=True
    ),
    _text("name"),
    _json("parameters"),
    _text("scope"),
    _maybe("connector"),
    _text_or_empty("login_hint"),
    _strings("shared_users"),
    _strings("shared_groups"),
    _at("updated_at"),
    sa.UniqueConstraint("owner_id", "name"),
)

grants = sa.Table(
    "grants",
    metadata,
    _id(),
    _owned_by("owner_id", "owners.id"),
    _owned_by("connection_id", "connections.id"),
    _text("resource"),
    _number("generation"),
    # the generation that the last sign-in wrote: candidates of earlier ones may be another
    # account's and are never presented
    _number("sign_in_generation"),
    sa.Column("access_sealed", sa.LargeBinary, nullable=False),
    _sealed("refresh_sealed"),
    sa.Column("extra_sealed", sa.LargeBinary, nullable=False),
    _text("token_type"),
    _text("scope"),
    _text("requested_scope"),
    _maybe("identity"),
    _maybe("subject"),
    _at("issued_at"),
    _time("expires_at"),
    _time("refresh_at"),
    _time("refresh_expires_at"),
    _at("connected_at"),
    _time("refreshed_at"),
    _text("state"),
    _maybe("reason"),
    sa.Column("lease_id", sa.Uuid),
    _time("lease_until"),
    _text("attempt"),
    # set while a refresh token may have been spent without an answer; a new claim leaves it
    _time("sent_at"),
    sa.Column("last_attempt_id", sa.Uuid),
    _number("failures"),
    _time("not_before"),
    sa.Column("last_error", sa.JSON(none_as_null=True)),
    sa.UniqueConstraint("owner_id", "connection_id", "resource"),
)

grant_use = sa.Table(
    "grant_use",
    metadata,
    sa.Column("grant_id", sa.ForeignKey("grants.id", ondelete="CASCADE"), primary_key=True),
    _at("last_used"),
)

refresh_candidates = sa.Table(
    "refresh_candidates",
    metadata,
    _id(),
    _owned_by("grant_id", "grants.id"),
    sa.Column("lease_id", sa.Uuid, nullable=False),
    _number("generation"),
    _sealed("access_sealed"),
    sa.Column("refresh_sealed", sa.LargeBinary, nullable=False),
    _at("received_at"),
    _time("used_at"),
)

authorizations = sa.Table(
    "authorizations",
    metadata,
    _id(),
    _owned_by("owner_id", "owners.id"),
    _owned_by("connection_id", "connections.id"),
    _text("flow"),
    _text("state"),
    _maybe("public_url"),
    _text("holder"),
    _time("held_until"),
    _at("created_at"),
    _at("expires_at"),
    _maybe("identity"),
    sa.Column("error", sa.JSON(none_as_null=True)),
    # from here on: what the button wrote
    sa.Column("state_hash", sa.LargeBinary, unique=True),
    _sealed("browser_hash"),
    _time("consumed_at"),
    sa.Column("client_id", sa.Uuid),
    _maybe("redirect_uri"),
    _maybe("issuer"),
    _maybe("token_endpoint"),
    _maybe("requested_scope"),
    sa.Column("iss_required", sa.Boolean),
    _sealed("verifier_sealed"),
    _sealed("nonce_sealed"),
    # the tokens of another account, until the person confirms it
    _sealed("held_sealed"),
    sa.Index(
        "uq_authorizations_pending",
        "owner_id",
        "connection_id",
        unique=True,
        sqlite_where=sa.text("state = 'pending'"),
        postgresql_where=sa.text("state = 'pending'"),
    ),
)

events = sa.Table(
    "events",
    metadata,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    _at("at"),
    _text("kind"),
    _text("outcome"),
    sa.Column("owner", sa.Text, nullable=False, index=True),
    _text("actor"),
    _maybe("client"),
    _maybe("connection"),
    _json("origin"),
    _maybe("request_id"),
)
