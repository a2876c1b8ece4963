import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from gateroom.settings.values import (
    Bytes,
    Count,
    Directory,
    Host,
    Items,
    KindName,
    Network,
    Origin,
    Rate,
    ScopeName,
    Seconds,
    WholeSeconds,
    is_loopback,
    origin_host,
)

SECONDS = TypeAdapter[float](Seconds)
WHOLE_SECONDS = TypeAdapter[int](WholeSeconds)
BYTES = TypeAdapter[int](Bytes)
COUNT = TypeAdapter[int](Count)
RATE = TypeAdapter[float](Rate)
HOST = TypeAdapter[str](Host)
ORIGIN = TypeAdapter[str](Origin)
NETWORK = TypeAdapter[str](Network)
SCOPE = TypeAdapter[str](ScopeName)
KIND = TypeAdapter[str](KindName)
WORDS = TypeAdapter[tuple[str, ...]](Items[str])


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        (0, 0),
        (1.5, 1.5),
        ("10", 10),
        ("500ms", 0.5),
        ("10s", 10),
        ("1.5s", 1.5),
        ("15m", 900),
        ("24h", 86400),
        ("30d", 2592000),
        ("30 d", 2592000),
    ],
)
def test_a_duration_is_a_number_of_seconds_or_a_number_and_its_unit(written: object, seconds: float) -> None:
    assert SECONDS.validate_python(written) == seconds


@pytest.mark.parametrize(
    "written",
    [
        "",
        "s",
        "-1s",
        "1y",
        "1h30m",
        "1 000",
        "10s ",
        "\u0661s",
        "1e3",
        "nan",
        True,
        None,
        [],
        -1,
        "3651d",
        float("nan"),
    ],
)
def test_anything_else_is_no_duration(written: object) -> None:
    with pytest.raises(ValidationError):
        SECONDS.validate_python(written)


def test_a_token_lives_a_whole_number_of_seconds() -> None:
    assert WHOLE_SECONDS.validate_python("15m") == 900
    assert type(WHOLE_SECONDS.validate_python("15m")) is int
    with pytest.raises(ValidationError, match="fractional"):
        WHOLE_SECONDS.validate_python("1.5s")


@pytest.mark.parametrize(
    ("written", "size"),
    [(0, 0), (65536, 65536), ("65536", 65536), ("12B", 12), ("64KiB", 65536), ("1MiB", 1048576), ("0.5 MiB", 524288)],
)
def test_a_size_is_a_number_of_bytes_or_a_number_and_its_unit(written: object, size: int) -> None:
    assert BYTES.validate_python(written) == size


@pytest.mark.parametrize("written", ["64KB", "64k", "1TiB", "1.00001KiB", -1, True, None, "10GiB"])
def test_anything_else_is_no_size(written: object) -> None:
    with pytest.raises(ValidationError):
        BYTES.validate_python(written)


@given(st.integers(min_value=0, max_value=900_000))
def test_a_number_means_the_same_with_and_without_its_base_unit(number: int) -> None:
    assert SECONDS.validate_python(number) == SECONDS.validate_python(f"{number}s")
    assert BYTES.validate_python(number) == BYTES.validate_python(f"{number}B")


@pytest.mark.parametrize("written", [True, False, -1, 1.5, "many", None, 10**30, float("inf")])
def test_a_count_is_a_whole_number_and_no_switch(written: object) -> None:
    assert COUNT.validate_python("50") == 50
    with pytest.raises(ValidationError):
        COUNT.validate_python(written)


@pytest.mark.parametrize("written", [True, -0.5, float("inf"), float("nan"), "fast"])
def test_a_rate_is_a_finite_number_and_no_switch(written: object) -> None:
    assert RATE.validate_python("0.5") == 0.5
    with pytest.raises(ValidationError):
        RATE.validate_python(written)


@pytest.mark.parametrize(
    ("written", "words"),
    [
        (["a", "b"], ("a", "b")),
        ("a,b", ("a", "b")),
        (" a , b ,", ("a", "b")),
        ('["a", "b"]', ("a", "b")),
        ("", ()),
        ("[]", ()),
    ],
)
def test_a_list_may_be_written_as_text(written: object, words: tuple[str, ...]) -> None:
    assert WORDS.validate_python(written) == words


