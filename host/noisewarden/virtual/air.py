"""What the radio of a virtual box finds: a network or none, to be changed while the box runs.

Only the radio's own state is played. What the box then sends goes over the PC's network; to cut
that, put a relay between.
"""

import json
import os
import tempfile

_BYTES = 256


class Air:
    """Silence at first."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - it is the air's as long as it lives
        self.fd = self._file.fileno()
        self.silence()

    def network(self, ssid: str, password: str = "") -> None:
        """An access point in reach."""
        self._write({"ssid": ssid, "password": password})

    def silence(self) -> None:
        """No access point in reach; who was connected is no more."""
        self._write({})

    def _write(self, found: dict[str, str]) -> None:
        # One write of one length: the chip reads the old line or the new.
        os.pwrite(self.fd, json.dumps(found).ljust(_BYTES).encode(), 0)
