"""Registering, where it is open."""

from fastapi import APIRouter, Request

from gateroom.web.audit import trail_of
from gateroom.web.deps import CurrentRuntime
from gateroom.web.logging_in import address_of
from gateroom.web.operator_schemas import NewAccount
from gateroom.web.routes import operation_id, problems
from gateroom.web.routes.users import view_of
from gateroom.web.schemas import UserView
from gateroom.web.strict import StrictRoute

router = APIRouter(prefix="/auth", tags=["auth"], route_class=StrictRoute, generate_unique_id_function=operation_id)


@router.post(
    "/register",
    status_code=201,
    summary="Make an account of your own",
    responses=problems(
        "registration_closed", "conflict", "invalid_command", "too_large", "rate_limited", "unavailable"
    ),
)
async def register(request: Request, body: NewAccount, runtime: CurrentRuntime) -> UserView:
    """Make an account with the default scopes, where the configuration lets anybody do so. Then log in with it."""
    user = await runtime.registration.register(body.username, body.password, address_of(request))
    trail_of(request).target = f"user:{user.id}"
    return view_of(user)
