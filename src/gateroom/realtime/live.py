"""What all sessions of a process share."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gateroom.auth.accounts import Accounts
from gateroom.auth.people import People
from gateroom.realtime.counts import Counts
from gateroom.realtime.door import Door
from gateroom.realtime.hub import Hub
from gateroom.realtime.limits import Limits, UserAllowances
from gateroom.realtime.ports import Broker, Retention
from gateroom.realtime.tasks import Tasks
from gateroom.rooms.activity import Activity
from gateroom.rooms.arrivals import Arrivals
from gateroom.rooms.standings import Standings

if TYPE_CHECKING:
    from gateroom.realtime.session import Session


@dataclass(slots=True)
class Live:
    """The services a session works with, and the register of sessions by connection id."""

    hub: Hub
    broker: Broker
    accounts: Accounts
    people: People
    standings: Standings
    limits: Limits
    door: Door
    counts: Counts
    now: Callable[[], float]  # seconds since the epoch
    monotonic: Callable[[], float]  # seconds
    inbox: Retention
    arrivals: Arrivals
    activity: Activity
    allowances: UserAllowances = field(init=False)
    tasks: Tasks = field(default_factory=Tasks)
    sessions: dict[str, "Session"] = field(default_factory=dict)
    crowded: set[str] = field(default_factory=set)  # room topics whose member count is to be announced

    def __post_init__(self) -> None:
        self.allowances = UserAllowances(self.limits, self.monotonic)
