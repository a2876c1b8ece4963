"""Gateroom as a part of somebody's application: its guards on their endpoints, its sockets beside theirs."""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import httpx2 as httpx
import pytest
from fastapi import Depends, FastAPI, HTTPException, Request, WebSocket
from starlette.testclient import TestClient

from gateroom import (
    CurrentPrincipal,
    Gateroom,
    Principal,
    SocketPrincipal,
    connections_of,
    publish,
    require_scope,
    send_to_user,
)
from gateroom.errors import Forbidden, InvalidCommand
from support.in_process import HOST, SUBPROTOCOL, Account, InProcess, settings_for

Buyer = Annotated[Principal, Depends(require_scope("shop:buy", "users:send"))]


@dataclass(slots=True)
class Shop:
    """An application with endpoints of its own, and what it saw happen."""

    gateroom: Gateroom
    app: FastAPI
    log: list[str] = field(default_factory=list)


def make_shop(data_dir: Path) -> Shop:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[Mapping[str, Any]]:
        shop.log.append("opened")
        yield {"stock": 7}
        shop.log.append("closed")

    async def database() -> AsyncIterator[None]:
        shop.log.append("database opened")
        yield
        shop.log.append("database closed")

    app = FastAPI(lifespan=lifespan, dependencies=[Depends(database)])
    shop = Shop(Gateroom(settings_for(data_dir)), app)
    shop.gateroom.install(app)
    add_http_endpoints(app)
    add_sockets(app)
    add_publishing(app)
    return shop


def add_http_endpoints(app: FastAPI) -> None:
    @app.get("/shop/me")
    async def me(principal: CurrentPrincipal) -> str:
        return principal.username

    @app.post("/shop/orders")
    async def order(principal: Buyer) -> str:
        return f"ordered by {principal.username}"

    @app.get("/shop/items/{item}")
    async def item(item: int) -> int:
        if item == 13:
            raise HTTPException(418, "a teapot", headers={"X-Tea": "green"})
        if item == 14:
            raise Forbidden
        return item


