"""`/metrics`, for whom the configuration allows."""

from ipaddress import ip_address

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse
from prometheus_client.exposition import choose_encoder

from gateroom.auth.principal import Scope
from gateroom.errors import NotFound
from gateroom.web.deps import CurrentRuntime, http_principal
from gateroom.web.routes import UNAUTHENTICATED, operation_id, problems
from gateroom.web.strict import StrictRoute

_FORWARDED = frozenset({"forwarded", "x-forwarded-for", "x-real-ip", "via"})

router = APIRouter(tags=["operations"], route_class=StrictRoute, generate_unique_id_function=operation_id)


@router.get(
    "/metrics",
    summary="Prometheus metrics",
    response_class=PlainTextResponse,
    responses=problems("not_found", *UNAUTHENTICATED, "forbidden"),
)
async def metrics(request: Request, runtime: CurrentRuntime) -> Response:
    """Show the metrics; by default to callers on this machine only, to others there is no such page.

    With `observability.metrics = "token"` they are for callers with the scope `operations:read`.
    """
    allowed = runtime.options.metrics
    if allowed == "token":
        (await http_principal(request, runtime)).require(Scope.OPERATIONS_READ)
    if allowed == "off" or (allowed == "loopback" and not _is_local(request)):
        raise NotFound
    encode, content_type = choose_encoder(request.headers.get("accept", ""))
    return Response(encode(runtime.metrics), headers={"Content-Type": content_type, "Cache-Control": "no-store"})


def _is_local(request: Request) -> bool:
    # A proxy on this machine speaks for others, trusted or not.
    if not _FORWARDED.isdisjoint(request.headers.keys()):
        return False
    try:
        return ip_address(request.client.host if request.client else "").is_loopback
    except ValueError:
        return False
