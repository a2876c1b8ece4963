"""Passwords: how strong they must be, and their argon2id hashes, computed off the event loop."""

import asyncio
import secrets
import unicodedata
from base64 import b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from threading import BoundedSemaphore
from typing import TypeVar

from passlib.hash import argon2  # type: ignore[import-untyped]  # libpass ships no types

from gateroom.errors import InvalidCommand, RateLimited, Unavailable

MAX_LENGTH = 1024  # characters; also what bounds the work of a login
_SALT_BYTES = 16
_DIGEST_BYTES = 32

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Cost:
    """What one argon2id hash costs; the defaults are OWASP's least. `memory` is in KiB."""

    memory: int = 19456
    passes: int = 2
    lanes: int = 1


DEFAULT_COST = Cost()


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the password was right, and if so, whether its hash is weaker than new ones are."""

    ok: bool
    needs_rehash: bool = False


class Passwords:
    """Hashes and verifies passwords in a few threads of its own (a hash releases the interpreter lock).

    The number of threads bounds the memory, `waiting` the number of calls that wait for one of them.
    """

    def __init__(self, cost: Cost = DEFAULT_COST, *, min_length: int = 8, threads: int = 2, waiting: int = 64) -> None:
        self._cost = cost
        self._min_length = min_length
        self._common = common_passwords()
        self._hasher = argon2.using(
            type="ID",
            memory_cost=self._cost.memory,
            rounds=self._cost.passes,
            parallelism=self._cost.lanes,
            salt_size=_SALT_BYTES,
            digest_size=_DIGEST_BYTES,
        )
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="argon2")
        self._places = BoundedSemaphore(threads + waiting)
        self._decoy = _decoy(self._cost)

    def check_strength(self, password: str) -> None:
        """Raise `InvalidCommand`, saying what is wrong, unless `password` may become somebody's password."""
        if len(password) > MAX_LENGTH:
            raise InvalidCommand(f"The password is too long; it may have up to {MAX_LENGTH} characters.")
        if (prepared := _prepare(password)) is None:
            raise InvalidCommand("The password contains something that is not a character.")
        if len(prepared) < self._min_length:
            raise InvalidCommand(f"The password is too short; it needs at least {self._min_length} characters.")
        if unicodedata.normalize("NFKC", password).casefold() in self._common:
            raise InvalidCommand("This password is one of the most common ones; choose another.")

    async def hash(self, password: str) -> str:
        """Return the PHC string of a password that passed `check_strength`.

        Raises `RateLimited` when too many calls wait already, `Unavailable` after `close`.
        """
        if (prepared := _prepare(password)) is None:
            raise InvalidCommand("The password cannot be hashed.")
        return await self._run(lambda: str(self._hasher.hash(prepared)))

    async def verify(self, stored: str | None, password: str) -> Verdict:
        """Compare `password` with a PHC string; with None do the same work in vain (nobody has that password).

        Raises `RateLimited` when too many calls wait already, `Unavailable` after `close`.
        """
        return await self._run(lambda: self._verify(stored, password))

    def close(self) -> None:
        """Take no more work; what was taken is finished, in half a second at most."""
        self._executor.shutdown(wait=False)

    async def _run(self, work: Callable[[], _Result]) -> _Result:
        if not self._places.acquire(blocking=False):
            raise RateLimited("Too many logins at once; try again in a moment.")
        try:
            future = self._executor.submit(work)
        except RuntimeError:
            self._places.release()
            raise Unavailable from None
        # The place is free when the work is done, which is later than a cancelled caller leaves.
        future.add_done_callback(lambda _: self._places.release())
        return await asyncio.wrap_future(future)

    def _verify(self, stored: str | None, password: str) -> Verdict:
        prepared = _prepare(password)
        if stored is None or prepared is None:
            return self._in_vain(prepared or "")
        try:
            ok = argon2.verify(prepared, stored)
        except ValueError:  # a damaged hash opens nothing
            return self._in_vain(prepared)
        return Verdict(ok, needs_rehash=ok and self._is_weak(stored))

    def _in_vain(self, prepared: str) -> Verdict:
        argon2.verify(prepared, self._decoy)
        return Verdict(ok=False)

    def _is_weak(self, stored: str) -> bool:
        """Tell whether any parameter is below ours; above is fine, or two processes would undo each other's work."""
        found = argon2.from_string(stored)
        return bool(
            found.type != "id"
            or found.version < argon2.max_version
            or found.memory_cost < self._cost.memory
            or found.rounds < self._cost.passes
            or len(found.checksum) < _DIGEST_BYTES
        )


@cache
def common_passwords() -> frozenset[str]:
    """Return the passwords that everybody tries first, in lower case."""
    lines = files("gateroom.auth").joinpath("common_passwords.txt").read_text("utf-8").splitlines()
    return frozenset(line for line in lines if not line.startswith("# "))


def _prepare(password: str) -> str | None:
    """Return what is hashed: the password in Unicode form NFC; None when it is over the bound or has no UTF-8.

    A letter with an accent reaches us composed from one keyboard and decomposed from another, and both must log in
    (RFC 8265 section 4.2.2). NFKC would also make different passwords equal.
    """
    if len(password) > MAX_LENGTH:
        return None
    try:
        password.encode()
    except UnicodeEncodeError:  # a lone surrogate
        return None
    return unicodedata.normalize("NFC", password)


def _decoy(cost: Cost) -> str:
    """Return a hash with our parameters that no password has: verifying against it costs what a real one costs."""
    salt, digest = (b64encode(secrets.token_bytes(size)).rstrip(b"=").decode() for size in (_SALT_BYTES, _DIGEST_BYTES))
    return f"$argon2id$v=19$m={cost.memory},t={cost.passes},p={cost.lanes}${salt}${digest}"
