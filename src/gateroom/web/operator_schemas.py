"""The bodies of what operators and back ends work with: the audit log."""

from pydantic import Field

from gateroom.web.bodies import Body
from gateroom.web.schemas import Listing


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
