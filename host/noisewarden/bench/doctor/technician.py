"""The person at the bench, as far as a doctor needs one: what only eyes and ears can tell."""

from collections.abc import Mapping
from typing import Protocol

from noisewarden.bench.doctor.check import Check, skipped


class Technician(Protocol):
    """`there` is False for nobody: then neither of the others is called."""

    @property
    def there(self) -> bool: ...

    def ask(self, question: str, answers: Mapping[str, str]) -> str:
        """One of the keys of `answers`, whose values say what they stand for."""
        ...

    def ready(self, request: str) -> None:
        """Comes back once the person is about to do what is asked."""
        ...


class Nobody:
    there = False

    def ask(self, question: str, answers: Mapping[str, str]) -> str:
        raise AssertionError(question)

    def ready(self, request: str) -> None:
        raise AssertionError(request)


def nobody_asked(name: str) -> Check:
    return skipped(name, "not tried, since nobody is asked", "run doctor at a terminal")
