"""Behind a proxy, at a real `gateroom serve`: who is counted, noted and believed to come over TLS (DS-6, HC-1)."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack

import pytest

from support.gateway import ADMIN_PASSWORD, RunningGateway, running_gateway
from support.patience import until
from support.visitors import SUBPROTOCOL, refused, turned_away, visiting

LIMIT = 2  # sockets for each address
PER_ADDRESS = {"GATEROOM_REALTIME__MAX_CONNECTIONS_PER_ADDRESS": str(LIMIT)}
GUESSES = 10  # a minute, for each address
HSTS = "strict-transport-security"


@pytest.fixture(scope="module")
def direct() -> Iterator[RunningGateway]:
    with running_gateway(environment=PER_ADDRESS) as running:
        yield running


@pytest.fixture(scope="module")
def proxied() -> Iterator[RunningGateway]:
    with running_gateway(environment={**PER_ADDRESS, "GATEROOM_SERVER__TRUSTED_PROXIES": "127.0.0.1"}) as running:
        yield running


def forged(number: int) -> Mapping[str, str]:
    """Claim another address each time, in every way there is."""
    address = f"192.0.2.{number}"
    return {
        "X-Forwarded-For": address,
        "Forwarded": f"for={address};proto=https",
        "X-Real-IP": address,
        "X-Forwarded-Proto": "https",
    }


def test_nobody_escapes_a_limit_by_claiming_another_address(direct: RunningGateway) -> None:
    path = f"/ws?token={direct.token()}"
    with ExitStack() as open_sockets:
        for number in range(LIMIT):
            open_sockets.enter_context(visiting(direct.ws_url, path, headers=forged(number))).event("welcome")
        for number in range(10, 15):
            answer = refused(direct.ws_url, path, headers=forged(number))
            assert (answer.status, answer.code) == (429, "connection_limit")


def test_behind_a_trusted_proxy_each_client_is_counted_by_itself(proxied: RunningGateway) -> None:
    path = f"/ws?token={proxied.token()}"
    with ExitStack() as open_sockets:
        for client in ("192.0.2.1", "192.0.2.2", "2001:db8::1"):
            for made_up in range(LIMIT):
                headers = {"X-Forwarded-For": f"10.9.9.{made_up}, {client}"}
                open_sockets.enter_context(visiting(proxied.ws_url, path, headers=headers)).event("welcome")
            answer = refused(proxied.ws_url, path, headers={"X-Forwarded-For": f"10.9.9.9, {client}"})
            assert (answer.status, answer.code) == (429, "connection_limit")


def test_the_log_names_the_real_client_and_no_other(direct: RunningGateway, proxied: RunningGateway) -> None:
    headers = {"X-Forwarded-For": "198.51.100.66, 198.51.100.7"}
    for gateway, noted in ((direct, "127.0.0.1"), (proxied, "198.51.100.7")):
        with gateway.client() as client:
            body = {"username": "nobody", "password": ADMIN_PASSWORD}
            assert client.post("/auth/login", json=body, headers=headers).status_code == 401
        assert refused(gateway.ws_url, headers=headers).code == "missing_token"
        for event in ("auth.login", "handshake_refused"):
            until(lambda: any(event in line and noted in line for line in gateway.output), f"{event} from {noted}")  # noqa: B023 - called at once
        assert not any("198.51.100.66" in line for line in gateway.output)
    assert not any("198.51.100" in line for line in direct.output)


def test_cookies_and_hsts_follow_the_scheme_that_a_trusted_proxy_tells(
    direct: RunningGateway, proxied: RunningGateway
) -> None:
    headers = {"X-Forwarded-For": "192.0.2.9", "X-Forwarded-Proto": "https"}
    body = {"username": "admin", "password": ADMIN_PASSWORD, "cookie": True}
    for gateway, secure in ((direct, False), (proxied, True)):
        with gateway.client() as client:
            answer = client.post("/auth/login", json=body, headers=headers)
            assert ("__Host-gateroom_access" in answer.headers["Set-Cookie"]) is secure
            assert (HSTS in answer.headers) is secure
            assert (HSTS in client.get("/nowhere", headers=headers).headers) is secure
            assert HSTS not in client.get("/healthz").headers


def test_the_own_origin_has_the_scheme_that_a_trusted_proxy_tells(proxied: RunningGateway) -> None:
    path, host = f"/ws?token={proxied.token()}", {"X-Forwarded-For": "192.0.2.10"}
    over_tls = {**host, "X-Forwarded-Proto": "https"}
    own = {"Origin": f"https://{proxied.authority}"}
    with visiting(proxied.ws_url, path, headers={**over_tls, **own}) as visitor:
        visitor.event("welcome")
    assert refused(proxied.ws_url, path, headers={**host, **own}).code == "origin_not_allowed"
    assert refused(proxied.ws_url, path, headers={**over_tls, "Origin": proxied.url}).code == "origin_not_allowed"


def test_a_refused_handshake_is_guarded_like_any_answer(direct: RunningGateway, proxied: RunningGateway) -> None:
    headers = {"X-Forwarded-For": "192.0.2.11", "X-Forwarded-Proto": "https"}
    for gateway, secure in ((direct, False), (proxied, True)):
        answer = refused(gateway.ws_url, headers=headers)
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert "server" not in answer.headers
        assert (HSTS in answer.headers) is secure
        assert turned_away(gateway.ws_url, offer=[SUBPROTOCOL], headers=headers)[1:] == (1008, "missing_token")


def test_metrics_for_this_machine_are_not_for_those_a_proxy_on_it_speaks_for(
    direct: RunningGateway, proxied: RunningGateway
) -> None:
    for gateway in (direct, proxied):
        with gateway.client() as client:
            assert client.get("/metrics").status_code == 200
            for name in ("X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"):
                for value in ("192.0.2.12", "127.0.0.1", "unknown"):
                    assert client.get("/metrics", headers={name: value}).status_code == 404


def test_guesses_are_counted_by_the_real_client_and_no_other(direct: RunningGateway, proxied: RunningGateway) -> None:
    """Last in this file: it uses up what an address may get wrong."""

    def guesses(gateway: RunningGateway, name: str, *clients: str) -> list[int]:
        with gateway.client() as client:
            bodies = [{"username": f"{name}{number}", "password": "wrong password"} for number in range(len(clients))]
            return [
                client.post("/auth/login", json=body, headers={"X-Forwarded-For": address}).status_code
                for body, address in zip(bodies, clients, strict=True)
            ]

    rotating = [f"198.18.0.{number}" for number in range(GUESSES + 2)]
    assert 429 in guesses(direct, "direct", *rotating)
    assert set(guesses(proxied, "many", *rotating)) == {401}
    assert 429 in guesses(proxied, "one", *[f"{made_up}, 203.0.113.77" for made_up in rotating])
