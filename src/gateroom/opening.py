"""What the settings say is opened: the database, the signing keys, the kinds of rooms."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from gateroom.auth.key_files import KeyDirectory, ring_of
from gateroom.auth.keys import KeyRing, SigningKey
from gateroom.auth.passwords import Passwords
from gateroom.auth.registry import Registry
from gateroom.auth.sessions import Terms
from gateroom.auth.tokens import AccessTokens
from gateroom.rooms.model import RoomKind
from gateroom.settings import Settings
from gateroom.storage.api_keys import SqlApiKeys
from gateroom.storage.audit import SqlAudit
from gateroom.storage.database import open_database
from gateroom.storage.identities import SqlIdentities
from gateroom.storage.lives import SqlLives
from gateroom.storage.migrate import upgrade
from gateroom.storage.places import SqlPlaces
from gateroom.storage.rooms import SqlMembers, SqlRooms
from gateroom.storage.sanctions import SqlSanctions
from gateroom.storage.sessions import SqlRevocations, SqlSessions
from gateroom.storage.streams import SqlStreams
from gateroom.storage.tickets import SqlTickets
from gateroom.storage.users import SqlUsers


@dataclass(frozen=True, slots=True)
class Stores:
    """The opened database as the core sees it, and the accounts in it."""

    users: SqlUsers
    identities: SqlIdentities
    sessions: SqlSessions
    revocations: SqlRevocations
    rooms: SqlRooms
    members: SqlMembers
    sanctions: SqlSanctions
    lives: SqlLives
    places: SqlPlaces
    streams: SqlStreams
    tickets: SqlTickets
    audit: SqlAudit
    api_keys: SqlApiKeys
    passwords: Passwords
    registry: Registry
    check: Callable[[], Awaitable[None]]


@asynccontextmanager
async def open_stores(settings: Settings) -> AsyncIterator[Stores]:
    """Open the configured database, bring its schema up to date, and close it in the end. Raises `StorageError`."""
    given = settings.storage.url
    url = given.get_secret_value() if given else f"sqlite:///{settings.server.data_dir / 'gateroom.db'}"
    database = open_database(url, settings.storage.synchronous)
    passwords = Passwords(min_length=settings.auth.password_min_length)
    users = SqlUsers(database)
    registry = Registry(users, users, users, passwords, frozenset(settings.auth.default_scopes), time.time)
    try:
        await upgrade(database)
        yield Stores(
            users,
            SqlIdentities(database),
            SqlSessions(database),
            SqlRevocations(database),
            SqlRooms(database, time.time),
            SqlMembers(database, time.time),
            SqlSanctions(database, time.time),
            SqlLives(database),
            SqlPlaces(database),
            SqlStreams(database, time.time),
            SqlTickets(database),
            SqlAudit(database),
            SqlApiKeys(database),
            passwords,
            registry,
            database.ping,
        )
    finally:
        passwords.close()
        await database.close()


def key_directory(settings: Settings) -> KeyDirectory:
    """Return the keys of the data directory, below the configured secrets if there are any. Raises `KeyRefused`."""
    given = (settings.auth.hmac_secret, settings.auth.previous_hmac_secret)
    secrets = [SigningKey.from_secret(secret.get_secret_value()) for secret in given if secret is not None]
    return KeyDirectory(settings.server.data_dir / "keys", secrets)


def load_keys(settings: Settings) -> KeyRing:
    """Return the signing keys, made on first use. Raises `KeyRefused`."""
    return ring_of(key_directory(settings).keys())


def access_tokens(settings: Settings, ring: KeyRing) -> AccessTokens:
    return AccessTokens(ring, settings.issuer, settings.auth.audience, settings.auth.access_ttl, time.time)


def session_terms(settings: Settings) -> Terms:
    return Terms(idle=settings.auth.refresh_ttl, whole=settings.auth.session_max_age)


def room_kinds(settings: Settings) -> Mapping[str, RoomKind]:
    return {
        name: RoomKind(name=name, **{**kind.model_dump(), "join_leave": kind.join_leave == "auto"})
        for name, kind in settings.rooms.kinds.items()
    }
