"""Nothing that was answered is lost or doubled, however often the serving process is killed under load.

`GATEROOM_CRASH_ROUNDS` says how often; the default is for every day.
"""

import asyncio
import contextlib
import json
import os
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import jsonpatch
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage

from support.gateway import running_gateway

ROUNDS = int(os.environ.get("GATEROOM_CRASH_ROUNDS", "5"))
PUBLISHERS, LISTENERS, PATCHERS = 20, 3, 3
IN_FLIGHT = 4  # messages of one publisher that are not answered yet
ACKS_BEFORE_A_KILL = (20, 800)
PATIENCE = 60.0  # seconds, for one round

SETTINGS = {
    "GATEROOM_AUTH__ACCESS_TTL": "1h",
    "GATEROOM_REALTIME__PUBLISH_RATE": "100000",
    "GATEROOM_REALTIME__PUBLISH_BURST": "100000",
    "GATEROOM_ROOMS__KINDS__DEFAULT__HISTORY_SIZE": "100000",
}

GONE = (OSError, EOFError, ConnectionClosed, InvalidHandshake, InvalidMessage, TimeoutError)


@dataclass
class Life:
    """The server as its clients know it: where it is, whether it is up, and what it has answered."""

    port: int
    data_dir: Path
    token: str = ""
    epoch: str = ""
    up: asyncio.Event = field(default_factory=asyncio.Event)
    acked: dict[str, int] = field(default_factory=dict)  # position by key
    repeated: int = 0
    patched: dict[str, int] = field(default_factory=dict)  # the last answered count by patcher
    stopping: bool = False
    _progress: asyncio.Condition = field(default_factory=asyncio.Condition)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Callable[[], None]]:
        """Serve as long as the block runs, on the same port and data; yields what kills."""
        server = running_gateway("--port", str(self.port), data_dir=self.data_dir, environment=SETTINGS)
        gateway = await asyncio.to_thread(server.__enter__)
        try:
            self.token = self.token or await asyncio.to_thread(gateway.token)
            self.up.set()
            yield gateway.process.kill
        finally:
            self.up.clear()
            await asyncio.to_thread(server.__exit__, None, None, None)

    @contextlib.asynccontextmanager
    async def socket(self) -> AsyncIterator[ClientConnection]:
        await self.up.wait()
        async with connect(
            f"ws://127.0.0.1:{self.port}/ws",
            additional_headers={"Authorization": f"Bearer {self.token}"},
            compression=None,
            proxy=None,
            max_size=None,
            close_timeout=1,
        ) as socket:
            assert (await self.frame(socket))["type"] == "welcome"
            yield socket

    @staticmethod
    async def frame(socket: ClientConnection) -> dict[str, Any]:
        frame: dict[str, Any] = json.loads(await socket.recv())
        assert frame["type"] != "error", frame
        return frame

    async def note(self, key: str, reply: dict[str, Any]) -> None:
        position, repeated = reply["position"], reply.get("duplicate", False)
        self.epoch = self.epoch or position["epoch"]
        assert position["epoch"] == self.epoch
        assert self.acked.setdefault(key, position["seq"]) == position["seq"]
        self.repeated += repeated
        await self.stir()

    async def stir(self) -> None:
        async with self._progress:
            self._progress.notify_all()

    def has_answered(self, count: int) -> bool:
        return len(self.acked) >= count

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE), self._progress:
            await self._progress.wait_for(condition)


async def publish(life: Life, name: str) -> None:
    """Publish until told to stop, each message again until it is answered."""
    unanswered: dict[str, None] = {}
    made = 0
    while unanswered or not life.stopping:
        with contextlib.suppress(*GONE):
            async with life.socket() as socket:
                await socket.send(json.dumps({"type": "join", "id": "join", "room": "lobby"}))
                for key in unanswered:
                    await socket.send(publishing(key))
                while unanswered or not life.stopping:
                    while len(unanswered) < IN_FLIGHT and not life.stopping:
                        made += 1
                        key = f"{name}-{made}"
                        unanswered[key] = None
                        await socket.send(publishing(key))
                    frame = await life.frame(socket)
                    if frame["type"] == "reply" and frame["id"] != "join":
                        await life.note(frame["id"], frame)
                        del unanswered[frame["id"]]


