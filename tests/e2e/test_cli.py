"""The `gateroom` commands, as a person and as a script meets them (contract section 6)."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from gateroom.auth.keys import load_or_create
from support.cli import Ran, run_cli
from support.gateway import RunningGateway, running_gateway
from support.tokens import claims_of
from support.tree import ROOT
from support.visitors import refused, visiting

CANARY = "canary-7f3a"


class Shell:
    """Runs commands on one data directory."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir

    def __call__(self, *args: str, stdin: str = "") -> Ran:
        return run_cli(*args, "--data-dir", self.data_dir, stdin=stdin)

    def done(self, *args: str, stdin: str = "") -> Ran:
        ran = self(*args, stdin=stdin)
        assert (ran.status, ran.err) == (0, ""), ran
        return ran

    def refused(self, *args: str, stdin: str = "") -> str:
        """Run a command that must be refused; return its one line."""
        ran = self(*args, stdin=stdin)
        assert (ran.status, ran.out) == (1, ""), ran
        assert ran.err.startswith("gateroom: ")
        assert ran.err.count("\n") == 1
        return ran.err


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path / "data")


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A data directory with a user called ada and a room of hers called desk, which no test changes."""
    shell = Shell(tmp_path_factory.mktemp("data"))
    shell.done("users", "add", "ada")
    shell.done("rooms", "add", "desk", "--owner", "ada")
    return shell


# Accounts


def test_an_account_is_added_with_a_generated_password(shell: Shell) -> None:
    (made,) = shell.done("users", "add", "ada", "--json").json
    assert set(made) == {"id", "username", "scopes", "roles", "disabled", "created_at", "password"}
    assert (made["username"], made["scopes"], made["roles"]) == ("ada", ["rooms:create", "users:send"], [])
    assert len(made["password"]) >= 20
    (listed,) = shell.done("users", "list", "--json").json
    assert listed == {name: made[name] for name in made if name != "password"}


def test_a_password_may_come_from_a_pipe(shell: Shell) -> None:
    ran = shell.done("users", "add", "ada", "--password-stdin", "--json", stdin="correct horse\n")
    assert "password" not in ran.json[0]
    assert "correct horse" not in ran.out


def test_scopes_and_roles_are_given(shell: Shell) -> None:
    (made,) = shell.done(
        "users", "add", "ada", "--scope", "rooms:create", "--scope", "shop:buy", "--role", "editor", "--json"
    ).json
    assert (made["scopes"], made["roles"]) == (["rooms:create", "shop:buy"], ["editor"])
    (admin,) = shell.done("users", "add", "root", "--admin", "--json").json
    assert "rooms:admin" in admin["scopes"]
    assert shell.done("users", "scopes", "ada", "--json").json[0]["scopes"] == ["rooms:create", "shop:buy"]
    (changed,) = shell.done("users", "scopes", "ada", "users:send", "--json").json
    assert changed["scopes"] == ["users:send"]
    assert shell.done("users", "scopes", "ada", "--json").json[0]["scopes"] == ["users:send"]


@pytest.mark.parametrize("scope", ["rooms:create users:send", "", "a\nb", 'a"b', "é"], ids=ascii)
def test_what_is_no_scope_is_refused(furnished: Shell, scope: str) -> None:
    assert "scopes:" in furnished.refused("users", "scopes", "ada", scope)
    assert "scopes:" in furnished.refused("users", "add", "ben", "--scope", scope)


def test_an_account_is_disabled_and_enabled(shell: Shell) -> None:
    shell.done("users", "add", "ada")
    assert shell.done("users", "disable", "ada", "--json").json[0]["disabled"] is True
    assert "disabled" in shell.refused("token", "mint", "ada")
    assert shell.done("users", "disable", "ada", "--undo", "--json").json[0]["disabled"] is False


def test_a_table_for_people_cuts_nothing_off(shell: Shell) -> None:
    (made,) = shell.done("users", "add", "x" * 64, "--admin", "--json").json
    table = shell.done("users", "list").out
    head, row = table.splitlines()
    assert head.split() == ["id", "username", "scopes", "roles", "disabled", "created_at"]
    for value in (made["id"], made["username"], " ".join(made["scopes"]), made["created_at"]):
        assert value in row
    assert shell.done("rooms", "list").out == "none\n"


@pytest.mark.parametrize(
    ("args", "stdin", "sentence"),
    [
        (["users", "add", "ada"], "", "there is a user called ada already"),
        (["users", "add", "Ada"], "", "username"),
        (["users", "add", "ben", "--password-stdin"], "short\n", "too short"),
        (["users", "add", "ben", "--password-stdin"], "password1\n", "most common"),
        (["users", "add", "ben", "--password-stdin"], "", "too short"),
        (["users", "passwd", "nobody"], "", "there is no user called nobody; see `gateroom users list`"),
        (["users", "disable", "nobody"], "", "there is no user called nobody"),
        (["users", "scopes", "nobody"], "", "there is no user called nobody"),
        (["rooms", "add", "Bad Room"], "", "room's id"),
        (["rooms", "add", "desk"], "", "there is a room called desk already"),
        (["rooms", "add", "hall", "--owner", "nobody"], "", "there is no user called nobody"),
        (["rooms", "add", "hall", "--kind", "nokind"], "", "no kind of that name"),
        (["rooms", "members", "hall"], "", "there is no room called hall; see `gateroom rooms list`"),
        (["rooms", "member", "hall", "ada", "--role", "member"], "", "there is no room called hall"),
        (["rooms", "member", "desk", "nobody", "--role", "member"], "", "there is no user called nobody"),
        (["rooms", "member", "desk", "ben", "--remove"], "", "there is no user called ben"),
        (["rooms", "member", "desk", "ada", "--remove"], "", "last owner"),
        (["rooms", "delete", "hall"], "", "there is no room called hall"),
        (["token", "mint", "nobody"], "", "there is no user called nobody"),
        (["token", "inspect", CANARY], "", "invalid_token"),
        (["token", "inspect"], f"{CANARY}\n", "invalid_token"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_done_is_said_in_one_line(
    furnished: Shell, args: Sequence[str], stdin: str, sentence: str
) -> None:
    line = furnished.refused(*args, stdin=stdin)
    assert sentence in line
    assert CANARY not in line


# Rooms


def test_rooms_and_their_members_are_managed(shell: Shell) -> None:
    shell.done("users", "add", "ada")
    shell.done("users", "add", "ben")
    (made,) = shell.done("rooms", "add", "desk", "--owner", "ada", "--title", "The desk", "--public", "--json").json
    assert set(made) == {"id", "kind", "title", "visibility", "created_at"}
    assert (made["id"], made["kind"], made["title"], made["visibility"]) == ("desk", "default", "The desk", "public")
    assert shell.done("rooms", "list", "--json").json == [made]
    (member,) = shell.done("rooms", "member", "desk", "ben", "--role", "moderator", "--json").json
    assert (member["username"], member["role"]) == ("ben", "moderator")
    members = shell.done("rooms", "members", "desk", "--json").json
    assert {each["username"]: each["role"] for each in members} == {"ada": "owner", "ben": "moderator"}
    assert shell.done("rooms", "member", "desk", "ben", "--remove", "--json").json == []
    assert len(shell.done("rooms", "members", "desk", "--json").json) == 1
    shell.done("rooms", "delete", "desk")
    assert shell.done("rooms", "list", "--json").json == []


# Tokens


def test_a_token_is_minted_and_inspected(shell: Shell) -> None:
    (user,) = shell.done("users", "add", "ada", "--json").json
    token = shell.done("token", "mint", "ada", "--scope", "users:send").out.strip()
    (claims,) = shell.done("token", "inspect", token, "--json").json
    assert set(claims) == {"sub", "sid", "jti", "client_id", "scope", "roles", "iat", "exp"}
    assert (claims["sub"], claims["scope"]) == (user["id"], "users:send")
    assert shell.done("token", "inspect", "--json", stdin=f"{token}\n").json == [claims]
    (minted,) = shell.done("token", "mint", "ada", "--json").json
    assert claims_of(minted["token"])["scope"] == "rooms:create users:send"


def test_the_key_is_for_nobody_else(shell: Shell) -> None:
    shell.done("users", "add", "ada")
    shell.done("token", "mint", "ada")
    (key,) = (shell.data_dir / "keys").glob("*.pem")
    assert key.stat().st_mode & 0o777 == 0o600
    key.chmod(0o644)
    assert f"chmod 600 {key}" in shell.refused("token", "mint", "ada")


# Beside a running server


def test_commands_and_server_share_one_data_directory(tmp_path: Path) -> None:
    shell = Shell(tmp_path / "data")
    with running_gateway(data_dir=shell.data_dir) as gateway:
        shell.done("users", "add", "ada", "--password-stdin", stdin="correct horse\n")
        shell.done("rooms", "add", "desk", "--owner", "ada")
        minted = shell.done("token", "mint", "ada").out.strip()
        for token in (minted, gateway.token("ada", "correct horse")):
            with visiting(gateway.ws_url, f"/ws/rooms/desk?token={token}"):
                pass
        shell.done("users", "passwd", "ada", "--password-stdin", stdin="battery staple\n")
        assert gateway.token("ada", "battery staple")
        other = SomebodyElse(tmp_path / "other")
        assert refused(gateway.ws_url, f"/ws?token={other.token()}").code == "invalid_token"


class SomebodyElse(Shell):
    """Another installation, with a key of its own."""

    def token(self) -> str:
        self.done("users", "add", "ada")
        return self.done("token", "mint", "ada").out.strip()


# Configuration


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


# Schemas, versions, usage


def test_the_openapi_document_is_printed_or_written(tmp_path: Path) -> None:
    printed = run_cli("openapi")
    assert (printed.status, printed.err) == (0, "")
    assert printed.json["info"]["title"] == "Gateroom"
    written = run_cli("openapi", "--out", tmp_path / "new" / "openapi.json")
    assert (written.status, written.out, written.err) == (0, "", "")
    assert json.loads((tmp_path / "new" / "openapi.json").read_text()) == printed.json


def test_where_nothing_can_be_written_one_line_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ran = run_cli("openapi", "--out", tmp_path / "file" / "openapi.json")
    assert (ran.status, ran.err.count("\n")) == (1, 1)
    assert str(tmp_path / "file") in ran.err


def test_the_version_is_told() -> None:
    assert run_cli("--version").out.strip().count(".") == 2


@pytest.mark.parametrize(
    "args",
    [
        [],
        ["nope"],
        ["--nope"],
        ["serve", "--nope"],
        ["serve", "--port", "abc"],
        ["users"],
        ["users", "add"],
        ["users", "add", "ada", "ben"],
        ["rooms", "member", "desk", "ada"],
        ["rooms", "member", "desk", "ada", "--role", "king"],
        ["rooms", "member", "desk", "ada", "--role", "member", "--remove"],
        ["token", "mint"],
        ["token", "mint", "ada", "--scope", 'a"b'],
    ],
    ids=" ".join,
)
def test_wrong_usage_has_its_own_status(args: Sequence[str]) -> None:
    ran = run_cli(*args)
    assert ran.status == 2
    assert "Usage:" in ran.out + ran.err
    assert "Traceback" not in ran.err


def test_every_command_explains_itself() -> None:
    for command in ("", "serve", "users", "rooms", "token", "check-config", "openapi", "users add", "rooms member"):
        ran = run_cli(*command.split(), "--help")
        assert ran.status == 0
        assert "Usage:" in ran.out


# What keeps the server from starting


def test_a_port_in_use_is_named(gateway: RunningGateway, tmp_path: Path) -> None:
    ran = run_cli("serve", "--port", str(gateway.port), "--data-dir", tmp_path)
    assert (ran.status, ran.out) == (1, "")
    assert ran.sentence.startswith(f"Cannot listen on 127.0.0.1:{gateway.port}: ")
    assert ran.sentence.endswith(". Choose another --host or --port.")


def test_more_than_one_worker_needs_a_broker_between_them(tmp_path: Path) -> None:
    ran = run_cli("serve", "--workers", "2", "--port", "0", "--data-dir", tmp_path)
    assert ran.status == 1
    assert "--workers" in ran.err
    assert ran.err.count("\n") == 1


def test_a_data_directory_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "gateroom.db").write_text("this is not a database")
    open_to_all = tmp_path / "open"
    load_or_create(open_to_all / "keys")
    for key in (open_to_all / "keys").glob("*.pem"):
        key.chmod(0o644)
    for data_dir in (tmp_path / "file", broken, open_to_all):
        ran = run_cli("serve", "--port", "0", "--data-dir", data_dir)
        assert ran.status == 1
        assert str(data_dir) in ran.sentence


def test_an_admin_password_that_is_too_common_is_refused_by_name(tmp_path: Path) -> None:
    environment = {"GATEROOM_AUTH__ADMIN_PASSWORD": "password1"}
    ran = run_cli("serve", "--port", "0", "--data-dir", tmp_path, environment=environment)
    assert ran.status == 1
    assert ran.sentence.startswith("auth.admin_password: This password is one of the most common ones")
    assert "password1" not in ran.err
