"""Whatever changes something is audited, and nobody has to remember it: the route class does it."""

from collections.abc import Iterator
from typing import Annotated

import pytest
from fastapi import APIRouter, Depends, FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.responses import Response
from starlette.routing import Mount, Route

from gateroom import create_app
from gateroom.web.audit import action_of, is_quiet, quietly
from gateroom.web.strict import StrictRoute

SAFE = {"GET", "HEAD", "OPTIONS"}

# Whose successes are not recorded: messages and patches are their own record, tokens and tickets are renewed all the
# time, and the rest changes nothing. Whoever adds to this list says why.
QUIET = {
    "auth.introspect",
    "auth.refresh",
    "auth.ticket",
    "moderation.authorize",
    "auth.token",  # a login by it is recorded as auth.login
    "rooms.patch_state",
    "rooms.publish",
    "users.send",
}


def changing(app: FastAPI) -> Iterator[Route]:
    """Yield every route, of whatever class, that may change something."""
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        if isinstance(route, Route) and not (route.methods or {"POST"}) <= SAFE:
            yield route


def unaudited(app: FastAPI) -> list[str]:
    return [route.path for route in changing(app) if not isinstance(route, StrictRoute) or action_of(route) is None]


def test_every_route_that_changes_something_is_audited() -> None:
    app = create_app()
    assert len(list(changing(app))) > 15
    assert unaudited(app) == []


def test_no_application_is_mounted_that_could_change_something_unseen() -> None:
    assert [route for route in create_app().routes if isinstance(route, Mount)] == []


def test_an_action_is_called_by_one_name() -> None:
    actions = [action_of(route) for route in changing(create_app()) if isinstance(route, APIRoute)]
    assert len(set(actions)) == len(actions)


def test_successes_go_unrecorded_only_where_that_was_decided() -> None:
    routes = [route for route in changing(create_app()) if isinstance(route, APIRoute)]
    assert {action_of(route) for route in routes if is_quiet(route)} == QUIET


def test_a_route_that_escapes_would_be_found() -> None:
    app = create_app()

    async def nothing() -> None: ...

    @quietly
    async def quiet(_: Annotated[None, Depends(nothing)]) -> None: ...

    strict = APIRouter(tags=["more"], route_class=StrictRoute)
    strict.add_api_route("/audited", nothing, methods=["POST"])
    strict.add_api_route("/quiet", quiet, methods=["DELETE"])
    strict.add_api_route("/reading", nothing, methods=["GET"])
    app.include_router(strict)
    app.add_api_route("/bare", nothing, methods=["PUT"])
    app.add_route("/starlette", lambda request: Response(), methods=["POST"])
    assert unaudited(app) == ["/bare", "/starlette"]
    found = {route.path: route for route in changing(app) if isinstance(route, APIRoute)}
    assert (action_of(found["/audited"]), is_quiet(found["/audited"])) == ("more.nothing", False)
    assert is_quiet(found["/quiet"])
    assert "/reading" not in found


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_each_changing_method_counts(method: str) -> None:
    router = APIRouter(tags=["more"], route_class=StrictRoute)

    async def act() -> None: ...

    router.add_api_route("/act", act, methods=[method])
    (route,) = router.routes
    assert isinstance(route, APIRoute)
    assert action_of(route) == "more.act"
