"""What other programs look for at fixed places: public keys, liveness, readiness."""

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from gateroom.auth.principal import ALL_SCOPES
from gateroom.web.deps import CurrentRuntime
from gateroom.web.routes import operation_id
from gateroom.web.routes.oauth import GRANT_TYPES
from gateroom.web.schemas import Health
from gateroom.web.strict import StrictRoute

router = APIRouter(tags=["operations"], route_class=StrictRoute, generate_unique_id_function=operation_id)


@router.get("/.well-known/jwks.json", summary="Public keys", response_model=dict[str, Any])
async def jwks(runtime: CurrentRuntime) -> Response:
    """Show the keys that access tokens are signed with (RFC 7517)."""
    return JSONResponse(runtime.ring.jwks(), headers={"Cache-Control": "public, max-age=300"})


@router.get("/.well-known/oauth-authorization-server", summary="OAuth 2 endpoints", response_model=dict[str, Any])
async def metadata(request: Request, runtime: CurrentRuntime) -> Response:
    """Show where tokens are had and ended, for OAuth 2 clients that configure themselves (RFC 8414)."""
    own = runtime.options.public_origin or f"{request.scope['scheme']}://{request.headers.get('host', '')}"
    found = {
        "issuer": runtime.tokens.issuer,
        "token_endpoint": f"{own}/auth/token",
        "revocation_endpoint": f"{own}/auth/revoke",
        "introspection_endpoint": f"{own}/auth/introspect",
        "jwks_uri": f"{own}/.well-known/jwks.json",
        "service_documentation": f"{own}/docs",
        "scopes_supported": sorted(ALL_SCOPES),
        "grant_types_supported": list(GRANT_TYPES),
        "response_types_supported": [],  # there is no authorization endpoint
        "token_endpoint_auth_methods_supported": ["none"],
        "revocation_endpoint_auth_methods_supported": ["none"],
        "introspection_endpoint_auth_methods_supported": ["Bearer"],
    }
    return JSONResponse(found, headers={"Cache-Control": "no-cache"})  # it may depend on the Host that was asked


@router.get("/healthz", summary="Is the process alive?")
async def healthz() -> Health:
    """Answer as long as the process answers at all."""
    return Health(status="ok")


@router.get(
    "/readyz", summary="Can it do its work?", responses={503: {"model": Health, "description": "Not at the moment."}}
)
async def readyz(runtime: CurrentRuntime, response: Response) -> Health:
    """Show each dependency's state; 503 while one is not usable or the server is stopping."""
    checks = {}
    for name, check in runtime.checks.items():
        try:
            await check()
            checks[name] = "ok"
        except Exception:  # whatever is wrong with a dependency, here it is a state and not a fault
            checks[name] = "unavailable"
    stopping = runtime.live.door.shut
    ready = not stopping and all(state == "ok" for state in checks.values())
    response.status_code = 200 if ready else 503
    return Health(status="ok" if ready else "stopping" if stopping else "unavailable", checks=checks)
