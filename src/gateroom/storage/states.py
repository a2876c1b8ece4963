"""The shared states of durable rooms, each in a row beside its stream; whoever holds the stream's row may change it."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from gateroom.errors import GateroomError
from gateroom.protocol.patches import Change, State, changed
from gateroom.storage.schema import stream_states


class States:
    """The states that one transaction changes, by epoch: each is read once and written once, however many changes."""

    def __init__(self) -> None:
        self._states: dict[str, State] = {}
        self._changed: set[str] = set()

    async def read(self, connection: AsyncConnection, epochs: Sequence[str]) -> None:
        """Read the states of these streams; what was never changed has no row."""
        columns = stream_states.c
        chosen = select(columns.epoch, columns.version, columns.document).where(columns.epoch.in_(epochs))
        for epoch, version, document in await connection.execute(chosen):
            self._states[epoch] = State(version, document)

    def change(self, epoch: str, change: Change) -> State | GateroomError:
        """Change what was read, or return the error for which it stays as it is."""
        outcome = changed(self._states.get(epoch) or State(), change)
        if isinstance(outcome, State):
            self._states[epoch] = outcome
            self._changed.add(epoch)
        return outcome

    async def write(self, connection: AsyncConnection) -> None:
        """Store what has changed."""
        if not self._changed:
            return
        rows = [
            {"epoch": epoch, "version": self._states[epoch].version, "document": self._states[epoch].text}
            for epoch in sorted(self._changed)
        ]
        dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
        adding = dialect.insert(stream_states)
        new = {"version": adding.excluded.version, "document": adding.excluded.document}
        await connection.execute(adding.on_conflict_do_update(index_elements=["epoch"], set_=new), rows)