def publishing(key: str) -> str:
    return json.dumps({"type": "publish", "id": key, "room": "lobby", "key": key, "data": key})


async def patch(life: Life, name: str) -> None:
    """Count in the shared state until told to stop; who lost the answer looks there whether it was counted.

    The first operation makes sure that no count is skipped and none counted twice.
    """
    counted, sure = 0, False
    while not (sure and life.stopping):
        with contextlib.suppress(*GONE):
            async with life.socket() as socket:
                await socket.send(json.dumps({"type": "join", "id": "join", "room": "lobby"}))
                state = (await answered(life, socket))["state"]
                assert state.get(name, 0) in (counted, counted + 1), "a count is lost, or was made twice"
                counted = life.patched[name] = state.get(name, 0)
                sure = True
                while not life.stopping:
                    before = [{"op": "test", "path": f"/{name}", "value": counted}] if counted else []
                    operations = [*before, {"op": "add", "path": f"/{name}", "value": counted + 1}]
                    sure = False
                    await socket.send(json.dumps({"type": "patch", "id": 1, "room": "lobby", "patch": operations}))
                    await answered(life, socket)
                    counted = life.patched[name] = counted + 1
                    sure = True


async def answered(life: Life, socket: ClientConnection) -> dict[str, Any]:
    while (frame := await life.frame(socket))["type"] != "reply":
        pass
    return frame


@dataclass
class Follower:
    """Somebody who keeps a copy of the shared state, and demands every change once and in order."""

    life: Life
    state: dict[str, int] = field(default_factory=dict)
    version: int = 0
    heard: int = 0

    async def follow(self) -> None:
        while True:
            with contextlib.suppress(*GONE):
                async with self.life.socket() as socket:
                    await socket.send(json.dumps({"type": "join", "id": "join", "room": "lobby"}))
                    joined = await answered(self.life, socket)
                    assert joined["state_version"] >= self.version, "a change that was heard is gone"
                    self.state, self.version = joined["state"], joined["state_version"]
                    while True:
                        frame = await self.life.frame(socket)
                        if frame["type"] == "state":
                            assert frame["state_version"] == self.version + 1, "a change is missing, or came twice"
                            self.version += 1
                            self.heard += 1
                            self.state = jsonpatch.apply_patch(self.state, frame["patch"])
                            await self.life.stir()


@dataclass
class Listener:
    """Somebody who resumes where they were, and demands every message once and in order."""

    life: Life
    seen: list[str] = field(default_factory=list)  # the keys, from the first message on
    resumed: int = 0

    @property
    def reached(self) -> int:
        return len(self.seen)

    def take(self, message: dict[str, Any]) -> None:
        assert message["epoch"] == self.life.epoch
        assert message["seq"] == self.reached + 1, "a message is missing, or came twice"
        self.seen.append(message["data"])

    async def listen(self) -> None:
        while True:
            with contextlib.suppress(*GONE):
                async with self.life.socket() as socket:
                    await self._resume(socket)
                    while True:
                        frame = await self.life.frame(socket)
                        if frame["type"] == "message":
                            self.take(frame)
                            await self.life.stir()

    async def _resume(self, socket: ClientConnection) -> None:
        newer: list[dict[str, Any]] = []

        async def ask(command: dict[str, Any]) -> dict[str, Any]:
            await socket.send(json.dumps({"id": 1, **command}))
            while (frame := await self.life.frame(socket))["type"] != "reply":
                if frame["type"] == "message":
                    newer.append(frame)
            return frame

        if not self.life.epoch:
            joined = await ask({"type": "join", "room": "lobby"})
            self.life.epoch = joined["position"]["epoch"]
            await ask({"type": "leave", "room": "lobby"})
            newer.clear()
        joined = page = await ask({"type": "join", "room": "lobby", "since": self._since()})
        assert joined["recovered"]
        messages = joined["missed"]
        while True:
            for message in messages:
                if message["seq"] <= joined["position"]["seq"]:  # what is after it comes by itself
                    self.take(message)
            if not page["more"] or self.reached >= joined["position"]["seq"]:
                break
            page = await ask({"type": "history", "room": "lobby", "since": self._since()})
            assert page["recovered"]
            messages = page["messages"]
        assert self.reached == joined["position"]["seq"]
        self.resumed += 1
        for message in newer:
            self.take(message)

    def _since(self) -> dict[str, Any]:
        return {"epoch": self.life.epoch, "seq": self.reached}