def add_sockets(app: FastAPI) -> None:
    @app.websocket("/shop/echo")
    async def echo(websocket: WebSocket, principal: SocketPrincipal) -> None:
        await websocket.accept()
        async for text in websocket.iter_text():
            await websocket.send_text(f"{principal.username}: {text}")

    @app.websocket("/shop/graph")
    async def graph(websocket: WebSocket, principal: SocketPrincipal) -> None:
        await websocket.accept("graphql-transport-ws")
        await websocket.send_text(principal.username)
        await websocket.close(4000, "done")

    @app.websocket("/shop/open")
    async def unguarded(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text("anybody")
        await websocket.close()


def add_publishing(app: FastAPI) -> None:
    @app.post("/shop/say/{room}")
    async def say(request: Request, room: str, _: CurrentPrincipal) -> int:
        return (await publish(request, room, {"text": "from the shop"})).seq

    @app.post("/shop/tell/{user}")
    async def tell(user: str, _: CurrentPrincipal) -> int:
        return await send_to_user(app, user, {"text": "your order"})

    @app.get("/shop/connections")
    async def connections(request: Request, principal: CurrentPrincipal) -> list[str]:
        return list(connections_of(request, principal.user_id))


@dataclass(frozen=True, slots=True)
class Running:
    shop: Shop
    gateway: InProcess


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    shop = make_shop(tmp_path_factory.mktemp("data"))
    with TestClient(shop.app, base_url=f"http://{HOST}", client=(HOST, 50000)) as client:
        yield Running(shop, InProcess(client))


@pytest.fixture
def gateway(running: Running) -> InProcess:
    return running.gateway


@pytest.fixture
def buyer(gateway: InProcess) -> Account:
    return gateway.user(scopes=["shop:buy", "users:send"])


# Their HTTP endpoints


def test_an_endpoint_of_theirs_knows_who_calls(gateway: InProcess, buyer: Account) -> None:
    assert gateway.get("/shop/me", buyer).json() == buyer.name


def test_who_does_not_log_in_does_not_get_there(gateway: InProcess) -> None:
    answer = gateway.client.get("/shop/me")
    assert (answer.status_code, answer.json()["code"]) == (401, "missing_token")
    assert answer.headers["Content-Type"] == "application/problem+json"
    answer = gateway.client.get("/shop/me", headers={"Authorization": "Bearer canary"})
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")


def test_a_scope_of_their_own_guards_an_endpoint(gateway: InProcess, buyer: Account) -> None:
    assert gateway.post("/shop/orders", buyer, None).json() == f"ordered by {buyer.name}"
    for scopes in (["users:send"], ["shop:buy"], ["shop:buying", "users:send"]):
        answer = gateway.post("/shop/orders", gateway.user(scopes=scopes), None)
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


def test_a_cookie_there_needs_the_csrf_token_too(gateway: InProcess, buyer: Account) -> None:
    cookie = {"Cookie": f"gateroom_access={buyer.token}", "Origin": f"http://{HOST}"}
    assert gateway.client.get("/shop/me", headers=cookie).json() == buyer.name
    assert gateway.client.post("/shop/orders", headers=cookie).json()["code"] == "invalid_csrf"
    csrf_token = gateway.client.get("/auth/me", headers=cookie).json()["csrf_token"]
    assert gateway.client.post("/shop/orders", headers={**cookie, "X-CSRF-Token": csrf_token}).status_code == 200


def test_what_their_application_refuses_stays_as_it_was(gateway: InProcess) -> None:
    unknown = gateway.client.get("/nowhere")
    assert (unknown.status_code, unknown.json()) == (404, {"detail": "Not Found"})
    invalid = gateway.client.get("/shop/items/canary")
    assert invalid.status_code == 422
    assert invalid.json()["detail"][0]["type"] == "int_parsing"
    teapot = gateway.client.get("/shop/items/13")
    assert (teapot.status_code, teapot.json(), teapot.headers["X-Tea"]) == (418, {"detail": "a teapot"}, "green")
    method = gateway.client.delete("/shop/items/1")
    assert (method.status_code, method.json()) == (405, {"detail": "Method Not Allowed"})


def test_an_error_of_ours_may_be_raised_by_them(gateway: InProcess) -> None:
    answer = gateway.client.get("/shop/items/14")
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


def test_our_own_routes_are_as_strict_there(gateway: InProcess) -> None:
    json_type = {"Content-Type": "application/json"}
    for content, status in ((b'{"password": NaN}', 400), (b'{"username": ["canary"]}', 422), (b"x" * 70000, 413)):
        answer = gateway.client.post("/auth/login", content=content, headers=json_type)
        assert answer.status_code == status
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert "canary" not in answer.text


# Their sockets


def test_a_socket_of_theirs_knows_who_connects(gateway: InProcess, buyer: Account) -> None:
    for by, path, offer, headers in (
        (buyer, "/shop/echo", (), {}),
        (None, f"/shop/echo?token={buyer.token}", (), {}),
        (None, "/shop/echo", (), {"Cookie": f"gateroom_access={buyer.token}", "Origin": f"http://{HOST}"}),
        (None, "/shop/echo", (f"bearer.{buyer.token}", SUBPROTOCOL), {}),
    ):
        with gateway.socket(by, path, offer=offer, **headers) as peer:
            peer.send("hello")
            assert peer.text() == f"{buyer.name}: hello"


@pytest.mark.parametrize(
    ("query", "headers", "reason"),
    [
        ("", {}, "missing_token"),
        ("?token=bad", {}, "invalid_token"),
        ("?token=bad&token=bad", {}, "ambiguous_credentials"),
        ("?token=bad", {"Origin": "https://evil.example"}, "origin_not_allowed"),
    ],
)
def test_who_may_not_connect_is_refused_there_as_anywhere(
    gateway: InProcess, query: str, headers: Mapping[str, str], reason: str
) -> None:
    assert gateway.refusal(f"/shop/echo{query}", headers=headers) == (1008, reason)


def test_a_socket_of_theirs_speaks_what_it_likes(gateway: InProcess, buyer: Account) -> None:
    with gateway.socket(buyer, "/shop/graph", offer=["graphql-transport-ws"]) as peer:
        assert peer.subprotocol == "graphql-transport-ws"
        assert peer.text() == buyer.name
        assert peer.closed() == (4000, "done")


def test_a_socket_that_they_leave_open_is_open(gateway: InProcess) -> None:
    with gateway.socket(path="/shop/open") as peer:
        assert peer.text() == "anybody"
        assert peer.closed() == (1000, "")


def test_sockets_of_theirs_are_counted_and_let_go(gateway: InProcess) -> None:
    user = gateway.user()
    for _ in range(60):  # more than one user may have at once
        with gateway.socket(user, "/shop/echo") as peer:
            peer.send("hello")
            peer.text()


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        (lambda here, user: here.post("/auth/logout", user, None), "session_revoked"),
        (
            lambda gateway, user: gateway.patch(f"/api/users/{user.id}", gateway.admin, {"disabled": True}),
            "user_disabled",
        ),
        (lambda here, user: here.delete(f"/api/users/{user.id}/connections", here.admin), "disconnected"),
    ],
    ids=["logout", "disabled", "disconnected"],
)
def test_a_socket_of_theirs_does_not_outlive_its_login(
    gateway: InProcess, end: Callable[[InProcess, Account], httpx.Response], reason: str
) -> None:
    user = gateway.user()
    with gateway.socket(user, "/shop/echo") as peer:
        peer.send("hello")
        assert peer.text() == f"{user.name}: hello"
        assert end(gateway, user).is_success
        assert peer.closed() == (1008, reason)


