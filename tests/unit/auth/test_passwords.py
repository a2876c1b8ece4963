"""Which passwords may be chosen, and how they are hashed."""

import asyncio
import math
import re
import time
from collections.abc import Iterator

import pytest

from gateroom.auth.passwords import Cost, Passwords, common_passwords
from gateroom.errors import InvalidCommand, RateLimited, Unavailable

CHEAP = Cost(memory=64, passes=1)


@pytest.fixture
def passwords() -> Iterator[Passwords]:
    made = Passwords(CHEAP)
    yield made
    made.close()


# Strength


@pytest.mark.parametrize(
    "password",
    [
        "8 chars!",
        "x7" * 32,
        "x7" * 512,
        "пёс на луне",
        "🐎🔋📎🐎🔋📎🐎🔋",
        "        q",
        "tab\tand\x00nul",
        "Tr0ub4dor&3",
    ],
)
def test_any_eight_to_1024_characters_may_be_a_password(passwords: Passwords, password: str) -> None:
    passwords.check_strength(password)


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("", "too short"),
        ("7 chars", "too short"),
        ("a\u0301" * 7, "too short"),
        ("x7" * 512 + "x", "too long"),
        ("x" * 1_000_000, "too long"),
        ("valid but \ud800", "not a character"),
        ("password1", "common"),
        ("PassWord1", "common"),
        ("\uff50assword\uff11", "common"),
        ("12345678", "common"),
        ("qwertyuiop", "common"),
        ("1q2w3e4r5t", "common"),
        ("Summer2024", "common"),
    ],
)
def test_a_weak_password_is_refused_with_a_reason_that_does_not_repeat_it(
    passwords: Passwords, password: str, reason: str
) -> None:
    with pytest.raises(InvalidCommand, match=reason) as refused:
        passwords.check_strength(password)
    assert not password or password not in refused.value.detail


def test_the_least_length_can_be_raised() -> None:
    strict = Passwords(CHEAP, min_length=12)
    strict.check_strength("twelve chars")
    with pytest.raises(InvalidCommand, match="12"):
        strict.check_strength("eleven char")
    strict.close()


def test_the_list_of_common_passwords_is_long_and_spelled_as_it_is_compared() -> None:
    common = common_passwords()
    assert sum(len(password) >= 8 for password in common) >= 3000
    assert {"password", "password1", "12345678", "qwertyuiop", "iloveyou", "baseball", "1qaz2wsx"} <= common
    assert all(password == password.casefold() and not password.startswith("#") for password in common)


# Hashing


async def test_a_hash_is_argon2id_at_what_owasp_asks_for() -> None:
    passwords = Passwords()
    stored = await passwords.hash("correct horse")
    passwords.close()
    assert re.fullmatch(r"\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}", stored)


async def test_only_the_right_password_is_right(passwords: Passwords) -> None:
    stored = await passwords.hash("correct horse")
    assert (await passwords.verify(stored, "correct horse")).ok
    for wrong in ("", "correct hors", "correct horse ", "Correct horse", "x" * 5000, "\ud800"):
        assert not (await passwords.verify(stored, wrong)).ok


async def test_the_same_password_is_never_hashed_to_the_same(passwords: Passwords) -> None:
    assert await passwords.hash("correct horse") != await passwords.hash("correct horse")


@pytest.mark.parametrize("length", [72, 80, 1023])
async def test_no_character_is_cut_off(passwords: Passwords, length: int) -> None:
    stored = await passwords.hash("x" * length + "a")
    assert not (await passwords.verify(stored, "x" * length + "b")).ok
    assert not (await passwords.verify(stored, "x" * length)).ok


async def test_the_longest_password_in_the_widest_characters_is_hashed(passwords: Passwords) -> None:
    widest = "\U0001d160" * 1024  # one character that is three in form NFC, of four bytes each
    assert (await passwords.verify(await passwords.hash(widest), widest)).ok


async def test_an_accent_typed_on_another_keyboard_is_the_same_but_another_letter_is_not(passwords: Passwords) -> None:
    stored = await passwords.hash("caf\u00e9 \ufb01ne")
    assert (await passwords.verify(stored, "cafe\u0301 \ufb01ne")).ok
    assert not (await passwords.verify(stored, "caf\u00e9 fine")).ok


@pytest.mark.parametrize("password", ["x" * 1025, "\ud800"])
async def test_what_cannot_be_hashed_is_refused(passwords: Passwords, password: str) -> None:
    with pytest.raises(InvalidCommand):
        await passwords.hash(password)


