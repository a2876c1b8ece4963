import json
import pickle
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from gateroom.rooms.model import Role
from gateroom.settings import (
    AuthSettings,
    KindSettings,
    RealtimeSettings,
    RoomsSettings,
    ServerSettings,
    Settings,
    StorageSettings,
)


def test_the_defaults_are_those_users_were_promised() -> None:
    settings = Settings()
    assert (settings.server.host, settings.server.port, settings.server.data_dir) == ("127.0.0.1", 8000, Path("var"))
    assert settings.server.shutdown_grace == 10
    assert settings.storage.url is None
    assert settings.broker.url.get_secret_value() == "local://"
    assert (settings.auth.access_ttl, settings.auth.password_min_length) == (900, 8)
    assert settings.auth.default_scopes == ("users:send", "rooms:create")
    assert settings.auth.credentials == ("query", "cookie", "header", "subprotocol", "ticket")
    assert (settings.auth.registration, settings.auth.login_rate) == ("closed", 10)
    assert settings.rooms.max_rooms_per_user == 100
    assert settings.observability.metrics == "loopback"
    assert settings.console.enabled


def test_the_limits_of_sockets_are_those_users_were_promised() -> None:
    assert Settings().realtime.model_dump() == {
        "max_connections": 0,
        "max_connections_per_user": 50,
        "max_connections_per_address": 0,
        "handshake_rate": 0,
        "max_rooms_per_connection": 128,
        "max_message_bytes": 65536,
        "publish_rate": 50,
        "publish_burst": 100,
        "byte_rate": 1048576,
        "costly_rate": 20,
        "user_rate_factor": 4,
        "max_backlog_bytes": 1048576,
        "ping_interval": 25,
        "ping_timeout": 10,
        "stall_timeout": 10,
        "header_timeout": 10,
        "body_timeout": 30,
        "max_connection_age": 0,
        "max_violations": 10,
        "expiry_notice": 60,
        "refusal": "auto",
    }


def test_arguments_are_all_that_an_embedding_application_sets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "gateroom.toml").write_text("[server]\nport = 1111\n")
    (tmp_path / ".env").write_text("GATEROOM_SERVER__PORT=2222\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GATEROOM_SERVER__PORT", "3333")
    assert Settings().server.port == 8000
    assert Settings(server=ServerSettings(port=4444)).server.port == 4444


def test_a_section_may_be_given_as_a_value_or_as_a_dict() -> None:
    assert Settings(auth=AuthSettings(access_ttl="1m")) == Settings(auth={"access_ttl": 60})


def test_settings_cannot_be_changed_afterwards() -> None:
    settings = Settings()
    with pytest.raises(ValidationError, match="frozen"):
        settings.auth.access_ttl = 60  # type: ignore[misc]  # that is what is tried
    with pytest.raises(ValidationError, match="frozen"):
        settings.auth = AuthSettings()  # type: ignore[misc]  # that is what is tried


def test_settings_travel_to_another_process() -> None:
    settings = Settings(rooms={"kinds": {"chat": {"history_size": 5}}}, auth={"admin_password": "correct horse"})
    assert pickle.loads(pickle.dumps(settings)) == settings  # noqa: S301 - made one line up


def test_the_kind_called_default_always_exists() -> None:
    assert Settings().rooms.kinds == {"default": KindSettings()}
    kinds = Settings(rooms=RoomsSettings(kinds={"chat": KindSettings(public_role=Role.VIEWER)})).rooms.kinds
    assert list(kinds) == ["default", "chat"]
    assert kinds["chat"].public_role is Role.VIEWER


def test_the_default_kind_can_be_changed() -> None:
    settings = Settings(rooms={"kinds": {"default": {"history_ttl": "1h", "durability": "none"}}})
    assert settings.rooms.kinds == {"default": KindSettings(history_ttl=3600, durability="none")}


@pytest.mark.parametrize(
    ("issuer", "public_url", "expected"),
    [
        (None, None, "gateroom"),
        (None, "https://chat.example.org", "https://chat.example.org"),
        ("https://id.example.org/", "https://chat.example.org", "https://id.example.org/"),
        ("", "", "gateroom"),
    ],
)
def test_tokens_are_issued_by_what_is_set_else_by_the_public_url(
    issuer: str | None, public_url: str | None, expected: str
) -> None:
    assert Settings(auth={"issuer": issuer}, server={"public_url": public_url}).issuer == expected


def test_no_secret_shows_in_any_rendering() -> None:
    settings = Settings(
        auth=AuthSettings(admin_password=SecretStr("canary-password")),
        storage=StorageSettings(url=SecretStr("postgresql://gateroom:canary-password@db.example.org/gateroom")),
    )
    for rendering in (repr(settings), str(settings), settings.model_dump_json(), repr(settings.model_dump())):
        assert "canary" not in rendering
    assert settings.auth.admin_password is not None
    assert settings.auth.admin_password.get_secret_value() == "canary-password"


@pytest.mark.parametrize(
    "section",
    [
        {"access_ttl": "canary"},
        {"admin_password": ["canary"]},
        {"admin_password": "canary"},
        {"cookie_secure": "canary"},
        {"allowed_origins": ["canary"]},
    ],
)
def test_a_refused_value_does_not_show(section: dict[str, object]) -> None:
    with pytest.raises(ValidationError) as refused:
        Settings(auth=section)
    assert next(iter(section)) in str(refused.value)
    assert "canary" not in str(refused.value)


