"""The bodies of what operators and back ends work with: the audit log, API keys; and of registering."""

from typing import Annotated

from pydantic import Field, StringConstraints

from gateroom.web.bodies import Body
from gateroom.web.moderation_schemas import Moment
from gateroom.web.schemas import Listing, ScopeName, Username


class Actor(Body):
    id: str
    name: str


class AuditView(Body):
    """One thing that was done, or refused."""

    at: str = Field(examples=["2026-11-20T12:00:00.000Z"])
    action: str = Field(examples=["moderation.ban"])
    outcome: str = Field(description="ok, or the code of the error.", examples=["ok"])
    actor: Actor | None
    session: str | None
    target: str | None = Field(examples=["user:2vbx4xhxk5nqsfvgnvcnsa6ice"])
    room: str | None
    address: str
    repeats: int = Field(description="Other than 0: it stands for so many that were not kept one by one.")


class AuditPage(Listing[AuditView]):
    """The audit log, newest first."""


class NewAccount(Body):
    username: Username = Field(examples=["ada"])
    password: Annotated[str, Field(max_length=4096, examples=["correct horse battery staple"])]


class NewKey(Body):
    name: Annotated[str, StringConstraints(min_length=1, max_length=80)] = Field(examples=["order service"])
    scopes: Annotated[list[ScopeName], Field(max_length=64, examples=[["users:send"]])]
    expires_at: Moment | None = Field(
        None, description="When it ends (RFC 3339); left out: never.", examples=["2027-01-01T00:00:00Z"]
    )

    @property
    def expires(self) -> float | None:
        """The end in seconds since the epoch."""
        return self.expires_at.timestamp() if self.expires_at else None


class KeyView(Body):
    """An API key, without the key itself."""

    id: str
    name: str
    user: str = Field(description="The id of who made it, and as whom it acts.")
    scopes: list[str]
    created_at: str = Field(examples=["2026-11-20T12:00:00.000Z"])
    expires_at: str | None
    last_used_at: str | None = Field(description="May lag some minutes behind.")


class CreatedKey(KeyView):
    """A new API key, shown this once."""

    key: str = Field(description="Send it as Authorization: Bearer.", examples=["grk_…"])


class KeyPage(Listing[KeyView]):
    """API keys by id."""
