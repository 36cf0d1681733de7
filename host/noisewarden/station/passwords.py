"""Passwords: which are good enough, how they are kept, and how slowly they are guessed."""

import threading

import argon2

from noisewarden.station.refusals import Refused, Throttled
from noisewarden.station.throttle import Throttle

LEAST_CHARS = 12
MOST_CHARS = 200
_LEAST_DISTINCT = 5

_AT_ONCE = 2
"""Passwords hashed at the same time: each takes 64 MiB and 90 ms of a core."""


def checked(password: str, name: str) -> str:
    """The password; Refused when it is too easy to guess for somebody of this name."""
    if not LEAST_CHARS <= len(password) <= MOST_CHARS:
        raise Refused(
            "weak-password",
            f"password: takes {LEAST_CHARS} to {MOST_CHARS} characters; "
            "several words are easier to keep than signs",
        )
    if len(set(password)) < _LEAST_DISTINCT or name.casefold() in password.casefold():
        raise Refused("weak-password", "password: is too easy to guess; choose another")
    return password


class Passwords:
    """Kept as argon2id (RFC 9106). Of several threads."""

    def __init__(self) -> None:
        self._hasher = argon2.PasswordHasher()
        self._hashing = threading.BoundedSemaphore(_AT_ONCE)
        # An account's waits stay short, or anyone could lock an officer out; an address's do not.
        self._accounts = Throttle(free=5, most_wait_s=60)
        self._addresses = Throttle(free=20, most_wait_s=600)
        self._nobodys = self.hash("an account that is not there takes as long")

    def hash(self, password: str) -> str:
        with self._hashing:
            return self._hasher.hash(password)

    def enter(self, name: str, address: str) -> None:
        """Before each try. Throttled when the address, or else the account, has to wait."""
        if wait_s := self._addresses.enter(address):
            raise Throttled(wait_s)
        if wait_s := self._accounts.enter(name):
            self._addresses.take_back(address)  # somebody elsewhere may guess
            raise Throttled(wait_s)

    def passed(self, name: str, address: str) -> None:
        """After a right one: both begin anew."""
        self._addresses.passed(address)
        self._accounts.passed(name)

    def right(self, kept: str | None, password: str) -> bool:
        """Whether it is the one that `kept` is the hash of; as slow for None, which nothing is."""
        with self._hashing:
            try:
                self._hasher.verify(kept or self._nobodys, password[:MOST_CHARS])
            except argon2.exceptions.VerifyMismatchError:
                return False
        return kept is not None