@pytest.mark.parametrize(
    ("section", "values", "at", "sentence"),
    [
        ("auth", {"access_ttl": 3601}, ("auth", "access_ttl"), "less than or equal to 3600"),
        ("auth", {"access_ttl": 0}, ("auth", "access_ttl"), "greater than or equal to 1"),
        ("auth", {"password_min_length": 7}, ("auth", "password_min_length"), "greater than or equal to 8"),
        ("auth", {"credentials": []}, ("auth", "credentials"), "at least 1 item"),
        ("auth", {"credentials": ["body"]}, ("auth", "credentials", 0), "'query', 'cookie', 'header'"),
        ("auth", {"audience": ""}, ("auth", "audience"), "at least 1 character"),
        ("broker", {"url": "redis://localhost"}, ("broker", "url"), "must be local://"),
        ("storage", {"url": "mysql://localhost/x"}, ("storage", "url"), "sqlite:/// or postgresql://"),
        ("storage", {"synchronous": "off"}, ("storage", "synchronous"), "'normal' or 'full'"),
        ("server", {"port": 65536}, ("server", "port"), "less than or equal to 65535"),
        ("server", {"shutdown_grace": 0}, ("server", "shutdown_grace"), "greater than 0"),
        ("realtime", {"publish_burst": 0}, ("realtime", "publish_burst"), "greater than or equal to 1"),
        ("realtime", {"refusal": "never"}, ("realtime", "refusal"), "'auto', 'handshake' or 'close'"),
        ("realtime", {"max_conections": 1}, ("realtime", "max_conections"), "not permitted"),
        ("observability", {"metrics": "all"}, ("observability", "metrics"), "'loopback', 'public', 'token' or 'off'"),
        ("rooms", {"kinds": {"Chat": {}}}, ("rooms", "kinds", "Chat", "[key]"), "must be named"),
        (
            "rooms",
            {"kinds": {"default": {"durability": "eternal"}}},
            ("rooms", "kinds", "default", "durability"),
            "'none', 'memory' or 'durable'",
        ),
        (
            "rooms",
            {"kinds": {"default": {"history_size": 0}}},
            ("rooms", "kinds", "default", "history_size"),
            "greater than or equal to 1",
        ),
    ],
)
def test_a_bad_value_is_refused_where_it_stands(
    section: str, values: dict[str, object], at: tuple[str | int, ...], sentence: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        Settings.model_validate({section: values})
    (fault,) = refused.value.errors()
    assert fault["loc"] == at
    assert sentence in fault["msg"]


@pytest.mark.parametrize("server", [{}, {"host": "::1"}, {"host": "localhost", "public_url": "http://localhost:8000"}])
def test_cookies_may_lack_secure_on_plain_loopback_http(server: dict[str, object]) -> None:
    assert Settings(server=server, auth={"cookie_secure": "off"}).auth.cookie_secure == "off"


@pytest.mark.parametrize(
    "server",
    [
        {"host": "0.0.0.0"},
        {"host": "chat.example.org"},
        {"public_url": "https://localhost"},
        {"public_url": "https://chat.example.org"},
        {"host": "0.0.0.0", "public_url": "http://localhost"},
    ],
)
def test_cookies_may_not_lack_secure_anywhere_else(server: dict[str, object]) -> None:
    with pytest.raises(ValidationError) as refused:
        Settings(server=server, auth={"cookie_secure": "off"})
    assert [fault["loc"] for fault in refused.value.errors()] == [("auth", "cookie_secure")]


def test_cookies_need_tls_away_from_this_machine() -> None:
    server = ServerSettings(public_url="http://chat.example.org")
    with pytest.raises(ValidationError, match="must be https"):
        Settings(server=server)
    assert Settings(server=server, auth=AuthSettings(credentials=("header",))).server == server


@pytest.mark.parametrize("length", [11, 1025])
def test_the_first_password_keeps_to_the_rule_for_passwords(length: int) -> None:
    auth = {"admin_password": "x" * length, "password_min_length": 12}
    with pytest.raises(ValidationError, match="must have 12 to 1024 characters"):
        Settings(auth=auth)


def test_a_backlog_holds_at_least_one_message() -> None:
    with pytest.raises(ValidationError, match="must not be less than"):
        Settings(realtime=RealtimeSettings(max_message_bytes="2MiB"))
    unbounded = RealtimeSettings(max_message_bytes="2MiB", max_backlog_bytes=0)
    assert Settings(realtime=unbounded).realtime == unbounded


def test_all_contradictions_are_told_at_once() -> None:
    with pytest.raises(ValidationError) as refused:
        Settings(
            server={"host": "0.0.0.0", "public_url": "http://chat.example.org"},
            auth={"cookie_secure": "off", "admin_password": "short"},
            realtime={"max_backlog_bytes": 1},
        )
    assert refused.value.error_count() == 4


def test_templates_may_be_given_as_one_text_or_a_list() -> None:
    text = '[{"pattern": "order:*", "visibility": "public"}, {"pattern": "desk:{user}"}]'
    settings = Settings(rooms={"templates": text})
    assert [(each.pattern, each.kind, each.visibility) for each in settings.rooms.templates] == [
        ("order:*", "default", "public"),
        ("desk:{user}", "default", "private"),
    ]
    assert Settings(rooms={"templates": json.loads(text)}) == settings


@pytest.mark.parametrize(
    "pattern", ["order", "*", "{user}", "Order:*", "order:{name}", "order *", "order:*\n", "o:" + "*" * 99]
)
def test_a_pattern_is_a_room_id_with_a_place_left_open(pattern: str) -> None:
    with pytest.raises(ValidationError, match="must be a room id in which"):
        Settings(rooms={"templates": [{"pattern": pattern}]})


def test_a_template_of_a_kind_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValidationError, match="has a kind that is not configured"):
        Settings(rooms={"templates": [{"pattern": "order:*", "kind": "order"}]})
    Settings(rooms={"templates": [{"pattern": "order:*", "kind": "order"}], "kinds": {"order": {}}})
