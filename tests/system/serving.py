"""`noisewarden serve` as a process, and what its boxes and its first administrator do with it."""

import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

from noisewarden.database import Database
from noisewarden.register import Register, Registration
from noisewarden.station.authority import Authority
from served import ADMIN, PASSWORD, Visitor
from system.boxes import PATIENCE_S, until

NOISEWARDEN = Path(sys.executable).with_name("noisewarden")
LOOPBACK = ("--http", "127.0.0.1:0", "--mqtt", "127.0.0.1:0")


class Serving:
    """A context manager: serves from its entry to its exit, on free ports of loopback.

    url    of its pages
    port   of its broker
    setup  the set-up link, "" when none was printed
    said   lines of its output; `complaints` of its error stream, by now
    """

    def __init__(self, folder: Path, *options: str, **process: Any) -> None:
        self.folder = folder
        self.authority = Authority.in_folder(folder)
        self.tls = False
        self._command = [NOISEWARDEN, "serve", "--data", str(folder), *LOOPBACK, *options]
        self._options = process
        self._errors = folder.with_suffix(".errors")

    def __enter__(self) -> Self:
        self.said: list[str] = []
        log = self.folder.with_suffix(".log")
        # Files, which take what a pipe would hold up.
        with log.open("wb") as out, self._errors.open("wb") as errors:
            self.process = subprocess.Popen(
                self._command, stdout=out, stderr=errors, **self._options
            )

        def serves() -> bool:
            self.said = log.read_text().splitlines()
            return self.said or self.process.poll() is not None

        until(serves, lambda: "serve says nothing")
        if self.process.poll() is not None:
            raise AssertionError(self.complaints)
        self.url, self.setup = self._line("pages "), self._line("set up ")
        self.port = int(self._line("boxes ").rpartition(":")[2] or 0)
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.end(signal.SIGTERM)

    def end(self, sign: signal.Signals) -> int:
        """Its exit code."""
        self.process.send_signal(sign)
        return self.process.wait(PATIENCE_S)

    @property
    def complaints(self) -> list[str]:
        return self._errors.read_text().splitlines()

    def _line(self, start: str) -> str:
        found = [line for line in self.said if line.startswith(start)]
        return found[0].removeprefix(start).strip() if found else ""

    def administrator(self) -> Visitor:
        """Follows the set-up link as its page does, and logs in."""
        token = re.fullmatch(rf"{re.escape(self.url)}/welcome#(\S+)", self.setup)
        assert token, self.said
        visitor = Visitor(self)
        account = {"token": token[1], "name": ADMIN, "password": PASSWORD}
        assert visitor.post("/api/v1/invitation/acceptance", json=account).status_code == 204
        assert visitor.log_in(ADMIN).status_code == 204
        return visitor


def register(folder: Path, box: str, secret: bytes) -> None:
    """Makes a box known to the station of a folder, as `provision --data` does."""
    with Database.in_folder(folder) as database:
        Register(database).add(
            Registration.of_secret(
                secret, box=box, place=f"{box}, at the gate", board="virtual", serial="00"
            )
        )
