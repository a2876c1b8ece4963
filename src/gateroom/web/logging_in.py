"""A login as the audit log has it."""

from fastapi import Request

from gateroom.auth.login import Proven
from gateroom.errors import GateroomError, InvalidCredentials
from gateroom.web.audit import tries_to_log_in
from gateroom.web.runtime import Runtime


async def authenticate(request: Request, runtime: Runtime, username: str, password: str) -> Proven:
    """Log in; the name is recorded only once it is known to be one. Raises as `Login.authenticate` does."""
    trail = tries_to_log_in(request)
    try:
        proven = await runtime.login.authenticate(username, password, address_of(request))
    except GateroomError as error:
        trail.outcome = error.code
        if isinstance(error, InvalidCredentials) and error.account is not None:
            trail.target = f"user:{error.account}"
        raise
    trail.actor, trail.actor_name = proven.user.id, proven.user.username
    return proven


def address_of(request: Request) -> str:
    """Return the client's address, empty where there is none."""
    return request.client.host if request.client else ""
