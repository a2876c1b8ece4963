"""What the replies to commands say, as the fields of the contract."""

from typing import Any

from msgspec import Raw

from gateroom.protocol import events
from gateroom.protocol.patches import State
from gateroom.realtime.ports import Opened, Page, Position, Repeated
from gateroom.rooms.standings import Standing


def joined(room_id: str, standing: Standing, members: int, opened: Opened, page: Page | None) -> dict[str, Any]:
    """Say where the room stands, and what the caller has missed if a position was given; the page ends at the head."""
    head = opened.head
    return {
        "room": room_id,
        "position": events.position(head.epoch, head.seq),
        "role": standing.grants.role,
        "members": members,
        "state": Raw(opened.state.text),
        "state_version": opened.state.version,
        "recovered": page is None or page.recovered,
        "missed": events.raw_list(page.texts) if page else [],
        "more": page is not None and page.position.seq < head.seq,
    }


def history(page: Page) -> dict[str, Any]:
    return {
        "messages": events.raw_list(page.texts),
        "position": events.position(page.position.epoch, page.position.seq),
        "more": page.more,
        "recovered": page.recovered,
    }


def placed(position: Position) -> dict[str, Any]:
    """Say where a message stands, and whether it stood there before."""
    found: dict[str, Any] = {"position": events.position(position.epoch, position.seq)}
    if isinstance(position, Repeated):
        found["duplicate"] = True
    return found


def carried(outcome: Position | State | None) -> dict[str, Any] | None:
    """Say where a message stands, or which version of the state a patch made; an ephemeral message is nowhere."""
    if isinstance(outcome, State):
        return {"state_version": outcome.version}
    return placed(outcome) if outcome else None
