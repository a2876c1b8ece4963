"""A login as the log has it."""

from fastapi import Request

from gateroom.auth.ports import User
from gateroom.errors import GateroomError
from gateroom.incidents import note
from gateroom.web.runtime import Runtime


async def authenticate(request: Request, runtime: Runtime, username: str, password: str) -> User:
    """Log in, and note how it went; the name is noted only once it is known to be one."""
    peer = address_of(request)
    try:
        user = await runtime.login.authenticate(username, password, peer)
    except GateroomError as error:
        note("login_failed", code=error.code, peer=peer)
        raise
    note("login_succeeded", user=user.id, username=user.username, peer=peer)
    return user


def address_of(request: Request) -> str:
    """Return the client's address, empty where there is none."""
    return request.client.host if request.client else ""