@pytest.mark.parametrize(
    "stored", [None, "", "x", "$argon2id$", "$argon2id$v=19$m=64,t=1,p=1$AA$AA", "é", "$2b$12$abc"]
)
async def test_without_a_sound_hash_no_password_is_right(passwords: Passwords, stored: str | None) -> None:
    assert not (await passwords.verify(stored, "correct horse")).ok


@pytest.mark.parametrize(
    ("stored", "password"),
    [(None, "wrong password"), ("damaged", "wrong password"), (None, "x" * 1025), ("sound", "\ud800")],
    ids=["nobody", "a damaged hash", "too long", "no text"],
)
async def test_what_cannot_be_right_takes_as_long_as_what_is_wrong(stored: str | None, password: str) -> None:
    """The fastest of several each: a hash that was left out would be a thousand times as fast (PW-3)."""
    strong = Passwords()
    sound = await strong.hash("correct horse")
    fastest = {"wrong": math.inf, "impossible": math.inf}
    for _ in range(5):
        for name, against, tried in (
            ("wrong", sound, "wrong password"),
            ("impossible", sound if stored == "sound" else stored, password),
        ):
            began = time.perf_counter()
            assert not (await strong.verify(against, tried)).ok
            fastest[name] = min(fastest[name], time.perf_counter() - began)
    strong.close()
    assert 0.3 < fastest["impossible"] / fastest["wrong"] < 3


# Parameters that rose


async def test_a_hash_is_to_be_renewed_when_any_parameter_rose() -> None:
    before = Passwords(Cost(memory=64, passes=1, lanes=1))
    stored = await before.hash("correct horse")
    for cost in (Cost(memory=128, passes=1), Cost(memory=64, passes=2)):
        after = Passwords(cost)
        assert (await after.verify(stored, "correct horse")).needs_rehash
        assert not (await after.verify(stored, "wrong")).needs_rehash
        after.close()
    before.close()


async def test_a_hash_as_strong_or_stronger_stays() -> None:
    before = Passwords(Cost(memory=128, passes=2))
    stored = await before.hash("correct horse")
    assert not (await before.verify(stored, "correct horse")).needs_rehash
    after = Passwords(Cost(memory=64, passes=1))
    assert not (await after.verify(stored, "correct horse")).needs_rehash
    before.close()
    after.close()


async def test_a_hash_of_the_older_kind_is_to_be_renewed(passwords: Passwords) -> None:
    """The reference implementation's vector for argon2i, version 1.3, m=65536, t=2, p=1."""
    stored = "$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$wWKIMhR9lyDFvRz9YTZweHKfbftvj+qf+YFY4NeBbtA"
    verdict = await passwords.verify(stored, "password")
    assert verdict.ok
    assert verdict.needs_rehash


# Off the event loop, and bounded


async def test_the_event_loop_turns_while_a_password_is_hashed() -> None:
    passwords = Passwords()
    hashing = asyncio.create_task(passwords.hash("correct horse"))
    turns = 0
    while not hashing.done():
        turns += 1
        await asyncio.sleep(0)
    passwords.close()
    assert turns > 10
    assert hashing.result().startswith("$argon2id$")


async def test_more_logins_than_may_wait_are_refused_at_once_and_the_rest_are_served() -> None:
    passwords = Passwords(threads=1, waiting=3)
    tried = await asyncio.gather(*(passwords.verify(None, "x") for _ in range(40)), return_exceptions=True)
    refused = [outcome for outcome in tried if isinstance(outcome, RateLimited)]
    assert len(refused) >= 20
    assert all(refusal.retry_after for refusal in refused)
    assert len(tried) - len(refused) >= 4
    assert not (await passwords.verify(None, "x")).ok
    passwords.close()


async def test_callers_that_leave_give_their_places_back() -> None:
    passwords = Passwords(CHEAP, threads=1, waiting=3)
    for _ in range(20):
        leaving = asyncio.create_task(passwords.verify(None, "x"))
        await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
    served = asyncio.gather(*(passwords.verify(None, "x") for _ in range(2)), return_exceptions=True)
    assert not any(isinstance(outcome, BaseException) for outcome in await served)
    passwords.close()


async def test_after_closing_what_was_taken_is_finished_and_no_more_is_taken() -> None:
    passwords = Passwords(CHEAP, threads=1)
    taken = [asyncio.create_task(passwords.verify(None, "x")) for _ in range(10)]
    await asyncio.sleep(0)
    passwords.close()
    with pytest.raises(Unavailable):
        await passwords.verify(None, "x")
    assert [verdict.ok for verdict in await asyncio.gather(*taken)] == [False] * 10
