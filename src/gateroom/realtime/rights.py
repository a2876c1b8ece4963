"""One socket's rights in its rooms, judged anew when something about them may have changed."""

from gateroom.errors import Banned, Forbidden, GateroomError, Overloaded
from gateroom.realtime.session import Session
from gateroom.realtime.subscription import Subscription
from gateroom.rooms.model import Action, Measure


async def judge_anew(session: Session, subscription: Subscription) -> None:
    """Take over what holds now; who may no longer read is removed.

    So is, with `overloaded`, whoever cannot be judged because the store cannot be read.
    """
    try:
        standing = await session.standing_in(subscription.room_id)
    except GateroomError:
        session.expel(subscription, Overloaded())
        return
    except Exception as fault:
        session.fault(fault)
        return
    if not subscription.joined:
        return
    if Action.READ in standing.grants.actions:
        subscription.judge(standing)
    else:
        session.expel(subscription, Banned() if standing.grants.measure is Measure.BAN else Forbidden())


async def judge_rooms(session: Session) -> None:
    """Judge anew in every room the socket is in."""
    for subscription in list(session.subscriptions.values()):
        if subscription.joined:
            await judge_anew(session, subscription)
