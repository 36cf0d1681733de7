"""A box whose app is stopped, asked at MicroPython's prompt by scripts."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from noisewarden.bench.deploy import Survey
from noisewarden.bench.tools import Tool, ToolFailed
from noisewarden.paths import FIRMWARE

# It goes after firmware/update.py, whose names it uses. The watchdog that the app has started
# gets time for all that follows, and then starts the box again, should nobody else.
_EXAMINE = """
import json, machine, sys
machine.WDT(timeout=30 * 60 * 1000)
def content(path):
    try:
        with open(path, "rb") as file:
            return binascii.b2a_base64(file.read()).decode().strip()
    except OSError:
        return None
def bytes_of(paths):
    return [os.stat(path)[6] for path in paths]
there = os.listdir()
space = os.statvfs(".")
print(json.dumps({
    "micropython": list(sys.implementation.version[:3]),
    "mpy": sys.implementation._mpy,
    "machine": sys.implementation._machine,
    "free": space[1] * space[3],
    "files": {path: sha256(path) for path in
        [path for path in there if path.endswith(".py") or path == "board.json"] + files(ROOMS)},
    "manifest": manifest(MANIFEST),
    "waiting": bool(manifest(NEXT + MANIFEST)),
    "board": content("board.json"),
    "secret": bytes_of([path for path in ("secret.bin",) if path in there]),
    "journal": bytes_of(files("journal")),
    "ca": content("ca.der"),
}))
"""

_DRAW = """
import neopixel
from machine import Pin
chain = neopixel.NeoPixel(Pin({pin}, Pin.OUT), {leds})
chain.buf = bytearray(bytes.fromhex("{picture}"))
chain.write()
"""

# The limits of the relay hold here too, and what it burns is booked in what outlives the reset.
_LIGHT = """
import time
from noisebox import hal
from noisebox.retained import Retained
from noisebox.spotlight import Spotlight
relay = hal.Switch({pin}, {active_high})
retained = Retained(hal.rtc_memory)
lamp = Spotlight(retained.ledger)
began_ms = time.ticks_ms()
def step():
    now_ms = time.ticks_diff(time.ticks_ms(), began_ms)
    relay.set(lamp.step(now_ms, False, True))
    return now_ms
try:
    now_ms = step()
    while (why := lamp.obstacle(True)) in ("switching", "resting"):
        print(why)
        time.sleep(1)
        now_ms = step()
    if why:
        print(why)
    else:
        lamp.ask(now_ms, {seconds})
        for second in range({seconds}):
            step()
            print("lit")
            time.sleep(1)
        step()
finally:
    relay.set(False)
    retained.save()
"""


@dataclass(frozen=True)
class Findings:
    """What a stopped box is and has.

    survey       as a deploy sees it
    machine      the chip, in MicroPython's words
    manifest     SHA-256 by path as its manifest says, None without one; `waiting`: one of a deploy
                 that was not ended is there
    board        its board.json; empty when there is none that can be read
    secret       bytes in secret.bin, None without one
    journal      bytes of each segment
    ca           the certificate in ca.der, b"" for none
    """

    survey: Survey
    machine: str
    manifest: dict[str, str] | None
    waiting: bool
    board: dict[str, Any]
    secret: int | None
    journal: list[int]
    ca: bytes


class Prompt:
    """The prompt behind a tool. Each method raises ToolFailed, with the cause and its cure."""

    def __init__(self, tool: Tool) -> None:
        self._tool = tool

    def examine(self) -> Findings:
        script = (FIRMWARE / "update.py").read_text(encoding="utf-8") + _EXAMINE
        found = next(self.answers(script), None)
        if found is None:
            raise ToolFailed(
                f"{self._tool.port}: the box's answer is garbled; take another cable, and run "
                "doctor again"
            )
        rows = found["manifest"]
        return Findings(
            survey=Survey(
                tuple(found["micropython"]), found["mpy"], found["free"], found["files"], {}
            ),
            machine=found["machine"],
            manifest=None if rows is None else {path: digest for digest, path in rows},
            waiting=found["waiting"],
            board=_object(found["board"]),
            secret=found["secret"][0] if found["secret"] else None,
            journal=found["journal"],
            ca=base64.b64decode(found["ca"] or ""),
        )

    def answers(self, script: str) -> Iterator[Any]:
        """The lines of JSON that a script prints; what cannot be read is passed over."""
        for line in self._tool.run(script).splitlines():
            if line.startswith(("{", "[")):
                try:
                    yield json.loads(line)
                except ValueError:
                    continue

    def draw(self, board: dict[str, Any], picture: bytes) -> None:
        """Bytes in the order of the chain onto the matrix, which keeps them."""
        leds = board["matrix"]["width"] * board["matrix"]["height"]
        pin = board["pins"]["matrix"]
        self._tool.run(_DRAW.format(pin=pin, leds=leds, picture=picture.hex()))

    def light(self, board: dict[str, Any], seconds: int) -> str:
        """Lights the spotlight for so long, after the rest that it needs, 60 s at most.

        Returns why it stayed dark, "" when it did not.
        """
        pin, active_high = board["pins"]["relay"], board["relay"]["active_high"]
        script = _LIGHT.format(pin=pin, active_high=active_high, seconds=seconds)
        last = [line for line in map(str.strip, self._tool.run(script).splitlines()) if line][-1:]
        return "" if last == ["lit"] else "".join(last)


def _object(content: str | None) -> dict[str, Any]:
    try:
        found = json.loads(base64.b64decode(content or ""))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
