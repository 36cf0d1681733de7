"""Which sealed messages of the station count (DESIGN 4.6): forged, replayed and late ones do not.

A broker sees every message and may keep, double or make up any. So each is sealed (`wire.seal`),
and each command carries a counter, which is on flash before the command acts: had once, it is
never had again, not after a power cut either. An acknowledgement needs none, since an old one
tells nothing that is no longer true: what it acknowledged is still on the station's disk.
"""

import json
from errno import ENOENT

from micropython import const

from noisebox import wire

_COUNTER = const("counter.bin")
_NEW = const(".new")
_COUNTER_BYTES = const(8)
_KEY_BYTES = const(8)
_COUNTER_BITS = const(53)
"""What every JSON keeps exact."""

AGAIN_MOST = const(8)
"""Ranges in one acknowledgement."""


def _whole(value, lowest, highest):
    return isinstance(value, int) and not isinstance(value, bool) and lowest <= value <= highest


class Orders:
    """files   has open and rename; key is the `wire.Key` of commands

    forged    messages whose seal is wrong; replayed: commands that came again
    stale     acknowledgements of another start, or of records that were never sent
    """

    def __init__(self, files, box_id, key):
        self._files = files
        self._box_id = box_id
        self._key = key
        self.forged = 0
        self.replayed = 0
        self.stale = 0
        self._counter = self._read()

    def ack(self, payload, boot, newest):
        """(seq, ranges) of an acknowledgement: all up to `seq` is on the station's disk, and each
        [first, last] is to be sent again. None when it does not count.

        boot, newest   this start, and the last record that can have been sent
        """
        body = self._open("ack", payload)
        if body is None:
            return None
        seq, again = body.get("seq"), body.get("again", [])
        good = (
            body.get("boot") == boot
            and _whole(seq, 0, newest)
            and isinstance(again, list)
            and len(again) <= AGAIN_MOST
            and all(
                isinstance(pair, list)
                and len(pair) == 2
                and _whole(pair[0], 1, newest)
                and _whole(pair[1], pair[0], newest)
                for pair in again
            )
        )
        if not good:
            self.stale += 1
            return None
        return seq, again

    def command(self, payload, unix_s):
        """(command, refusal) of a command: refusal is None for one that may act, else why not.

        None when it does not count and is not to be answered. Its counter is on flash by then.

        unix_s   what time it is, None when the box does not know
        """
        command = self._open("command", payload)
        if command is None:
            return None
        counter = command.get("counter", 0)
        if not _whole(counter, 1, (1 << _COUNTER_BITS) - 1):
            return command, "counter must be a whole number from 1"
        if self._counter is None:
            return command, _COUNTER + " cannot be read; provision the box again"
        if counter <= self._counter:
            self.replayed += 1
            return None
        try:
            self._write(counter)
        except OSError as error:
            return command, "{} not written: {}".format(_COUNTER, error)
        return command, self._late(command, unix_s)

    def _late(self, command, unix_s):
        expires = command.get("expires")
        if expires is None and command.get("action") == "set_time":
            return None  # by it alone a box without time gets one
        if not _whole(expires, 0, 0xFFFFFFFF):
            return "expires must be a time in whole seconds"
        if unix_s is None:
            return "the clock is not set"
        return "expired {} s ago".format(unix_s - expires) if unix_s > expires else None

    def _open(self, name, payload):
        """The body of a sealed payload as a dict, or None."""
        try:
            text = wire.unseal(self._key, wire.topic(self._box_id, name), payload)
        except ValueError:
            self.forged += 1
            return None
        try:
            body = json.loads(text)
        except (ValueError, TypeError, RuntimeError):  # as in `config`
            body = None
        if not isinstance(body, dict):
            self.stale += 1
            return None
        return body

    # The counter belongs to its key: with a new secret it starts again.

    def _read(self):
        """The last counter, 0 before the first under this key, None when it cannot be read."""
        try:
            with self._files.open(_COUNTER, "rb") as file:
                data = file.read(_COUNTER_BYTES + _KEY_BYTES + 1)
        except OSError as error:
            # Only what was never written is a beginning: all that was ever sent would count again.
            return 0 if error.errno == ENOENT else None
        if len(data) != _COUNTER_BYTES + _KEY_BYTES:
            return None
        if data[_COUNTER_BYTES:] != self._key_mark():
            return 0
        return int.from_bytes(data[:_COUNTER_BYTES], "little")

    def _write(self, counter):
        # A power cut leaves the old file or the new one, whole: LittleFS renames in one step.
        with self._files.open(_COUNTER + _NEW, "wb") as file:
            file.write(counter.to_bytes(_COUNTER_BYTES, "little"))
            file.write(self._key_mark())
        self._files.rename(_COUNTER + _NEW, _COUNTER)
        self._counter = counter

    def _key_mark(self):
        return self._key.sign(_COUNTER.encode())[:_KEY_BYTES]
