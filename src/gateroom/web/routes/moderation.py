"""What moderators do to users of a room."""

from fastapi import APIRouter

from gateroom.auth.ports import User
from gateroom.auth.principal import Principal
from gateroom.protocol.events import rfc3339
from gateroom.rooms.model import Action, Measure, Sanction
from gateroom.web.deps import CurrentPrincipal, CurrentRuntime
from gateroom.web.moderation_schemas import SanctionPage, SanctionView, Sentence
from gateroom.web.paging import Page
from gateroom.web.routes import CHANGING, UNAUTHENTICATED, operation_id, problems
from gateroom.web.runtime import Runtime
from gateroom.web.schemas import Disconnected, Listing, RoomId, UserReference
from gateroom.web.strict import StrictRoute

router = APIRouter(
    prefix="/api/rooms/{room}",
    tags=["moderation"],
    route_class=StrictRoute,
    generate_unique_id_function=operation_id,
)

_FOR_GOOD = Sentence(until=None)
_LISTING = problems(*UNAUTHENTICATED, "forbidden", "banned", "not_found", "invalid_command")
_TAKING = problems(*CHANGING, "forbidden", "banned", "not_found")
_LIFTING = problems(*UNAUTHENTICATED, "invalid_csrf", "forbidden", "banned", "not_found", "invalid_command")


@router.get("/bans", summary="List bans", response_model=SanctionPage, responses=_LISTING)
async def bans(room: RoomId, page: Page, principal: CurrentPrincipal, runtime: CurrentRuntime) -> Listing[SanctionView]:
    """List who is banned, by username; for moderators and owners."""
    return await _listing(runtime, principal, room, Measure.BAN, page)


@router.put("/bans/{user}", summary="Ban a user", responses=_TAKING)
async def ban(
    room: RoomId,
    user: UserReference,
    principal: CurrentPrincipal,
    runtime: CurrentRuntime,
    body: Sentence = _FOR_GOOD,
) -> SanctionView:
    """Shut a user out, until a moment or for good; live sockets are out at once. A membership stays, without effect."""
    return await _put(runtime, principal, room, user, Measure.BAN, body)


@router.delete("/bans/{user}", status_code=204, summary="Lift a ban", responses=_LIFTING)
async def lift_ban(room: RoomId, user: UserReference, principal: CurrentPrincipal, runtime: CurrentRuntime) -> None:
    """Let a user in again, with the rights that they have otherwise."""
    target = await _target(runtime, principal, room, user)
    await runtime.moderation.lift(principal, room, target, Measure.BAN)


@router.get("/mutes", summary="List mutes", response_model=SanctionPage, responses=_LISTING)
async def mutes(
    room: RoomId, page: Page, principal: CurrentPrincipal, runtime: CurrentRuntime
) -> Listing[SanctionView]:
    """List who is muted, by username; for moderators and owners."""
    return await _listing(runtime, principal, room, Measure.MUTE, page)


@router.put("/mutes/{user}", summary="Mute a user", responses=_TAKING)
async def mute(
    room: RoomId,
    user: UserReference,
    principal: CurrentPrincipal,
    runtime: CurrentRuntime,
    body: Sentence = _FOR_GOOD,
) -> SanctionView:
    """Let a user read only, until a moment or for good; on live sockets too, at once."""
    return await _put(runtime, principal, room, user, Measure.MUTE, body)


@router.delete("/mutes/{user}", status_code=204, summary="Lift a mute", responses=_LIFTING)
async def lift_mute(room: RoomId, user: UserReference, principal: CurrentPrincipal, runtime: CurrentRuntime) -> None:
    """Let a user speak again."""
    target = await _target(runtime, principal, room, user)
    await runtime.moderation.lift(principal, room, target, Measure.MUTE)


@router.delete("/connections/{user}", summary="Kick a user", responses=_LIFTING)
async def kick(room: RoomId, user: UserReference, principal: CurrentPrincipal, runtime: CurrentRuntime) -> Disconnected:
    """Put a user out of the room now, who may come back; for moderators and owners."""
    target = await _target(runtime, principal, room, user)
    return Disconnected(connections=await runtime.moderation.kick(principal, room, target))


async def _target(runtime: Runtime, principal: Principal, room: str, user: str) -> User:
    """Return the account; whether there is one is told only to who may moderate."""
    await runtime.live.standings.allowed(principal, room, Action.MODERATE)
    return await runtime.people.any(user)


async def _put(
    runtime: Runtime, principal: Principal, room: str, user: str, measure: Measure, body: Sentence
) -> SanctionView:
    target = await _target(runtime, principal, room, user)
    return _view(await runtime.moderation.put(principal, room, target, measure, body.seconds))


async def _listing(
    runtime: Runtime, principal: Principal, room: str, measure: Measure, page: Page
) -> Listing[SanctionView]:
    rows = await runtime.moderation.page(principal, room, measure, page.after, page.rows)
    return page.listing(rows, lambda sanction: sanction.username, _view)


def _view(sanction: Sanction) -> SanctionView:
    return SanctionView(
        id=sanction.user_id,
        username=sanction.username,
        since=rfc3339(sanction.since),
        until=None if sanction.until is None else rfc3339(sanction.until),
    )
