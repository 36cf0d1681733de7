"""The one shape of what a doctor says: a line with its cure."""

import re
from dataclasses import asdict, dataclass
from typing import Any, Literal

from noisewarden.errors import UserError

State = Literal["pass", "warn", "fail", "skip"]

_OTHERS_AGAIN = re.compile(r"\b(run flash|deploy) again( to go on)?")


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    state   "warn": the box works, but not as it should on a pole; "skip": it was not tried
    found   what there is, with figures
    cure    what to do about it; "" for a pass
    """

    name: str
    state: State
    found: str
    cure: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def passed(name: str, found: str) -> Check:
    return Check(name, "pass", found)


def warned(name: str, found: str, cure: str) -> Check:
    return Check(name, "warn", found, cure)


def failed(name: str, found: str, cure: str) -> Check:
    return Check(name, "fail", found, cure)


def skipped(name: str, found: str, cure: str) -> Check:
    return Check(name, "skip", found, cure)


def from_error(name: str, error: UserError) -> Check:
    """A check that could not be made; the line of an error is `thing: cause; cure`."""
    found, _, cure = str(error).partition("; ")
    # The tools are those of flash and deploy, whose cures end with another try of these.
    return failed(name, found, _OTHERS_AGAIN.sub("run doctor again", cure))
