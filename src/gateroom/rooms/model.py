"""What a room is: values only, no rules and no storage."""

import math
from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """A power inside one room, strongest first."""

    OWNER = "owner"
    MODERATOR = "moderator"
    MEMBER = "member"
    VIEWER = "viewer"


class Action(StrEnum):
    """What one may want to do in a room."""

    READ = "read"  # join, history, presence, state, member list
    WRITE = "write"  # publish
    PATCH = "patch"  # change the shared state
    MODERATE = "moderate"  # kick, ban, mute
    MANAGE = "manage"  # add, change and remove members and viewers
    APPOINT = "appoint"  # make and unmake moderators and owners
    CHANGE = "change"  # title, visibility and other settings
    DELETE = "delete"


class Visibility(StrEnum):
    PRIVATE = "private"
    PUBLIC = "public"


class Durability(StrEnum):
    """What a published message outlives."""

    NONE = "none"  # nothing: it is delivered and not kept
    MEMORY = "memory"  # the connection
    DURABLE = "durable"  # the process


@dataclass(frozen=True, slots=True)
class RoomKind:
    """What all rooms of a kind have in common (config `rooms.kinds.<kind>`). Times in seconds; 0 means no limit."""

    name: str = "default"
    history_size: int = 100  # messages; 0: none are kept
    history_ttl: float = 86400
    durability: Durability = Durability.DURABLE
    capacity: int = 0  # users who may be in such a room at once
    ttl: float = 0  # how long a room lives after it was last used
    public_role: Role = Role.MEMBER
    presence: bool = True
    join_leave: bool = True  # announce who comes and goes
    max_state_bytes: int = 65536  # of the shared document, as JSON text

    def capacity_of(self, room: "Room | None") -> int:
        """Return how many users may be in a room of this kind at once; 0: no limit."""
        return self.capacity if room is None or room.capacity is None else room.capacity

    def ttl_of(self, room: "Room | None") -> float:
        """Return how many seconds a room of this kind lives after it was last used; 0: for good."""
        return self.ttl if room is None or room.ttl is None else room.ttl


@dataclass(frozen=True, slots=True)
class RoomCaps:
    """How many rooms there may be; 0 means no limit."""

    max_rooms: int = 0
    max_rooms_per_user: int = 0  # that one is an owner of, or without an owner brought into being


NO_CAPS = RoomCaps()


@dataclass(frozen=True, slots=True)
class Room:
    """A named place that messages are published to. Times are seconds since the epoch; None: as its kind has it."""

    id: str
    kind: str
    title: str
    visibility: Visibility
    created_by: str | None  # a user id; None for rooms the server makes
    created_at: float
    capacity: int | None = None  # users who may be in it at once; 0: no limit
    ttl: float | None = None  # seconds that it lives after it was last used; 0: for good


@dataclass(frozen=True, slots=True)
class RoomChanges:
    """What is to be different about a room; None: as it is."""

    title: str | None = None
    visibility: Visibility | None = None
    capacity: int | None = None
    ttl: float | None = None


@dataclass(frozen=True, slots=True)
class Member:
    """A user's standing place in a room."""

    room_id: str
    user_id: str
    username: str
    role: Role
    since: float


class Measure(StrEnum):
    """What moderators take against a user, for a time or for good."""

    BAN = "ban"  # may do nothing in the room, whatever else they are
    MUTE = "mute"  # may read only


@dataclass(frozen=True, slots=True)
class Sanction:
    """A measure in force. Times are seconds since the epoch; `until` None is for good."""

    measure: Measure
    room_id: str
    user_id: str
    username: str
    since: float
    until: float | None


@dataclass(frozen=True, slots=True)
class Restraints:
    """Until when a user is banned from a room and muted in it: seconds since the epoch, 0 not at all, or infinity."""

    banned_until: float = 0.0
    muted_until: float = 0.0


UNRESTRAINED = Restraints()


@dataclass(frozen=True, slots=True)
class Grants:
    """What one principal may do in one room, and why; from the moment `until` on `after` holds instead.

    `measure` is the sanction that takes something away.
    """

    role: Role | None
    actions: frozenset[Action]
    because: tuple[str, ...]
    measure: Measure | None = None
    until: float = math.inf  # seconds since the epoch
    after: "Grants | None" = None

    def at(self, now: float) -> "Grants":
        """Return what holds at this moment, not before these grants were judged."""
        return self if now < self.until or self.after is None else self.after.at(now)
