"""The bodies of what moderators do, and of questions about permissions."""

import re
from datetime import datetime
from typing import Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema

from gateroom.rooms.model import Action
from gateroom.web.bodies import Body
from gateroom.web.schemas import Listing, RoomId, UserReference

_RFC3339 = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})", re.IGNORECASE)
_LAST_YEAR = 9000  # what comes later may be no date at all where it is shown


def _moment(value: object) -> datetime:
    if isinstance(value, str) and _RFC3339.fullmatch(value):
        moment = datetime.fromisoformat(value.upper())
        if moment.year <= _LAST_YEAR:
            return moment
    raise ValueError("is not a date and time as RFC 3339 has it")


Moment = Annotated[datetime, BeforeValidator(_moment), WithJsonSchema({"type": "string", "format": "date-time"})]


class Sentence(Body):
    """For how long."""

    until: Moment | None = Field(
        None, description="When it ends (RFC 3339); left out: for good.", examples=["2027-01-01T00:00:00Z"]
    )

    @property
    def seconds(self) -> float | None:
        """The end in seconds since the epoch."""
        return self.until.timestamp() if self.until else None


class SanctionView(Body):
    id: str
    username: str
    since: str
    until: str | None = Field(description="null: for good")


class Question(Body):
    user: UserReference
    action: Action
    room: RoomId


class Answer(Body):
    allowed: bool
    because: list[str] = Field(
        description="What decided: scope, role, visibility, ban, mute or template, and the rule about the action.",
        examples=[["role viewer", "rule write: owner, moderator, member"]],
    )


class SanctionPage(Listing[SanctionView]):
    """Bans or mutes in force, by username."""
