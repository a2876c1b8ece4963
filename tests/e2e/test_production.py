"""What a server in production refuses to start with, one bad setting at a time (CF-2)."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from gateroom.settings import RULES
from support.cli import Ran, run_cli
from support.gateway import ADMIN_PASSWORD, running_gateway
from support.tree import ROOT
from support.visitors import visiting

EXAMPLE = ROOT / "config" / "production.toml"
CHOSEN = {"GATEROOM_AUTH__ADMIN_PASSWORD": ADMIN_PASSWORD}
CANARY = "canary-7f3a"

# One bad setting, and the name under which it is refused.
BAD: Mapping[str, tuple[str, str]] = {
    "no public URL": ("SERVER__PUBLIC_URL", "https://"),
    "public URL on plain http": ("SERVER__PUBLIC_URL", "http://127.0.0.1"),
    "every proxy": ("SERVER__TRUSTED_PROXIES", "0.0.0.0/0"),
    "any proxy": ("SERVER__TRUSTED_PROXIES", "*"),
    "half the world": ("SERVER__TRUSTED_PROXIES", "127.0.0.1,128.0.0.0/1"),
    "half of IPv6": ("SERVER__TRUSTED_PROXIES", "8000::/1"),
    "no proxy": ("SERVER__TRUSTED_PROXIES", "[]"),
    "open API page": ("SERVER__DOCS", "public"),
    "open console": ("CONSOLE__ENABLED", "true"),
    "open metrics": ("OBSERVABILITY__METRICS", "public"),
    "debug": ("OBSERVABILITY__LOG_LEVEL", "debug"),
    "any origin": ("AUTH__ALLOWED_ORIGINS", "*"),
    "origin on plain http": ("AUTH__ALLOWED_ORIGINS", "https://app.example.org,http://app.example.org"),
    "cookies by guess": ("AUTH__COOKIE_SECURE", "auto"),
    "cookies without Secure": ("AUTH__COOKIE_SECURE", "off"),
    "tokens in URLs": ("AUTH__CREDENTIALS", "query,header"),
    "endless guessing": ("AUTH__LOGIN_RATE", "0"),
    "endless access": ("AUTH__ACCESS_TTL", "86400"),
    "weak secret": ("AUTH__HMAC_SECRET", CANARY),
    "issuer on plain http": (
        "AUTH__ISSUERS",
        '[{"issuer": "https://i", "jwks_url": "http://127.0.0.1/jwks", "audience": "a"}]',
    ),
    "half-durable SQLite": ("STORAGE__SYNCHRONOUS", "normal"),
    "PostgreSQL without TLS": ("STORAGE__URL", f"postgresql://u:{CANARY}@db.example.org/x"),
    "PostgreSQL with optional TLS": ("STORAGE__URL", f"postgresql://u:{CANARY}@db.example.org/x?sslmode=prefer"),
    "PostgreSQL without a password": ("STORAGE__URL", "postgresql://u@db.example.org/x?sslmode=verify-full"),
    "no limit of sockets": ("REALTIME__MAX_CONNECTIONS", "0"),
    "no limit of backlog": ("REALTIME__MAX_BACKLOG_BYTES", "0"),
    "no deadline for heads": ("REALTIME__HEADER_TIMEOUT", "0"),
    "no deadline for bodies": ("REALTIME__BODY_TIMEOUT", "0"),
    "no pings": ("REALTIME__PING_INTERVAL", "0"),
}


def with_bad(name: str) -> dict[str, str]:
    variable, value = BAD[name]
    return {**CHOSEN, f"GATEROOM_{variable}": value}


def dotted(name: str) -> str:
    return BAD[name][0].lower().replace("__", ".")


def judged(*args: str, environment: Mapping[str, str] = CHOSEN) -> Ran:
    return run_cli("check-config", "--production", "--config", EXAMPLE, *args, environment=environment)


def test_the_example_is_fine_and_every_rule_is_listed() -> None:
    ran = judged("--json")
    assert (ran.status, ran.err) == (0, "")
    assert [(found["setting"], found["ok"]) for found in ran.json] == [(rule.setting, True) for rule in RULES]
    plain = judged()
    assert plain.status == 0
    assert plain.out.splitlines() == [f"ok       {rule.setting}" for rule in RULES]


@pytest.mark.parametrize("name", BAD)
def test_one_bad_setting_keeps_it_from_starting(name: str, tmp_path: Path) -> None:
    args = ("--config", EXAMPLE, "--data-dir", tmp_path)
    ran = run_cli("serve", "--port", "0", *args, environment=with_bad(name))
    assert (ran.status, ran.out) == (1, "")
    assert all(line.startswith(f"gateroom: {dotted(name)}") for line in ran.err.splitlines()), ran.err
    assert CANARY not in ran.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", [name for name in BAD if "*" not in BAD[name][1]])
def test_the_list_says_what_is_refused_and_how_to_mend_it(name: str) -> None:
    ran = judged(environment=with_bad(name))
    assert ran.status == 1
    refused = [line for line in (ran.out + ran.err).splitlines() if not line.startswith("ok ")]
    assert len(refused) == 1
    assert f"{dotted(name)}" in refused[0]
    assert " must " in refused[0] or " is refused: " in refused[0]
    assert CANARY not in ran.out + ran.err


def test_defaults_are_for_development_and_start_there() -> None:
    ran = run_cli("check-config", "--production", "--json")
    assert ran.status == 1
    assert {found["setting"] for found in ran.json if not found["ok"]} >= {"server.public_url", "server.docs"}
    assert run_cli("check-config").status == 0


@pytest.mark.parametrize(
    "setting",
    [
        {"GATEROOM_AUTH__CREDENTIALS": "header,ticket", "GATEROOM_AUTH__COOKIE_SECURE": "auto"},
        {"GATEROOM_STORAGE__URL": "postgresql://u:p@db.example.org/x?sslmode=verify-full"},
        {"GATEROOM_STORAGE__URL": "postgresql://u@127.0.0.1/x", "GATEROOM_STORAGE__SYNCHRONOUS": "normal"},
        {"GATEROOM_STORAGE__URL": "postgresql:///x?host=/run/postgresql"},
        {"GATEROOM_SERVER__DOCS": "token", "GATEROOM_OBSERVABILITY__METRICS": "token"},
        {"GATEROOM_SERVER__TRUSTED_PROXIES": "10.0.0.0/8,2001:db8::/32"},
    ],
    ids=range(6),
)
def test_what_is_safe_is_not_refused(setting: Mapping[str, str]) -> None:
    ran = judged(environment={**CHOSEN, **setting})
    assert (ran.status, ran.err) == (0, ""), ran.out


def test_no_password_is_made_up_and_printed(tmp_path: Path) -> None:
    args = ("serve", "--port", "0", "--config", EXAMPLE, "--data-dir", tmp_path)
    ran = run_cli(*args)
    assert (ran.status, ran.out) == (1, "")
    assert ran.sentence.startswith("auth.admin_password: must be set")
    demo = run_cli(*args, "--demo", environment=CHOSEN)
    assert demo.sentence.startswith("--demo: ")


def test_a_server_in_production_serves(tmp_path: Path) -> None:
    proxy = {"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": "https"}
    with running_gateway("--config", str(EXAMPLE)) as gateway:
        token = gateway.token()
        with visiting(gateway.ws_url, headers={**proxy, "Authorization": f"Bearer {token}"}) as visitor:
            visitor.event("welcome")
        with gateway.client() as client:
            for path in ("/docs", "/openapi.json", "/console", "/metrics"):
                assert client.get(path, headers=proxy).status_code == 404
            assert client.get("/healthz", headers=proxy).status_code == 200
    assert ADMIN_PASSWORD not in "".join(gateway.output)
