"""Where settings come from, and what is refused with which words: `gateroom check-config` and all other commands."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from support.cli import run_cli
from support.tree import ROOT

CANARY = "canary-7f3a"


def test_the_configuration_is_checked_and_shown() -> None:
    shown = run_cli("check-config", "--json")
    assert (shown.status, shown.err) == (0, "")
    assert shown.json["server"]["port"] == 8000
    plain = run_cli("check-config")
    assert "server.port = 8000\n" in plain.out
    assert plain.out.endswith("the configuration is fine\n")


def test_a_file_goes_below_the_environment_and_that_below_flags(tmp_path: Path) -> None:
    file = tmp_path / "g.toml"
    file.write_text('[server]\nport = 1001\ndata_dir = "from-file"\n[rooms]\nmax_rooms_per_user = 7\n')
    environment = {"GATEROOM_SERVER__PORT": "1002", "GATEROOM_SERVER__DATA_DIR": "from-environment"}
    args = ("check-config", "--json", "--config", file)
    assert run_cli(*args).json["server"]["port"] == 1001
    assert run_cli(*args, environment=environment).json["server"]["port"] == 1002
    shown = run_cli(*args, "--data-dir", "from-flag", environment=environment).json
    assert shown["server"]["data_dir"] == "from-flag"
    assert shown["rooms"]["max_rooms_per_user"] == 7


def test_the_file_of_the_current_directory_is_read(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "gateroom.toml").write_text("[server]\nport = 1001\n")
    assert run_cli("check-config", "--json", cwd=tmp_path).json["server"]["port"] == 1001


def test_the_files_that_come_with_gateroom_are_fine() -> None:
    assert run_cli("check-config", "--json", cwd=ROOT).json == run_cli("check-config", "--json").json
    production = run_cli("check-config", "--config", ROOT / "config" / "production.toml")
    assert (production.status, production.err) == (0, "")


def test_secrets_are_not_shown() -> None:
    environment = {
        "GATEROOM_AUTH__ADMIN_PASSWORD": CANARY,
        "GATEROOM_STORAGE__URL": f"postgresql://u:{CANARY}@127.0.0.1/x",
    }
    for args in ((), ("--json",)):
        shown = run_cli("check-config", *args, environment=environment)
        assert shown.status == 0
        assert CANARY not in shown.out + shown.err
        assert "***" in shown.out


BAD_SETTINGS: Sequence[Mapping[str, str]] = (
    {"GATEROOM_SERVER__PORT": CANARY},
    {"GATEROOM_SERVER__PORT": "70000"},
    {"GATEROOM_SERVER__HOST": f"{CANARY} x"},
    {"GATEROOM_SERVER__PUBLIC_URL": CANARY},
    {"GATEROOM_SERVER__PUBLIC_URL": "http://chat.example.org"},
    {"GATEROOM_SERVER__TRUSTED_PROXIES": "0.0.0.0/0"},
    {"GATEROOM_STORAGE__URL": f"mysql://u:{CANARY}@127.0.0.1/x"},
    {"GATEROOM_BROKER__URL": f"redis://:{CANARY}@127.0.0.1"},
    {"GATEROOM_AUTH__ACCESS_TTL": "86400"},
    {"GATEROOM_AUTH__ADMIN_PASSWORD": "canary"},
    {"GATEROOM_AUTH__PASSWORD_MIN_LENGTH": "4"},
    {"GATEROOM_AUTH__COOKIE_SECURE": CANARY},
    {"GATEROOM_AUTH__ALLOWED_ORIGINS": f"https://{CANARY}/path"},
    {"GATEROOM_AUTH__ALLOWED_ORIGINS": "*"},
    {"GATEROOM_AUTH__CREDENTIALS": CANARY},
    {"GATEROOM_REALTIME__MAX_MESSAGE_BYTES": "-1"},
    {"GATEROOM_REALTIME__REFUSAL": CANARY},
    {"GATEROOM_ROOMS__KINDS__CHAT__PUBLIC_ROLE": CANARY},
    {"GATEROOM_OBSERVABILITY__LOG_LEVEL": CANARY},
    {"GATEROOM_NOSUCH__SETTING": CANARY},
    {"GATEROOM_SERVER__PROT": CANARY},
    {"GATEROOM_PORT": CANARY},
)


@pytest.mark.parametrize("command", ["check-config", "serve", "users list"])
@pytest.mark.parametrize("setting", BAD_SETTINGS, ids=lambda setting: " ".join(f"{k}={v}" for k, v in setting.items()))
def test_a_bad_setting_is_refused_by_name_and_without_its_value(command: str, setting: Mapping[str, str]) -> None:
    ran = run_cli(*command.split(), environment=setting)
    assert (ran.status, ran.out) == (1, "")
    (line,) = ran.err.splitlines()
    assert line.startswith("gateroom: ")
    (variable,) = setting
    dotted = variable.removeprefix("GATEROOM_").lower().replace("__", ".")
    assert variable in line or dotted in line
    assert CANARY not in line


def test_every_bad_setting_is_named_at_once(tmp_path: Path) -> None:
    file = tmp_path / "g.toml"
    file.write_text('[server]\nport = "x"\nhots = "127.0.0.1"\n[auth]\naccess_ttl = "1y"\n')
    ran = run_cli("check-config", "--config", file)
    assert ran.status == 1
    assert len(ran.err.splitlines()) == 3
    for name in ("server.port", "server.hots", "auth.access_ttl"):
        assert name in ran.err
    assert "did you mean server.host?" in ran.err


@pytest.mark.parametrize("content", ["port = ", "\xff", None], ids=["not TOML", "not UTF-8", "not there"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "g.toml"
    if content is not None:
        file.write_bytes(content.encode("latin-1"))
    ran = run_cli("check-config", "--config", file)
    assert (ran.status, ran.out) == (1, "")
    assert str(file) in ran.err
