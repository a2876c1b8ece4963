"""Forged tokens at a real `gateroom serve`, made with the very key that it signs with."""

from collections.abc import Callable, Mapping
from urllib.parse import urlencode

import pytest

from gateroom.auth.key_files import load_or_create
from gateroom.auth.keys import KeyRing
from support.attacks import Attack, attacks
from support.gateway import RunningGateway
from support.tokens import claims_of, forge
from support.visitors import SUBPROTOCOL, refused, turned_away, visiting


@pytest.fixture(scope="module")
def ring(gateway: RunningGateway) -> KeyRing:
    return load_or_create(gateway.data_dir / "keys")


@pytest.fixture(scope="module")
def forged(gateway: RunningGateway, ring: KeyRing) -> list[Attack]:
    found = [attack for attack in attacks(ring, gateway.token("alice")) if attack.sendable]
    assert len(found) > 200
    return found


def in_query(token: str) -> str:
    return f"/ws?{urlencode({'token': token})}"


def test_a_proper_token_by_the_same_key_is_believed(gateway: RunningGateway, ring: KeyRing) -> None:
    """So that the forged ones are refused for what is forged about them."""
    token = forge(ring.current, claims_of(gateway.token("alice")))
    with visiting(gateway.ws_url, in_query(token)) as visitor:
        assert visitor.event("welcome")["user"]["name"] == "alice"


def test_no_forged_token_opens_a_socket(gateway: RunningGateway, forged: list[Attack]) -> None:
    def attempt(attack: Attack) -> object:
        answer = refused(gateway.ws_url, in_query(attack.token))
        assert len(attack.token) < 10 or attack.token not in str(answer)
        return answer.status, answer.code

    assert surprises(forged, attempt, lambda attack: (403, attack.code)) == {}


def test_no_forged_token_gets_more_than_a_reason(gateway: RunningGateway, forged: list[Attack]) -> None:
    def attempt(attack: Attack) -> object:
        return turned_away(gateway.ws_url, in_query(attack.token), offer=[SUBPROTOCOL])

    assert surprises(forged, attempt, lambda attack: (SUBPROTOCOL, 1008, attack.code)) == {}


def surprises(
    forged: list[Attack], attempt: Callable[[Attack], object], expected: Callable[[Attack], object]
) -> Mapping[str, object]:
    """Return what happened by name of the attack, where it is not what was expected."""
    return {attack.name: got for attack in forged if (got := attempt(attack)) != expected(attack)}


def test_no_forged_token_is_believed_over_http(gateway: RunningGateway, forged: list[Attack]) -> None:
    with gateway.client() as client:

        def attempt(attack: Attack) -> object:
            answer = client.get("/auth/me", headers={"Authorization": f"Bearer {attack.token}"})
            assert len(attack.token) < 10 or attack.token not in answer.text
            return answer.status_code, answer.json()["code"]

        headers = [attack for attack in forged if attack.token.strip() == attack.token]
        assert surprises(headers, attempt, lambda attack: (401, attack.code)) == {}


def test_nothing_of_it_was_a_fault_of_ours(gateway: RunningGateway, forged: list[Attack]) -> None:
    said = "".join(gateway.output)
    assert "Traceback" not in said
    assert "error_id" not in said
    assert [attack.name for attack in forged if len(attack.token) > 10 and attack.token in said] == []
