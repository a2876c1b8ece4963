"""What is for everybody who is connected."""

from typing import Annotated

from fastapi import APIRouter, Depends

from gateroom.auth.principal import Principal, Scope
from gateroom.incidents import note
from gateroom.web.deps import CurrentRuntime, require_scope
from gateroom.web.routes import CHANGING, operation_id, problems
from gateroom.web.schemas import NewBroadcast, Reached
from gateroom.web.strict import StrictRoute

router = APIRouter(prefix="/api", tags=["users"], route_class=StrictRoute, generate_unique_id_function=operation_id)

Broadcaster = Annotated[Principal, Depends(require_scope(Scope.BROADCAST))]


@router.post("/broadcast", summary="Send to every connection", responses=problems(*CHANGING, "forbidden"))
async def broadcast(body: NewBroadcast, caller: Broadcaster, runtime: CurrentRuntime) -> Reached:
    """Send to every live connection, whatever rooms it is in; nothing is kept for those who are away."""
    connections = await runtime.publisher.to_everyone(body.text())
    note("broadcast", by=caller.user_id)
    return Reached(connections=connections)