# Our sockets among theirs


def test_their_dependencies_have_ended_when_frames_flow(running: Running, buyer: Account) -> None:
    """So that no database session is held for the life of a socket (LC-5)."""
    running.shop.log.clear()
    with running.gateway.connected(buyer) as peer:
        assert running.shop.log == ["database opened", "database closed"]
        running.shop.log.clear()
        peer.join("lobby")
        peer.publish("lobby", "hello")
        assert running.shop.log == []
    assert running.shop.log == []


def test_a_socket_of_theirs_keeps_its_dependencies(running: Running, buyer: Account) -> None:
    running.shop.log.clear()
    with running.gateway.socket(buyer, "/shop/echo") as peer:
        peer.send("hello")
        peer.text()
        assert running.shop.log == ["database opened"]
    assert running.shop.log == ["database opened", "database closed"]


def test_they_publish_to_a_room(gateway: InProcess, buyer: Account) -> None:
    with gateway.connected(buyer) as peer:
        before = peer.join("lobby")["position"]["seq"]
        assert gateway.post("/shop/say/lobby", buyer, None).json() == before + 1
        message = peer.event("message")
        assert (message["data"], message["from"]) == ({"text": "from the shop"}, {"id": "server", "name": "server"})
    assert gateway.post("/shop/say/no-such-room", buyer, None).json()["code"] == "not_found"


def test_they_send_to_a_user(gateway: InProcess, buyer: Account) -> None:
    assert gateway.post(f"/shop/tell/@{buyer.name}", buyer, None).json() == 0
    with gateway.connected(buyer) as first, gateway.socket(buyer, "/ws/users/me") as second:
        assert gateway.post(f"/shop/tell/{buyer.id}", buyer, None).json() == 2
        assert first.event("direct")["data"] == {"text": "your order"}
        assert second.text() == '{"text":"your order"}'
    assert gateway.post("/shop/tell/@nobody", buyer, None).json()["code"] == "not_found"


def test_they_see_who_is_connected(gateway: InProcess, buyer: Account) -> None:
    assert gateway.get("/shop/connections", buyer).json() == []
    with gateway.socket(buyer) as peer:
        connection = peer.event("welcome")["connection"]
        assert gateway.get("/shop/connections", buyer).json() == [connection]
    assert gateway.get("/shop/connections", buyer).json() == []


async def test_what_is_published_must_be_json(tmp_path: Path) -> None:
    shop = make_shop(tmp_path)
    async with shop.app.router.lifespan_context(shop.app):
        for data in (nested(100), object(), float("nan"), "\ud800"):
            with pytest.raises(InvalidCommand):
                await shop.gateroom.publish("lobby", data)
        assert (await shop.gateroom.publish("lobby", {"fine": True})).seq == 1


def nested(levels: int) -> list[Any]:
    found: list[Any] = []
    for _ in range(levels):
        found = [found]
    return found


# Start and end


def test_their_lifespan_runs_inside_ours(tmp_path: Path) -> None:
    shop = make_shop(tmp_path)
    with TestClient(shop.app) as client:
        assert shop.log == ["opened"]
        assert client.app_state["stock"] == 7
        assert shop.gateroom.connections_of("anybody") == []
    assert shop.log == ["opened", "closed"]


def test_without_a_lifespan_the_mistake_is_named(tmp_path: Path) -> None:
    shop = make_shop(tmp_path)
    client = TestClient(shop.app)  # not entered
    with pytest.raises(RuntimeError, match="with TestClient"):
        client.get("/shop/me")
    with pytest.raises(RuntimeError, match="not started"):
        shop.gateroom.connections_of("anybody")


def test_an_application_may_be_started_again(tmp_path: Path) -> None:
    shop = make_shop(tmp_path)
    for _ in range(2):
        with TestClient(shop.app, base_url=f"http://{HOST}") as client:
            gateway = InProcess(client)
            with gateway.connected(gateway.admin) as peer:
                peer.join("lobby")
