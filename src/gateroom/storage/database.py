"""The one SQL database of this process: units of work on it, each whole, bounded in time, and finished once begun."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any, TypeVar, TypeVarTuple

import structlog
from sqlalchemy import Row, Select, make_url, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gateroom.errors import Unavailable
from gateroom.storage.engine import Synchronous, create_engine
from gateroom.storage.faults import reason, translate
from gateroom.storage.schema import users

_log = structlog.get_logger("gateroom.storage")

DEADLINE = 15.0  # seconds for one unit of work, waiting for its turn included
CLOSE_GRACE = 5.0  # seconds that units of work still have when the database is closed
MAX_RUNNING = 10_000  # units of work waiting or running; more is refused with `Unavailable`

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class Database:
    """A pool of connections, and the only two ways to use one: `rows` and `write`.

    Each call is a transaction of its own that ends before the call returns. A caller that is cancelled leaves at once,
    but what it began is carried through: a driver interrupted half-way would cost the pool a connection, and nobody
    could tell whether the change was made. Both raise `Unavailable` when the database does not do its part.
    """

    def __init__(self, engine: AsyncEngine, name: str, deadline: float = DEADLINE) -> None:
        """Use `engine`; `name` is what error messages call it, `deadline` the seconds each call may take."""
        self.engine = engine
        self.name = name
        self._deadline = deadline
        self.is_sqlite = engine.dialect.name == "sqlite"
        # A single statement needs no BEGIN: on SQLite we give none, on PostgreSQL the driver must be told.
        self._reader = engine if self.is_sqlite else engine.execution_options(isolation_level="AUTOCOMMIT")
        # SQLite has one writer at a time and lets the others poll; within this process they queue up instead.
        self._turn: AbstractAsyncContextManager[None] = asyncio.Lock() if self.is_sqlite else nullcontext()
        self._running: set[asyncio.Task[Any]] = set()
        self._closed = False

    async def rows(self, statement: Select[*Ts]) -> Sequence[Row[*Ts]]:
        """Return all rows of one SELECT."""

        async def read() -> Sequence[Row[*Ts]]:
            async with self._reader.connect() as connection:
                return (await connection.execute(statement)).all()

        return await self._carry_through(read)

    async def write(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Return what `work` returns, run in a transaction that is committed unless it raises.

        On SQLite the transaction holds the write lock from its start (BEGIN IMMEDIATE), so what it reads stays true;
        on PostgreSQL (read committed) `work` must lock the rows that it judges by (SELECT … FOR UPDATE).
        """

        async def transact() -> T:
            async with self._turn, self.engine.connect() as connection:
                if self.is_sqlite:
                    await connection.exec_driver_sql("BEGIN IMMEDIATE")
                result = await work(connection)
                await connection.commit()
                return result

        return await self._carry_through(transact)

    async def ping(self) -> None:
        """Raise `Unavailable` unless the database answers from its data."""
        await self.rows(select(users.c.id).limit(1))

    async def close(self) -> None:
        """Let running units of work end, cut off those that take over `CLOSE_GRACE`, then close every connection."""
        self._closed = True
        if self._running:
            await asyncio.wait(self._running, timeout=CLOSE_GRACE)
        late = list(self._running)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        await self.engine.dispose()

    async def _carry_through(self, unit: Callable[[], Coroutine[Any, Any, T]]) -> T:
        if self._closed or len(self._running) >= MAX_RUNNING:
            raise Unavailable
        task = asyncio.create_task(self._bounded(unit))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(_note_unheard)
            raise

    async def _bounded(self, unit: Callable[[], Coroutine[Any, Any, T]]) -> T:
        try:
            async with asyncio.timeout(self._deadline):
                return await unit()
        except asyncio.CancelledError:
            if self._closed:  # cut off by `close`: the caller itself was not cancelled
                raise Unavailable from None
            raise
        except Exception as error:
            meaning = translate(error)
            if isinstance(meaning, Unavailable) and meaning is not error:
                _log.warning("storage.unavailable", error=type(error).__name__, reason=reason(error))
            if meaning is error:
                raise
            raise meaning from error


def open_database(url: str, synchronous: Synchronous = "normal") -> Database:
    """Return the database at `url`; see `create_engine` for what a URL may be and what is raised."""
    engine = create_engine(url, synchronous)
    return Database(engine, make_url(url).set(query={}).render_as_string(hide_password=True))


def _note_unheard(task: asyncio.Task[Any]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.warning("storage.unheard_failure", error=type(error).__name__)
