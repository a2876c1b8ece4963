"""Accounts, and what reaches their owners."""

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Depends, Response

from gateroom.auth.ports import User
from gateroom.auth.principal import ALL_SCOPES, Principal, Scope
from gateroom.errors import Conflict, Forbidden
from gateroom.protocol.events import Person, rfc3339
from gateroom.realtime.limits import Cost
from gateroom.realtime.ports import Repeated
from gateroom.web.audit import quietly
from gateroom.web.deps import CurrentRuntime, require_scope
from gateroom.web.paging import Page
from gateroom.web.routes import CHANGING, UNAUTHENTICATED, operation_id, problems
from gateroom.web.schemas import (
    ConnectionPage,
    ConnectionView,
    Disconnected,
    Ended,
    Listing,
    NewMessage,
    NewUser,
    PositionView,
    Sent,
    UserChange,
    UserPage,
    UserReference,
    UserView,
)
from gateroom.web.strict import StrictRoute

router = APIRouter(
    prefix="/api/users", tags=["users"], route_class=StrictRoute, generate_unique_id_function=operation_id
)

Admin = Annotated[Principal, Depends(require_scope(Scope.USERS_ADMIN))]
Sender = Annotated[Principal, Depends(require_scope(Scope.USERS_SEND))]
ConnectionAdmin = Annotated[Principal, Depends(require_scope(Scope.CONNECTIONS_ADMIN))]


@router.post(
    "",
    status_code=201,
    summary="Make an account",
    responses=problems(*CHANGING, "forbidden", "conflict", "rate_limited"),
)
async def create(body: NewUser, response: Response, admin: Admin, runtime: CurrentRuntime) -> UserView:
    """Make an account. Nobody can give a scope of Gateroom's that they do not hold."""
    scopes = runtime.registry.default_scopes if body.scopes is None else frozenset(body.scopes)
    _may_give(admin, scopes - runtime.registry.default_scopes)
    user = await runtime.registry.create(body.username, body.password, body.roles, scopes)
    response.headers["Location"] = f"/api/users/{user.id}"
    return view_of(user)


@router.get(
    "",
    summary="List accounts",
    response_model=UserPage,
    responses=problems(*UNAUTHENTICATED, "forbidden", "invalid_command"),
)
async def listing(page: Page, _: Admin, runtime: CurrentRuntime) -> Listing[UserView]:
    """List accounts by username."""
    rows = await runtime.registry.page(page.after, page.rows)
    return page.listing(rows, lambda user: user.username, view_of)


@router.get(
    "/{user}",
    summary="Show an account",
    responses=problems(*UNAUTHENTICATED, "forbidden", "not_found", "invalid_command"),
)
async def show(user: UserReference, _: Admin, runtime: CurrentRuntime) -> UserView:
    """Show one account."""
    return view_of(await runtime.people.any(user))


@router.patch(
    "/{user}",
    summary="Change an account",
    responses=problems(*CHANGING, "forbidden", "not_found", "conflict"),
)
async def change(user: UserReference, body: UserChange, admin: Admin, runtime: CurrentRuntime) -> UserView:
    """Change roles, scopes or `disabled`; live sockets follow at once, and a disabled account's sessions end.

    Of two changes at once one is answered `conflict`.
    """
    current = await runtime.people.any(user)
    scopes = current.scopes if body.scopes is None else frozenset(body.scopes)
    _may_give(admin, scopes - current.scopes)
    if body.disabled and current.id == admin.user_id:
        raise Conflict("You cannot disable your own account.")
    at = runtime.live.now()
    changed = replace(
        current,
        roles=current.roles if body.roles is None else frozenset(body.roles),
        scopes=scopes,
        disabled=current.disabled if body.disabled is None else body.disabled,
    )
    await runtime.registry.save(changed, current)
    runtime.accounts.forget(changed.id)
    await runtime.control.account_changed(changed, at)
    return view_of(changed)


@router.delete(
    "/{user}",
    status_code=204,
    summary="Delete an account",
    responses=problems(*UNAUTHENTICATED, "invalid_csrf", "forbidden", "not_found", "conflict", "invalid_command"),
)
async def delete(user: UserReference, admin: Admin, runtime: CurrentRuntime) -> None:
    """Delete an account with its memberships; its sockets end at once."""
    current = await runtime.people.any(user)
    if current.id == admin.user_id:
        raise Conflict("You cannot delete your own account.")
    at = runtime.live.now()
    await runtime.registry.remove(current)
    runtime.accounts.forget(current.id)
    runtime.live.standings.forget_user(current.id)
    runtime.control.user_gone(current.id, at)


@router.post(
    "/{user}/messages",
    status_code=201,
    summary="Send to a user",
    responses=problems(*CHANGING, "forbidden", "not_found", "rate_limited"),
)
@quietly
async def send(user: UserReference, body: NewMessage, sender: Sender, runtime: CurrentRuntime) -> Sent:
    """Send to a user's inbox: it reaches all of the user's connections."""
    recipient = await runtime.people.find(user)
    author = Person(sender.user_id, sender.username)
    text = body.text()
    runtime.live.allowances.charge(sender.user_id, Cost.PUBLISH, len(text))
    position, connections = await runtime.publisher.to_user(recipient.id, author, text, body.key)
    return Sent(
        position=PositionView(epoch=position.epoch, seq=position.seq),
        duplicate=isinstance(position, Repeated),
        connections=connections,
    )


@router.get(
    "/{user}/connections",
    summary="List a user's connections",
    response_model=ConnectionPage,
    responses=problems(*UNAUTHENTICATED, "forbidden", "not_found", "invalid_command"),
)
async def connections(
    user: UserReference, page: Page, _: ConnectionAdmin, runtime: CurrentRuntime
) -> Listing[ConnectionView]:
    """List the live connections of a user and the rooms they are in, by id."""
    found = runtime.live.hub.connections_of((await runtime.people.any(user)).id)
    following = sorted(connection.id for connection in found if connection.id > (page.after or ""))
    rows = [ConnectionView(id=each, rooms=sorted(runtime.live.sessions[each].rooms)) for each in following]
    return page.listing(rows[: page.rows], lambda connection: connection.id, lambda connection: connection)


@router.delete(
    "/{user}/sessions",
    summary="Log a user out everywhere",
    responses=problems(*UNAUTHENTICATED, "invalid_csrf", "forbidden", "not_found", "invalid_command"),
)
async def end_sessions(user: UserReference, _: Admin, runtime: CurrentRuntime) -> Ended:
    """End all of a user's sessions with their tokens and sockets; the user may log in again."""
    return Ended(sessions=await runtime.sessions.end_all((await runtime.people.any(user)).id))


@router.delete(
    "/{user}/connections",
    summary="Disconnect a user",
    responses=problems(*UNAUTHENTICATED, "invalid_csrf", "forbidden", "not_found", "invalid_command"),
)
async def disconnect(user: UserReference, _: ConnectionAdmin, runtime: CurrentRuntime) -> Disconnected:
    """End a user's live connections with 1008 `disconnected`; the user may come back."""
    found = await runtime.people.any(user)
    return Disconnected(connections=runtime.control.disconnect(found.id))


def _may_give(admin: Principal, scopes: frozenset[str]) -> None:
    if not scopes & ALL_SCOPES <= admin.scopes:
        raise Forbidden("You cannot give a scope that you do not hold.")


def view_of(user: User) -> UserView:
    """Show an account."""
    return UserView(
        id=user.id,
        username=user.username,
        roles=sorted(user.roles),
        scopes=sorted(user.scopes),
        disabled=user.disabled,
        created_at=rfc3339(user.created_at),
    )
