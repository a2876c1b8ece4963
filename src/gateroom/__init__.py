"""Gateroom: a JWT-secured real-time API gateway.

`Gateroom(Settings(...)).install(app)` puts it on any FastAPI application; the dependencies guard its own endpoints.
"""

from gateroom.app import Gateroom, create_app
from gateroom.auth.principal import Principal
from gateroom.settings import Settings
from gateroom.version import __version__
from gateroom.web.deps import CurrentPrincipal, SocketPrincipal, require_scope
from gateroom.web.embedding import connections_of, publish, send_to_user

__all__ = [
    "CurrentPrincipal",
    "Gateroom",
    "Principal",
    "Settings",
    "SocketPrincipal",
    "__version__",
    "connections_of",
    "create_app",
    "publish",
    "require_scope",
    "send_to_user",
]
