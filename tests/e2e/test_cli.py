"""The `gateroom` commands, as a person and as a script meets them (contract section 6)."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from support.cli import Ran, run_cli
from support.gateway import running_gateway
from support.tokens import claims_of
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
        (["rooms", "ban", "hall", "ada"], "", "there is no room called hall"),
        (["rooms", "mute", "desk", "nobody"], "", "there is no user called nobody"),
        (["rooms", "unban", "desk", "ada"], "", "there is no ban of ada in desk; see `gateroom rooms sanctions`"),
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


def test_bans_and_mutes_are_taken_and_lifted(shell: Shell) -> None:
    for name in ("ada", "ben"):
        shell.done("users", "add", name)
    shell.done("rooms", "add", "desk", "--owner", "ada")
    (banned,) = shell.done("rooms", "ban", "desk", "ben", "--json").json
    (muted,) = shell.done("rooms", "mute", "desk", "ben", "--for", "24h", "--json").json
    assert (banned["measure"], banned["username"], banned["until"]) == ("ban", "ben", None)
    assert muted["until"] > muted["since"]
    assert shell.done("rooms", "sanctions", "desk", "--json").json == [banned, muted]
    shell.done("rooms", "unban", "desk", "ben")
    assert shell.done("rooms", "sanctions", "desk", "--json").json == [muted]
    shell.done("rooms", "unmute", "desk", "ben")
    assert shell.done("rooms", "sanctions", "desk").out == "none\n"


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
        ["rooms", "ban", "desk", "ada", "--for", "soon"],
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
