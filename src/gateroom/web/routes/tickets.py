"""Tickets for sockets, for whoever has an access token."""

from fastapi import APIRouter, Response

from gateroom.web.audit import quietly
from gateroom.web.deps import CurrentClaims, CurrentRuntime
from gateroom.web.routes import CHANGING, operation_id, problems
from gateroom.web.schemas import NewTicket, TicketView
from gateroom.web.strict import StrictRoute

router = APIRouter(prefix="/auth", tags=["auth"], route_class=StrictRoute, generate_unique_id_function=operation_id)

_ANY_SOCKET = NewTicket(room=None)


@router.post("/tickets", status_code=201, summary="Get a ticket", responses=problems(*CHANGING, "rate_limited"))
@quietly
async def ticket(
    response: Response, claims: CurrentClaims, runtime: CurrentRuntime, body: NewTicket = _ANY_SOCKET
) -> TicketView:
    """Get a ticket, which opens one socket as `?ticket=` in its URL, so that no token has to stand there."""
    issued = await runtime.tickets.issue(claims, body.room)
    response.headers["Cache-Control"] = "no-store"
    return TicketView(ticket=issued.text, expires_in=issued.expires_in)
