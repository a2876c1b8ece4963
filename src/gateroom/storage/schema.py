"""The tables as they are now; how they came to be is in `migrations`."""

from enum import StrEnum
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Dialect,
    Double,
    Enum,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Named,
    Table,
    Text,
    TypedColumns,
    TypeDecorator,
)

from gateroom.rooms.model import Measure, Role, Visibility

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)


class StringSet(TypeDecorator[frozenset[str]]):
    """A set of strings, kept as a sorted JSON array."""

    impl = JSON
    cache_ok = True

    def process_bind_param(self, value: frozenset[str] | None, dialect: Dialect) -> list[str] | None:
        return None if value is None else sorted(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> frozenset[str] | None:
        return None if value is None else frozenset(value)


# Ids and names sort by code point everywhere: the order of pages must not depend on the server's locale.
KEY = Text().with_variant(Text(collation="C"), "postgresql")


def _word(kind: type[StrEnum]) -> Enum:
    return Enum(kind, native_enum=False, length=16, values_callable=lambda words: [word.value for word in words])


class UserColumns(TypedColumns):
    id: Named[str] = Column(KEY, primary_key=True)
    username: Named[str] = Column(KEY, unique=True)
    roles: Named[frozenset[str]] = Column(StringSet)
    scopes: Named[frozenset[str]] = Column(StringSet)
    created_at: Named[float] = Column(Double)  # seconds since the epoch, as all times
    disabled: Named[bool]
    valid_from: Named[float] = Column(Double)


class PasswordColumns(TypedColumns):
    user_id: Named[str] = Column(KEY, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    hash: Named[str] = Column(Text)


class SessionColumns(TypedColumns):
    id: Named[str] = Column(KEY, primary_key=True)
    user_id: Named[str] = Column(KEY, ForeignKey("users.id", ondelete="CASCADE"))
    client_id: Named[str] = Column(Text)
    scopes: Named[frozenset[str]] = Column(StringSet)
    user_agent: Named[str] = Column(Text)
    address: Named[str] = Column(Text)
    created_at: Named[float] = Column(Double)
    used_at: Named[float] = Column(Double)
    expires_at: Named[float] = Column(Double)
    ends_at: Named[float] = Column(Double)
    family: Named[bytes] = Column(LargeBinary, unique=True)  # SHA-256 of what its refresh tokens share
    current: Named[bytes] = Column(LargeBinary)  # SHA-256 of the newest one's own part


class RevokedTokenColumns(TypedColumns):
    id: Named[str] = Column(KEY, primary_key=True)  # jti
    expires_at: Named[float] = Column(Double)


class IdentityColumns(TypedColumns):
    issuer: Named[str] = Column(KEY, primary_key=True)
    subject: Named[str] = Column(KEY, primary_key=True)
    user_id: Named[str] = Column(KEY, ForeignKey("users.id", ondelete="CASCADE"))
    as_of: Named[float] = Column(Double)


class RoomColumns(TypedColumns):
    id: Named[str] = Column(KEY, primary_key=True)
    kind: Named[str] = Column(Text)
    title: Named[str] = Column(Text)
    visibility: Named[Visibility] = Column(_word(Visibility))
    created_by: Named[str | None] = Column(KEY, ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Named[float] = Column(Double)
    capacity: Named[int | None] = Column(BigInteger)  # None, here and below: as the kind has it
    ttl: Named[float | None] = Column(Double)
    expires_at: Named[float | None] = Column(Double)  # None: it lives for good


class MemberColumns(TypedColumns):
    room_id: Named[str] = Column(KEY, ForeignKey("rooms.id", ondelete="CASCADE"), primary_key=True)
    user_id: Named[str] = Column(KEY, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    role: Named[Role] = Column(_word(Role))
    since: Named[float] = Column(Double)


class SanctionColumns(TypedColumns):
    room_id: Named[str] = Column(KEY, ForeignKey("rooms.id", ondelete="CASCADE"), primary_key=True)
    user_id: Named[str] = Column(KEY, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    measure: Named[Measure] = Column(_word(Measure), primary_key=True)
    since: Named[float] = Column(Double)
    until: Named[float | None] = Column(Double)  # None: for good


class StreamColumns(TypedColumns):
    topic: Named[str] = Column(KEY, primary_key=True)
    epoch: Named[str] = Column(KEY, unique=True)
    seq: Named[int] = Column(BigInteger)  # of the newest message
    floor: Named[int] = Column(BigInteger)  # everything up to this one was trimmed
    keep: Named[int] = Column(BigInteger)  # messages
    ttl: Named[float] = Column(Double)  # seconds
    due: Named[float | None] = Column(Double)  # when there is something to trim
    room_id: Named[str | None] = Column(KEY, ForeignKey("rooms.id", ondelete="CASCADE"))
    user_id: Named[str | None] = Column(KEY, ForeignKey("users.id", ondelete="CASCADE"))


class StreamMessageColumns(TypedColumns):
    epoch: Named[str] = Column(KEY, ForeignKey("streams.epoch", ondelete="CASCADE"), primary_key=True)
    seq: Named[int] = Column(BigInteger, primary_key=True, autoincrement=False)
    kind: Named[str] = Column(Text)
    at: Named[float] = Column(Double)
    body: Named[bytes] = Column(LargeBinary)


class StreamStateColumns(TypedColumns):
    epoch: Named[str] = Column(KEY, ForeignKey("streams.epoch", ondelete="CASCADE"), primary_key=True)
    version: Named[int] = Column(BigInteger)
    document: Named[bytes] = Column(LargeBinary)


class PublishKeyColumns(TypedColumns):
    id: Named[bytes] = Column(LargeBinary, primary_key=True)  # a digest of epoch, user and key
    seq: Named[int] = Column(BigInteger)
    at: Named[float] = Column(Double)


class TicketColumns(TypedColumns):
    digest: Named[bytes] = Column(LargeBinary, primary_key=True)
    claims: Named[dict[str, Any]] = Column(JSON)
    room: Named[str | None] = Column(KEY)
    expires_at: Named[float] = Column(Double)


class AuditColumns(TypedColumns):
    # SQLite numbers by itself only what it calls INTEGER.
    id: Named[int] = Column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True)
    at: Named[float] = Column(Double)
    action: Named[str] = Column(KEY)
    outcome: Named[str] = Column(KEY)
    actor: Named[str | None] = Column(KEY)
    actor_name: Named[str] = Column(Text)
    session: Named[str | None] = Column(KEY)
    target: Named[str | None] = Column(KEY)
    room: Named[str | None] = Column(KEY)
    address: Named[str] = Column(Text)
    repeats: Named[int] = Column(BigInteger)


class ApiKeyColumns(TypedColumns):
    id: Named[str] = Column(KEY, primary_key=True)
    user_id: Named[str] = Column(KEY, ForeignKey("users.id", ondelete="CASCADE"))
    name: Named[str] = Column(Text)
    scopes: Named[frozenset[str]] = Column(StringSet)
    digest: Named[bytes] = Column(LargeBinary)
    created_at: Named[float] = Column(Double)
    expires_at: Named[float | None] = Column(Double)
    used_at: Named[float | None] = Column(Double)


users = Table("users", metadata, UserColumns)
passwords = Table("passwords", metadata, PasswordColumns)
sessions = Table(
    "sessions",
    metadata,
    SessionColumns,
    Index(None, "user_id", "created_at", "id"),  # a user's devices, newest first
    Index(None, "expires_at"),
)
revoked_tokens = Table("revoked_tokens", metadata, RevokedTokenColumns, Index(None, "expires_at"))
identities = Table("identities", metadata, IdentityColumns, Index(None, "user_id"))  # a user's removal
rooms = Table(
    "rooms",
    metadata,
    RoomColumns,
    Index(None, "visibility", "id"),  # the page of public rooms
    Index(None, "created_by"),  # a user's removal
    Index(None, "expires_at"),
)
members = Table(
    "members",
    metadata,
    MemberColumns,
    Index(None, "room_id", "role"),  # is there another owner
    Index(None, "user_id", "room_id", "role"),  # a user's rooms, and those owned
)
sanctions = Table("sanctions", metadata, SanctionColumns, Index(None, "user_id"))
streams = Table(
    "streams",
    metadata,
    StreamColumns,
    Index(None, "due"),
    Index(None, "room_id"),  # a room's removal
    Index(None, "user_id"),
)
stream_messages = Table("stream_messages", metadata, StreamMessageColumns)
stream_states = Table("stream_states", metadata, StreamStateColumns)
publish_keys = Table("publish_keys", metadata, PublishKeyColumns, Index(None, "at"))
tickets = Table("tickets", metadata, TicketColumns, Index(None, "expires_at"))
audit = Table(
    "audit",
    metadata,
    AuditColumns,
    Index(None, "at"),
    Index(None, "actor", "id"),
    Index(None, "action", "id"),
    Index(None, "target", "id"),
    Index(None, "room", "id"),
)
api_keys = Table("api_keys", metadata, ApiKeyColumns, Index(None, "user_id"))
