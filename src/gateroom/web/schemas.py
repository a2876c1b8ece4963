"""The bodies of the HTTP API, as its OpenAPI page shows them."""

from typing import Annotated, Any, Generic, TypeVar

import msgspec
from pydantic import Field, StringConstraints

from gateroom.auth.passwords import MAX_LENGTH as MAX_PASSWORD_LENGTH
from gateroom.names import ROOM_ID_PATTERN, USER_REFERENCE_PATTERN, USERNAME_PATTERN
from gateroom.protocol.codec import check_json
from gateroom.rooms.model import Role, Visibility
from gateroom.web.bodies import Body as _Body

T = TypeVar("T")


def _written(pattern: str) -> str:
    """Write a pattern as JSON Schema and pydantic's engine have it: there `$` is the very end (ECMA-262)."""
    return pattern.replace(r"\Z", "$")


Username = Annotated[str, StringConstraints(pattern=_written(USERNAME_PATTERN))]
UserReference = Annotated[
    str, Field(pattern=_written(USER_REFERENCE_PATTERN), description="A user's id, or @username.", examples=["@ada"])
]
RoomId = Annotated[str, Field(pattern=_written(ROOM_ID_PATTERN), examples=["lobby"])]
ScopeName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_.-]{1,40}(:[a-z0-9_.-]{1,40})?$")]
RoleName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_.-]{0,39}$")]
Capacity = Annotated[int, Field(ge=0, le=1_000_000_000, description="Users at once; 0: no limit.")]
Ttl = Annotated[
    float, Field(ge=0, le=315_360_000, description="Seconds the room lives after it was last used; 0: for good.")
]
# Told to readers of the document; what is wrong with a password is said by `auth.passwords`.
NewPassword = Annotated[
    str,
    Field(
        max_length=4096,
        examples=["correct horse battery staple"],
        json_schema_extra={"minLength": 8, "maxLength": MAX_PASSWORD_LENGTH},
    ),
]
Title = Annotated[str, StringConstraints(max_length=200)]


class Problem(_Body):
    """What went wrong (RFC 9457). `code` is stable; the sentences are not."""

    type: str = Field(examples=["urn:gateroom:problem:forbidden"])
    title: str
    status: int
    detail: str
    code: str = Field(examples=["forbidden"])


class OAuthProblem(_Body):
    """What went wrong (RFC 6749 section 5.2)."""

    error: str = Field(examples=["invalid_grant"])
    error_description: str


class Token(_Body):
    """An access token, and what the next one is had for (RFC 6749 section 5.1)."""

    access_token: str
    token_type: str = Field(examples=["bearer"])
    expires_in: int = Field(description="Seconds the access token is good for.", examples=[900])
    refresh_token: str = Field(description="Good once, for the next pair.", examples=["grr_…"])
    scope: str = Field(examples=["rooms:create users:send"])


class Introspection(_Body):
    """What an access token allows (RFC 7662 section 2.2); `active` alone for anything else."""

    active: bool
    scope: str | None = None
    roles: list[str] | None = None
    client_id: str | None = None
    username: str | None = None
    token_type: str | None = Field(None, examples=["Bearer"])
    exp: int | None = None
    iat: int | None = None
    sub: str | None = None
    aud: str | None = None
    iss: str | None = None
    jti: str | None = None
    sid: str | None = None


class LoginRequest(_Body):
    username: Annotated[str, Field(max_length=64, examples=["ada"])]
    password: Annotated[str, Field(max_length=1024, examples=["correct horse battery staple"])]
    cookie: bool = Field(False, description="Put the token into an HttpOnly cookie instead of the body.")


class NewTicket(_Body):
    room: RoomId | None = Field(None, description="The one room that the ticket is good for; left out: any socket.")


class TicketView(_Body):
    """A ticket: good once, as `?ticket=` of a socket's URL."""

    ticket: str = Field(examples=["grt_0mUpQm8UeI0HFgbXoL4JXo2bK3uO9tTzYQ1kQG6bq4E"])
    expires_in: int = Field(description="Seconds it is good for.", examples=[30])


class Profile(_Body):
    id: str
    username: str
    roles: list[str]
    scopes: list[str]


class CookieLogin(_Body):
    """The answer to a login by cookie: the token itself is out of scripts' reach."""

    user: Profile
    expires_in: int
    csrf_token: str = Field(description="Send it as X-CSRF-Token with every request that changes something.")


class RefreshRequest(_Body):
    refresh_token: Annotated[str, Field(max_length=200, examples=["grr_…"])]


class PasswordChange(_Body):
    current_password: Annotated[str, Field(max_length=1024, examples=["the password so far"])]
    new_password: NewPassword


