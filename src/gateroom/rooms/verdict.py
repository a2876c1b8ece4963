"""Why somebody may do something in a room, or not: the very judgement of the live path, in words."""

from dataclasses import dataclass

from gateroom.auth.principal import Principal
from gateroom.rooms import policy
from gateroom.rooms.arrivals import Arrivals
from gateroom.rooms.model import Action


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether it is allowed, and what decided that."""

    allowed: bool
    because: tuple[str, ...]


DISABLED = Verdict(False, ("account disabled",))


async def judge(arrivals: Arrivals, principal: Principal, action: Action, room_id: str) -> Verdict:
    """Judge as if the principal came now; nothing comes into being by that. Raises `Unavailable`."""
    standing, template = await arrivals.outlook(principal, room_id)
    because = policy.explain(action, standing.grants)
    if template is not None:
        because = (f"template {template.pattern}", *because)
    return Verdict(action in standing.grants.actions, because)
