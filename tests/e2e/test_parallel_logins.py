"""A crowd that logs in at once: served or told to come back, and nobody else waits for it (PW-5)."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import requests

from support.gateway import ADMIN_PASSWORD, running_gateway

CROWD = 160  # more than two that are hashed and 64 that wait, while more come than are hashed


def test_others_are_served_while_everybody_logs_in() -> None:
    with running_gateway(environment={"GATEROOM_AUTH__LOGIN_RATE": "0"}) as gateway, ThreadPoolExecutor(CROWD) as pool:
        by_admin = {"Authorization": f"Bearer {gateway.token()}"}
        together = Barrier(CROWD + 1)

        def log_in() -> requests.Response:
            with requests.Session() as browser:
                browser.trust_env = False
                together.wait(30)
                body = {"username": "admin", "password": ADMIN_PASSWORD}
                return browser.post(f"{gateway.url}/auth/login", json=body, timeout=60)

        with requests.Session() as probe:
            probe.trust_env = False
            crowd = [pool.submit(log_in) for _ in range(CROWD)]
            together.wait(30)
            served = 0  # probes that were answered while some of the crowd had no answer yet
            while not all(each.done() for each in crowd):
                assert probe.get(f"{gateway.url}/healthz", timeout=20).status_code == 200
                assert probe.get(f"{gateway.url}/auth/me", headers=by_admin, timeout=20).status_code == 200
                served += 1
        answers = [each.result() for each in crowd]
        statuses = Counter(answer.status_code for answer in answers)
        assert set(statuses) <= {200, 429}
        assert statuses[200] >= 66
        assert statuses[429] > 0  # on the event loop they would have been hashed one after the other, all of them
        assert all("Retry-After" in answer.headers for answer in answers if answer.status_code == 429)
        assert served >= 5
        assert gateway.token()