class SessionView(_Body):
    """One login on one device."""

    id: str
    client: str = Field(examples=["gateroom"])
    user_agent: str = Field(description="What the device called itself at login, shortened.")
    address: str = Field(examples=["192.0.2.7"])
    created_at: str = Field(examples=["2026-11-20T12:00:00.000Z"])
    last_used_at: str = Field(description="The login or the last refresh.", examples=["2026-11-20T12:00:00.000Z"])
    expires_at: str = Field(description="When it ends without a refresh.", examples=["2026-12-20T12:00:00.000Z"])
    current: bool = Field(description="Whether it is the one that asks.")


class Ended(_Body):
    sessions: int = Field(description="How many ended.")


class Me(Profile):
    session: str
    expires_at: str = Field(examples=["2026-11-20T12:15:00.000Z"])
    csrf_token: str | None = Field(None, description="Only for a caller by cookie.")


class NewUser(_Body):
    username: Username = Field(examples=["ada"])
    password: NewPassword
    roles: Annotated[list[RoleName], Field(max_length=32)] = Field([])
    scopes: Annotated[list[ScopeName], Field(max_length=64)] | None = Field(
        None, description="Left out: the configured default scopes."
    )


class UserChange(_Body):
    """What is left out stays as it is."""

    roles: Annotated[list[RoleName], Field(max_length=32)] | None = Field(None, examples=[["editor"]])
    scopes: Annotated[list[ScopeName], Field(max_length=64)] | None = None
    disabled: bool | None = None


class UserView(Profile):
    disabled: bool
    created_at: str = Field(examples=["2026-11-20T12:00:00.000Z"])


class NewRoom(_Body):
    id: RoomId
    kind: Annotated[str, Field(max_length=40, json_schema_extra={"pattern": "^[a-z0-9_-]{1,32}$"})] = "default"
    title: Title = ""
    visibility: Visibility = Visibility.PRIVATE
    capacity: Capacity | None = Field(None, description="Users at once; 0: no limit; left out: as its kind has it.")
    ttl: Ttl | None = Field(
        None, description="Seconds it lives after it was last used; 0: for good; left out: as its kind has it."
    )


class RoomChange(_Body):
    """What is left out stays as it is."""

    title: Title | None = Field(None, examples=["The desk"])
    visibility: Visibility | None = None
    capacity: Capacity | None = None
    ttl: Ttl | None = None


class RoomView(_Body):
    id: RoomId
    kind: str
    title: str
    visibility: Visibility
    capacity: Capacity
    ttl: Ttl
    created_at: str


class RoleChange(_Body):
    role: Role


class MemberView(_Body):
    id: str
    username: str
    role: Role
    since: str


class NewBroadcast(_Body):
    data: Any = Field(description="Any JSON.", examples=[{"text": "hello"}])

    def text(self) -> bytes:
        """Return the data as JSON text that every receiver can read. Raises `InvalidCommand`."""
        text = msgspec.json.encode(self.data)
        check_json(text)
        return text


class NewMessage(NewBroadcast):
    key: Annotated[str, Field(min_length=1, max_length=64)] | None = Field(
        None, description="Your name for this message: sent again within 10 minutes, it is not published twice."
    )


class Reached(_Body):
    connections: int = Field(description="How many connections have it now.")


class PositionView(_Body):
    epoch: str
    seq: int


class Published(_Body):
    position: PositionView
    duplicate: bool = Field(False, description="It was published before with the same key; this is where.")


class Sent(Published):
    connections: int = Field(description="How many connections have it now; 0: it waits in the inbox.")


class StateChanged(_Body):
    state_version: int = Field(description="It rises by one with every patch.", examples=[7])


class Present(_Body):
    id: str
    name: str
    connections: int


class Presence(_Body):
    users: list[Present]


class ConnectionView(_Body):
    id: str
    rooms: list[str]


class Disconnected(_Body):
    connections: int


class History(_Body):
    messages: list[dict[str, Any]]
    position: PositionView
    more: bool
    recovered: bool


class Listing(_Body, Generic[T]):
    """One page; `next` is the cursor of the next one."""

    items: list[T]
    next: str | None


# Names that generated clients can live with.
class UserPage(Listing[UserView]):
    """Accounts by username."""


class SessionPage(Listing[SessionView]):
    """A user's sessions, newest first."""


class ConnectionPage(Listing[ConnectionView]):
    """A user's live connections."""


class RoomPage(Listing[RoomView]):
    """Rooms by id."""


class MemberPage(Listing[MemberView]):
    """Members by username."""


class Health(_Body):
    status: str = Field(examples=["ok"])
    checks: dict[str, str] = Field(default={}, examples=[{"storage": "ok"}])
