"""A socket that an application serves by itself: known here, so that what ends a session ends it too."""

from gateroom.errors import Refusal
from gateroom.realtime.ports import FrameSink
from gateroom.realtime.session import Session
from gateroom.realtime.subscription import Subscription
from gateroom.realtime.topics import EVERYONE


class GuardedSession(Session):
    """Ends with its token, its session, its account and the server; nothing is said on it, and no frame passes it.

    Its principal follows the account, but the application goes on with the one that it was given at the handshake.
    """

    __slots__ = ()

    plain = True

    def start(self, sink: FrameSink) -> None:
        super().start(sink)
        if not self.ended:
            self.live.hub.leave(EVERYONE, self.connection)

    def opened(self) -> None:
        """Say nothing: the application does."""

    def take(self, text: bytes) -> None:
        """Do nothing: the application reads."""

    def room_lost(self, subscription: Subscription, refusal: Refusal) -> None:
        """Do nothing: it is in no room."""

    def left(self) -> None:
        """Leave nothing."""
