import os
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest

from gateroom.settings import Settings, SettingsError, load_settings
from gateroom.settings.names import ANY_KIND, paths


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Start each test in an empty directory, with none of our variables set."""
    for name in [name for name in os.environ if name.upper().startswith("GATEROOM_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def write(text: str, name: str = "chat.toml") -> Path:
    path = Path(name)
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def problems(config: Path | None = None, overrides: Mapping[str, object] | None = None) -> list[str]:
    with pytest.raises(SettingsError) as refused:
        load_settings(config, overrides)
    assert str(refused.value) == "\n".join(refused.value.problems)
    return list(refused.value.problems)


def test_with_nothing_set_the_defaults_hold() -> None:
    assert load_settings() == Settings()


def test_the_file_is_below_the_environment_and_that_below_the_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    config = write('[server]\nhost = "::1"\nport = 1\nshutdown_grace = 1\n[auth]\naudience = "file"\n')
    monkeypatch.setenv("GATEROOM_SERVER__PORT", "2")
    monkeypatch.setenv("GATEROOM_SERVER__SHUTDOWN_GRACE", "2s")
    settings = load_settings(config, {"server": {"shutdown_grace": 3}})
    assert (settings.server.host, settings.server.port, settings.server.shutdown_grace) == ("::1", 2, 3)
    assert settings.auth.audience == "file"


def test_the_file_of_the_current_directory_is_read_when_none_is_named() -> None:
    write("[server]\nport = 1\n", "config/gateroom.toml")
    assert load_settings().server.port == 1


def test_the_file_named_is_read_instead_of_that_of_the_directory() -> None:
    write("[server]\nport = 1\n", "config/gateroom.toml")
    config = write('[auth]\naudience = "other"\n')
    assert load_settings(config) == Settings(auth={"audience": "other"})


def test_a_flag_that_was_not_given_sets_nothing() -> None:
    config = write("[server]\nport = 1\n")
    assert load_settings(config, {"server": {"port": None, "host": "::1"}}).server.port == 1


def test_variables_set_lists_switches_durations_and_kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEROOM_AUTH__ALLOWED_ORIGINS", "https://a.example.org, https://b.example.org")
    monkeypatch.setenv("GATEROOM_AUTH__CREDENTIALS", '["header", "query"]')
    monkeypatch.setenv("GATEROOM_AUTH__ACCESS_TTL", "10m")
    monkeypatch.setenv("GATEROOM_CONSOLE__ENABLED", "off")
    monkeypatch.setenv("GATEROOM_ROOMS__KINDS__CHAT__HISTORY_SIZE", "5")
    settings = load_settings()
    assert settings.auth.allowed_origins == ("https://a.example.org", "https://b.example.org")
    assert settings.auth.credentials == ("header", "query")
    assert settings.auth.access_ttl == 600
    assert not settings.console.enabled
    assert settings.rooms.kinds["chat"].history_size == 5


def test_one_setting_of_a_kind_can_be_changed_above_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    config = write("[rooms.kinds.chat]\nhistory_size = 5\nhistory_ttl = 60\n")
    monkeypatch.setenv("GATEROOM_ROOMS__KINDS__CHAT__HISTORY_TTL", "90")
    chat = load_settings(config).rooms.kinds["chat"]
    assert (chat.history_size, chat.history_ttl) == (5, 90)


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    config = write('[auth]\nadmin_password = "correct horse"\n')
    monkeypatch.setenv("GATEROOM_AUTH__ADMIN_PASSWORD", "")
    monkeypatch.setenv("GATEROOM_NOT_THERE", "")
    password = load_settings(config).auth.admin_password
    assert password is not None
    assert password.get_secret_value() == "correct horse"


@pytest.mark.parametrize(
    ("variable", "value", "problem"),
    [
        ("GATEROOM_AUTH__ACCESS_TTL", "2h", "auth.access_ttl: must be at most 3600"),
        ("GATEROOM_AUTH__ACCESS_TTL", "soon", "auth.access_ttl: must be seconds, or a text such as 500ms, 10s"),
        ("GATEROOM_SERVER__PORT", "70000", "server.port: must be at most 65535"),
        ("GATEROOM_SERVER__PORT", "http", "server.port: must be a valid integer"),
        ("GATEROOM_SERVER__TRUSTED_PROXIES", "::1,*", "server.trusted_proxies[1]: must be an IP address or network"),
        ("GATEROOM_BROKER__URL", "redis://:pw@h", "broker.url: must be local://"),
        ("GATEROOM_CONSOLE__ENABLED", "maybe", "console.enabled: must be a valid boolean"),
        ("GATEROOM_AUTH__COOKIE_SECURE", "yes", "auth.cookie_secure: must be 'auto', 'on' or 'off'"),
        ("GATEROOM_AUTH__ADMIN_PASSWORD", "short", "auth.admin_password: must have 8 to 1024 characters"),
        ("GATEROOM_AUTH__ADMIN_PASSWORD", "\udcff" * 8, "auth.admin_password: must be UTF-8 text"),
        ("GATEROOM_ROOMS__KINDS__CHAT", "{}", "rooms.kinds.chat: must be a section of settings"),
        ("GATEROOM_ROOMS__KINDS__CHAT__DURABILITY", "ever", "rooms.kinds.chat.durability: must be 'none', 'memory' or"),
    ],
)
def test_a_bad_variable_is_named_and_its_value_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, problem: str
) -> None:
    monkeypatch.setenv(variable, value)
    (line,) = problems()
    assert line.startswith(problem)
    assert line.endswith(f" (from {variable})")


def test_what_is_wrong_is_traced_to_the_source_that_won(monkeypatch: pytest.MonkeyPatch) -> None:
    config = write('[server]\nport = -1\nhost = "a b"\n[auth]\naccess_ttl = 0\n')
    monkeypatch.setenv("GATEROOM_SERVER__PORT", "-2")
    assert problems(config, {"auth": {"access_ttl": "-"}}) == [
        "server.host: must be an IP address or a host name (from chat.toml)",
        "server.port: must be at least 0 (from GATEROOM_SERVER__PORT)",
        "auth.access_ttl: must be seconds, or a text such as 500ms, 10s, 15m, 24h or 30d (from the command line)",
    ]


def test_a_contradiction_with_a_default_is_told_of_what_was_set() -> None:
    config = write(
        '[realtime]\nmax_message_bytes = "4MiB"\n[auth]\ncookie_secure = "off"\n[server]\nhost = "0.0.0.0"\n'
    )
    assert problems(config) == [
        "auth.cookie_secure: must not be off, except for plain http on a loopback server.host (from chat.toml)",
        "realtime.max_backlog_bytes: must not be less than realtime.max_message_bytes",
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[auth]\nacces_ttl = 1", "auth.acces_ttl: is not a setting; did you mean auth.access_ttl? (from chat.toml)"),
        ("[atuh]\nissuer = 'x'", "atuh: is not a setting; did you mean auth? (from chat.toml)"),
        ("port = 1", "port: is not a setting; did you mean server.port? (from chat.toml)"),
        ("[server]\nissuer = 'x'", "server.issuer: is not a setting; did you mean auth.issuer? (from chat.toml)"),
        ("[auth]\nquux = 1", "auth.quux: is not a setting (from chat.toml)"),
        ("auth = 1", "auth: must be a section of settings (from chat.toml)"),
        ("rooms.kinds = []", "rooms.kinds: must be a section of settings (from chat.toml)"),
        ("_env_file = 'x'", "_env_file: is not a setting (from chat.toml)"),
        ("'a\\nb' = 1", None),
        (
            "[rooms.kinds.chat]\nhistory_siz = 1",
            "rooms.kinds.chat.history_siz: is not a setting; did you mean rooms.kinds.chat.history_size? "
            "(from chat.toml)",
        ),
        (
            "[rooms.kinds.Chat]",
            "rooms.kinds.Chat: must be named with up to 32 of a-z, 0-9, _ and - (from chat.toml)",
        ),
    ],
)
def test_an_unknown_name_in_the_file_is_refused_by_name(text: str, problem: str | None) -> None:
    lines = problems(write(text))
    assert lines == [problem] if problem else len(lines) == 1


def test_a_name_never_breaks_the_line_it_is_told_in() -> None:
    assert problems(write('"a\\nb\\u001b" = 1')) == [r"'a\nb\x1b': is not a setting (from chat.toml)"]


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("GATEROOM_ADMIN_PASSWORD", "GATEROOM_AUTH__ADMIN_PASSWORD"),
        ("GATEROOM_ATUH__ISSUER", "GATEROOM_AUTH__ISSUER"),
        ("GATEROOM_AUTH_ISSUER", "GATEROOM_AUTH__ISSUER"),
        ("GATEROOM__AUTH__ISSUER", "GATEROOM_AUTH__ISSUER"),
        ("GATEROOM_PORT", "GATEROOM_SERVER__PORT"),
        ("gateroom_port", "GATEROOM_SERVER__PORT"),
        ("GATEROOM_AUTH", "GATEROOM_AUTH__ISSUER"),
    ],
)
def test_an_unknown_variable_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, variable: str, meant: str) -> None:
    monkeypatch.setenv(variable, "canary")
    assert problems() == [f"{variable}: is not a setting; did you mean {meant}?"]


def test_a_misspelt_name_below_a_section_is_refused_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEROOM_AUTH__ISUER", "x")
    monkeypatch.setenv("GATEROOM_AUTH__", "x")
    assert sorted(problems()) == [
        "auth.'': is not a setting (from GATEROOM_AUTH__)",
        "auth.isuer: is not a setting; did you mean auth.issuer? (from GATEROOM_AUTH__ISUER)",
    ]


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("GATEROOM_TEST_REQUIRE", "all"),
        ("GATEROOM_SERVICE_HOST", "10.0.0.1"),
        ("GATEROOM_SERVICE_PORT", "8000"),
        ("GATEROOM_SERVICE_PORT_HTTP", "8000"),
        ("GATEROOM_PORT", "tcp://10.0.0.1:8000"),
        ("GATEROOM_PORT_8000_TCP", "tcp://10.0.0.1:8000"),
        ("GATEROOM_PORT_8000_TCP_ADDR", "10.0.0.1"),
        ("GATEROOM_REDIS_PORT_6379_TCP_PROTO", "tcp"),
        ("GATEROOMY", "x"),
    ],
)
def test_variables_of_the_tests_and_of_the_container_platform_are_not_ours(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    assert load_settings() == Settings()


def test_an_unknown_name_among_the_flags_is_refused() -> None:
    assert problems(None, {"server": {"prot": 1}, "demo": True}) == [
        "demo: is not a setting (from the command line)",
        "server.prot: is not a setting; did you mean server.port? (from the command line)",
    ]


def test_every_problem_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    config = write("[auth]\nacces_ttl = 1\n[server]\nport = -1\n")
    monkeypatch.setenv("GATEROOM_PORT", "1")
    assert len(problems(config, {"console": {"enabled": "?"}})) == 4


@pytest.mark.parametrize("path", sorted(paths()))
def test_no_setting_shows_the_value_it_refuses(monkeypatch: pytest.MonkeyPatch, path: tuple[str, ...]) -> None:
    names = [name.replace(ANY_KIND, "chat") for name in path]
    canary = "\x7f canary \x7f"
    monkeypatch.setenv("GATEROOM_" + "__".join(names).upper(), canary)
    if path in {("auth", "admin_password"), ("server", "data_dir")}:
        monkeypatch.setenv("GATEROOM_SERVER__PORT", "x")  # any text is right there
    for line in problems():
        assert "canary" not in line
    with pytest.raises(SettingsError) as refused:
        load_settings()
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"[auth\n", "chat.toml: is not TOML: Expected ']' at the end of a table declaration (at line 1, column 6)"),
        (b"a = 'canary", "chat.toml: is not TOML: "),
        (b"a = \xff", "chat.toml: is not UTF-8 text"),
    ],
)
def test_a_file_that_cannot_be_understood_is_refused_by_name(content: bytes, problem: str) -> None:
    Path("chat.toml").write_bytes(content)
    (line,) = problems(Path("chat.toml"))
    assert line.startswith(problem)
    assert "canary" not in line


def test_a_file_that_is_not_there_is_refused_only_when_it_was_named() -> None:
    assert problems(Path("missing.toml")) == ["missing.toml: there is no such file"]
    assert load_settings() == Settings()


def test_a_file_that_cannot_be_read_is_refused_by_name() -> None:
    Path("folder.toml").mkdir()
    assert problems(Path("folder.toml")) == ["folder.toml: cannot be read (Is a directory)"]


ROOT = Path(__file__).resolve().parents[3]


def uncommented(text: str) -> str:
    """Return the file with every commented setting in force; prose comments stay."""
    lines = text.splitlines()
    return "\n".join(line.removeprefix("# ") if line.split(" = ")[0].count(" ") == 1 else line for line in lines)


def test_the_development_file_changes_nothing() -> None:
    assert load_settings(ROOT / "config" / "gateroom.toml") == Settings()


def test_the_development_file_shows_every_setting_with_its_default() -> None:
    text = uncommented((ROOT / "config" / "gateroom.toml").read_text(encoding="utf-8"))
    shown = tomllib.loads(text)
    for path in paths():
        tree = shown
        for name in path:
            tree = tree[name.replace(ANY_KIND, "default")]
    assert load_settings(write(text)) == Settings()


def test_the_production_example_is_accepted() -> None:
    settings = load_settings(ROOT / "config" / "production.toml")
    assert settings.issuer == "https://chat.example.org"
    assert settings.auth.cookie_secure == "on"
