"""What somebody may do in a room, and why: for those who wonder at a refusal."""

from fastapi import APIRouter

from gateroom.auth.accounts import powers_of
from gateroom.auth.principal import Principal, Scope
from gateroom.rooms.verdict import DISABLED, Verdict, judge
from gateroom.web.audit import quietly
from gateroom.web.deps import CurrentPrincipal, CurrentRuntime
from gateroom.web.moderation_schemas import Answer, Question
from gateroom.web.routes import CHANGING, operation_id, problems
from gateroom.web.runtime import Runtime
from gateroom.web.strict import StrictRoute

router = APIRouter(
    prefix="/api", tags=["moderation"], route_class=StrictRoute, generate_unique_id_function=operation_id
)


@router.post("/authorize", summary="Explain a permission", responses=problems(*CHANGING, "forbidden", "not_found"))
@quietly
async def authorize(body: Question, principal: CurrentPrincipal, runtime: CurrentRuntime) -> Answer:
    """Judge by the rules of the live path; about yourself with this token's scopes, about others by their account's.

    About others it needs scope `users:admin`. A room that does not exist is judged as a private one to a stranger.
    """
    verdict = await _verdict(body, principal, runtime)
    return Answer(allowed=verdict.allowed, because=list(verdict.because))


async def _verdict(body: Question, principal: Principal, runtime: Runtime) -> Verdict:
    if body.user in (principal.user_id, f"@{principal.username}"):
        return await judge(runtime.live.arrivals, principal, body.action, body.room)
    principal.require(Scope.USERS_ADMIN)
    user = await runtime.people.any(body.user)
    return DISABLED if user.disabled else await judge(runtime.live.arrivals, powers_of(user), body.action, body.room)
