"""The audit log, for whoever may read it."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from gateroom.auth.ports import AuditEntry, AuditFilter
from gateroom.auth.principal import Principal, Scope
from gateroom.errors import InvalidCommand
from gateroom.protocol.events import rfc3339
from gateroom.web.deps import CurrentRuntime, require_scope
from gateroom.web.operator_schemas import Actor, AuditPage, AuditView
from gateroom.web.paging import Page
from gateroom.web.routes import UNAUTHENTICATED, operation_id, problems
from gateroom.web.schemas import Listing
from gateroom.web.strict import StrictRoute

router = APIRouter(
    prefix="/api/audit", tags=["operations"], route_class=StrictRoute, generate_unique_id_function=operation_id
)

Auditor = Annotated[Principal, Depends(require_scope(Scope.AUDIT_READ))]


def _wanted(
    actor: Annotated[str | None, Query(max_length=64, description="The id of who did it.")] = None,
    action: Annotated[str | None, Query(max_length=80, description="What was done.", examples=["users.create"])] = None,
    target: Annotated[
        str | None, Query(max_length=200, description="What it was done to, or the room.", examples=["room:lobby"])
    ] = None,
    since: Annotated[
        str | None,
        Query(max_length=40, description="The earliest moment, RFC 3339.", json_schema_extra={"format": "date-time"}),
    ] = None,
) -> AuditFilter:
    return AuditFilter(actor, action, target, None if since is None else _moment(since))


Wanted = Annotated[AuditFilter, Depends(_wanted)]


@router.get(
    "",
    name="audit",
    summary="Who did what",
    response_model=AuditPage,
    responses=problems(*UNAUTHENTICATED, "forbidden", "invalid_command"),
)
async def listing(page: Page, wanted: Wanted, _: Auditor, runtime: CurrentRuntime) -> Listing[AuditView]:
    """List what was done and what was refused, newest first. Needs scope `audit:read`."""
    rows = await runtime.audit_log.page(wanted, _number(page.after), page.rows)
    return page.listing(rows, lambda entry: str(entry.id), _view)


def _moment(text: str) -> float:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise InvalidCommand("since: is not a moment such as 2026-11-20T12:00:00Z.")
    return moment.timestamp()


def _number(cursor: str | None) -> int | None:
    if cursor is None:
        return None
    if not cursor.isascii() or not cursor.isdigit() or len(cursor) > 18:
        raise InvalidCommand("cursor: is not one that a page gave.")
    return int(cursor)


def _view(entry: AuditEntry) -> AuditView:
    return AuditView(
        at=rfc3339(entry.at),
        action=entry.action,
        outcome=entry.outcome,
        actor=None if entry.actor is None else Actor(id=entry.actor, name=entry.actor_name),
        session=entry.session,
        target=entry.target,
        room=entry.room,
        address=entry.address,
        repeats=entry.repeats,
    )
