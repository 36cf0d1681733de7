"""Who may say and hear what on the broker (DESIGN 4.6): one rule for every broker.

A box is client id and user name in one. The station's own clients share a user name that no box
can have, since a slug has no `$`; they come by a door of their own.
"""

from typing import Protocol

from noisewarden.firmware import wire

STATION = "$station"
"""User name of the station, and how the ids of its clients begin."""

EVERYTHING = "noisewarden/#"
_BELOW = EVERYTHING.removesuffix("#")
UP = ("reading", "record", "state", "availability", "result")
"""What a box may publish, as last will and retained too."""
DOWN = ("ack", "command")
"""What a box may subscribe to: these two filters as they are, no wildcard."""


class Boxes(Protocol):
    """The register, as far as a broker asks it, in threads. UserError when it cannot answer."""

    def admits(self, box: str, password: str) -> bool:
        """Whether this box has this password and is not revoked, in a time that tells nothing."""
        ...

    def admitted(self) -> set[str]:
        """The ids of all boxes that are not revoked; it is asked twice a second."""
        ...


class Rights(Protocol):
    def may_publish(self, topic: str) -> bool: ...

    def may_subscribe(self, topic_filter: str) -> bool: ...


class OfBox:
    def __init__(self, box: str) -> None:
        self._up = {wire.topic(box, name) for name in UP}
        self._down = {wire.topic(box, name) for name in DOWN}

    def may_publish(self, topic: str) -> bool:
        return topic in self._up

    def may_subscribe(self, topic_filter: str) -> bool:
        return topic_filter in self._down


class OfStation:
    """All of noisewarden/#; neither `$SYS` nor a shared subscription (`$share/…`)."""

    def may_publish(self, topic: str) -> bool:
        return topic.startswith(_BELOW)

    def may_subscribe(self, topic_filter: str) -> bool:
        return topic_filter.startswith(_BELOW)
