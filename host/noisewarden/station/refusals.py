"""What a station refuses, for a person to read and a program to tell apart."""

from noisewarden.errors import UserError


class Refused(UserError):
    """`code` names the reason for a program; the text is the line for a person."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class Throttled(Refused):
    """`wait_s`: how long until the next try."""

    def __init__(self, wait_s: float) -> None:
        self.wait_s = int(wait_s) + 1
        super().__init__(
            "throttled", f"log in: too many wrong tries; wait {self.wait_s} s and try again"
        )
