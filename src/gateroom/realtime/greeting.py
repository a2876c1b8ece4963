"""The first event of a socket: who it is, and what it may count on."""

from gateroom.errors import Overloaded
from gateroom.protocol import events
from gateroom.realtime.session import Session
from gateroom.realtime.topics import user_topic


def welcome(session: Session) -> bytes:
    """Encode `welcome`. Raises `Overloaded` when the caller's inbox was not opened a moment ago."""
    principal, live = session.principal, session.live
    inbox, limits = live.broker.head(user_topic(principal.user_id)), live.limits
    if inbox is None:
        raise Overloaded
    fields = {
        "connection": session.connection.id,
        "user": session.connection.person,
        "session": principal.session_id,
        "expires_at": events.rfc3339(principal.expires_at),
        "inbox": events.position(inbox.epoch, inbox.seq),
        "limits": {
            "max_message_bytes": limits.max_message_bytes,
            "publish_rate": limits.publish_rate,
            "publish_burst": limits.publish_burst,
            "max_rooms_per_connection": limits.max_rooms_per_connection,
        },
    }
    return events.event("welcome", fields)
