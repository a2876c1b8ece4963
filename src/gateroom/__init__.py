"""Gateroom: a JWT-secured real-time API gateway.

`Gateroom(Settings(...)).install(app)` puts it on any FastAPI application; the dependencies guard its own endpoints.
"""

from gateroom.app import Gateroom, create_app
from gateroom.auth.principal import Principal
from gateroom.settings import Settings
from gateroom.version import __version__
from gateroom.web.deps import CurrentPrincipal, SocketPrincipal, require_scope

__all__ = [
    "CurrentPrincipal",
    "Gateroom",
    "Principal",
    "Settings",
    "SocketPrincipal",
    "__version__",
    "create_app",
    "require_scope",
]