async def everything(life: Life) -> list[dict[str, Any]]:
    """Read the whole history."""
    found: list[dict[str, Any]] = []
    async with life.socket() as socket:
        await socket.send(json.dumps({"type": "join", "id": 0, "room": "lobby"}))
        more = True
        while more:
            since = {"epoch": life.epoch, "seq": len(found)}
            command = {"type": "history", "id": 1, "room": "lobby", "since": since, "limit": 1000}
            await socket.send(json.dumps(command))
            while (frame := await life.frame(socket)).get("id") != 1:
                pass
            assert frame["recovered"]
            found.extend(frame["messages"])
            more = frame["more"]
    return found


async def kill_again_and_again(life: Life, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(ROUNDS):
        async with life.running() as kill:
            enough = len(life.acked) + chance.randint(*ACKS_BEFORE_A_KILL)
            await life.until(partial(life.has_answered, enough))
            life.up.clear()
            kill()


@pytest.mark.skipif(ROUNDS < 1, reason="no rounds were asked for")
async def test_what_was_answered_survives_kill_minus_9_exactly_once(tmp_path: Path, unused_tcp_port: int) -> None:
    seed = random.SystemRandom().randrange(2**32)
    print(f"the moments of the kills follow from {seed}")  # noqa: T201  # shown when it fails
    life = Life(unused_tcp_port, tmp_path / "data")
    listeners = [Listener(life) for _ in range(LISTENERS)]
    follower = Follower(life)
    async with asyncio.TaskGroup() as clients:
        listening = [clients.create_task(listener.listen()) for listener in listeners]
        listening.append(clients.create_task(follower.follow()))
        publishing = [clients.create_task(publish(life, f"p{number}")) for number in range(PUBLISHERS)]
        publishing += [clients.create_task(patch(life, f"c{number}")) for number in range(PATCHERS)]
        await kill_again_and_again(life, seed)
        life.stopping = True
        async with life.running():
            async with asyncio.timeout(PATIENCE):
                await asyncio.gather(*publishing)
            last = max(life.acked.values())
            await life.until(lambda: all(listener.reached >= last for listener in listeners))
            await life.until(lambda: follower.state == life.patched)
            for task in listening:
                task.cancel()
            kept = await everything(life)
    print(f"{ROUNDS} kills, {len(life.acked)} answered, {life.repeated} of them only when sent again")  # noqa: T201
    print(f"{sum(life.patched.values())} counted, {follower.heard} of them heard")  # noqa: T201
    assert len(life.patched) == PATCHERS
    assert follower.heard > ROUNDS
    assert follower.version == sum(life.patched.values()), "a patch was made twice, or is gone"
    assert [message["seq"] for message in kept] == list(range(1, len(kept) + 1))
    assert Counter(message["data"] for message in kept).most_common(1)[0][1] == 1, "a message was stored twice"
    stored = {message["data"]: message["seq"] for message in kept}
    assert life.acked.items() <= stored.items(), "an answered message is gone, or is elsewhere"
    for listener in listeners:
        assert listener.resumed > ROUNDS // 2
        assert listener.seen == [message["data"] for message in kept[: listener.reached]]