@pytest.mark.parametrize("written", ["[a", "[1]", 1, {"a": 1}])
def test_a_text_that_begins_a_list_must_be_one(written: object) -> None:
    with pytest.raises(ValidationError):
        WORDS.validate_python(written)


@pytest.mark.parametrize(
    ("written", "origin"),
    [
        ("https://chat.example.org", "https://chat.example.org"),
        ("https://Chat.Example.ORG/", "https://chat.example.org"),
        ("https://chat.example.org:443", "https://chat.example.org"),
        ("http://localhost:80", "http://localhost"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("http://[::1]:8000", "http://[::1]:8000"),
    ],
)
def test_an_origin_is_kept_as_browsers_send_it(written: str, origin: str) -> None:
    assert ORIGIN.validate_python(written) == origin


@pytest.mark.parametrize(
    "written",
    [
        "*",
        "null",
        "",
        "chat.example.org",
        "ws://chat.example.org",
        "https://",
        "https://*.example.org",
        "https://chat.example.org/path",
        "https://chat.example.org?x",
        "https://user@chat.example.org",
        "https://chat.example.org:99999",
        "https://chat.example.org\n",
        "https://chat.exämple.org",
    ],
)
def test_what_no_browser_sends_is_no_origin(written: str) -> None:
    with pytest.raises(ValidationError):
        ORIGIN.validate_python(written)


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("https://chat.example.org", "chat.example.org"),
        ("https://chat.example.org:8443", "chat.example.org"),
        ("http://192.0.2.1", "192.0.2.1"),
        ("http://127.0.0.1:8000", "127.0.0.1"),
        ("http://[::1]", "[::1]"),
        ("http://[::1]:8000", "[::1]"),
        ("https://node7", "node7"),
    ],
)
def test_the_host_of_an_origin_is_what_stands_before_its_port(origin: str, host: str) -> None:
    assert origin_host(origin) == host


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "[::1]", "localhost", "LOCALHOST"])
def test_loopback_is_known_by_address_and_by_name(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "localhost.example.org", "127.0.0.1.example.org", ""])
def test_nothing_else_is_loopback(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize(
    ("written", "network"),
    [("127.0.0.1", "127.0.0.1/32"), ("10.1.2.3/8", "10.0.0.0/8"), ("::1", "::1/128"), ("fd00::/8", "fd00::/8")],
)
def test_a_proxy_is_an_address_or_a_network(written: str, network: str) -> None:
    assert NETWORK.validate_python(written) == network


@pytest.mark.parametrize("written", ["*", "0.0.0.0/0", "::/0", "proxy.example.org", "10.0.0.0/33", ""])
def test_not_everybody_can_be_a_trusted_proxy(written: str) -> None:
    with pytest.raises(ValidationError):
        NETWORK.validate_python(written)


@pytest.mark.parametrize("written", ["127.0.0.1", "0.0.0.0", "::", "::1", "localhost", "node-1.example.org"])
def test_a_host_is_an_address_or_a_name(written: str) -> None:
    assert HOST.validate_python(written) == written


@pytest.mark.parametrize("written", ["", "a b", "http://localhost", "localhost:8000", "-a", "a..b", "ä"])
def test_a_url_or_a_port_is_no_host(written: str) -> None:
    with pytest.raises(ValidationError):
        HOST.validate_python(written)


def test_a_directory_may_be_in_the_home_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/srv/ada")
    assert str(TypeAdapter[object](Directory).validate_python("~/gateroom")) == "/srv/ada/gateroom"


@pytest.mark.parametrize("written", ["", "a b", 'a"b', "a\\b", "é"])
def test_a_scope_is_one_word_of_oauth(written: str) -> None:
    assert SCOPE.validate_python("rooms:create") == "rooms:create"
    with pytest.raises(ValidationError):
        SCOPE.validate_python(written)


@pytest.mark.parametrize("written", ["", "-a", "Chat", "a.b", "a" * 33, "a\n"])
def test_a_kind_is_called_by_a_short_lower_case_name(written: str) -> None:
    assert KIND.validate_python("team-chat_2") == "team-chat_2"
    with pytest.raises(ValidationError):
        KIND.validate_python(written)
