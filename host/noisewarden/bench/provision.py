"""Makes a box one of a station: its name and place, its way there, whom to trust, its secret.

Four files go to `next/` on the box and are compared there by SHA-256, which changes nothing yet.
Then one script on the box writes a manifest of the firmware as it is and of these files, and lets
`firmware/update.py` put them into place, as it does a new firmware: a power cut before that
manifest leaves the old set, one after it the new set, since every start goes on where the last one
stopped. The firmware's own manifest comes back last; `deploy` mends it if the power cut that.

The station learns the keys last, when the box has reported itself under its new id. A box is the
part that fails (cable, watchdog, supply), so until then it is the old box with the old keys on
both sides. Should the register fail after that, the station refuses the box, whose journal keeps
everything; to provision it again makes a new secret for both. Nobody is locked out.

The journal stays. A record of the change begins a new segment under the new key, so that the box
never reads old records with it. The station keeps the old key for them.
"""

import hashlib
import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from noisewarden.bench.tools import Tool, ToolFailed
from noisewarden.console import after_restart
from noisewarden.errors import UserError
from noisewarden.firmware import config as settings
from noisewarden.firmware import uplink
from noisewarden.paths import FIRMWARE

REPORTS_WITHIN_S = 20.0

CONFIG, NETWORK, CA, SECRET = "config.json", uplink.NETWORK, uplink.CA, uplink.SECRET
OWN = (CONFIG, NETWORK, CA, SECRET)
"""What provisioning brings, and no deploy."""

_NEXT = "next/"

# Both scripts go after firmware/update.py, whose names they use. After Ctrl-C no one feeds a
# watchdog that an app has started: it gets time.
_SURVEY = """
import json, machine
machine.WDT(timeout=30 * 60 * 1000)
run()
try:
    os.mkdir("next")
except OSError:
    pass
def text(path):
    try:
        with open(path) as file:
            return file.read()
    except (OSError, ValueError):
        return ""
rows = manifest(MANIFEST) or []
print(json.dumps({{
    "serial": binascii.hexlify(machine.unique_id()).decode(),
    "board": text("board.json"),
    "whole": bool(rows) and all(sha256(path) == digest for digest, path in rows
                                if path not in {own}),
    "configs": [text("config.json"), text("config.json.last")],
    "waiting": {{path: sha256(NEXT + path) for path in {own}}},
    "here": {{path: sha256(path) for path in {own}}},
}}))
"""

_INSTALL = """
from noisebox import uplink, wire
from noisebox.journal import Journal
from noisebox.setup import Files

def key(secret):
    return wire.Key(wire.derive(secret, "journal"))

def propose(rows):
    lines = "".join("{{}}  {{}}\\n".format(*row) for row in rows).encode()
    with open(NEXT + MANIFEST, "wb") as file:
        file.write(lines + binascii.hexlify(hashlib.sha256(lines).digest()) + b"\\n")

def hand_on():
    files = Files()
    with open(NEXT + uplink.SECRET, "rb") as file:
        after = key(file.read())
    before = uplink.secret(files)
    journal = Journal(files, "journal", key(before or bytes(wire.SECRET_BYTES)))
    if journal.fault:
        raise OSError(journal.fault)
    seq = journal.next_seq
    mac = wire.FIRST_MAC
    if seq <= {newest}:
        seq = {newest} + 2
        if before is None:
            # Its numbers are those of the box whose place it takes, and nobody vouches for its
            # records: beside the others they would pass for forged.
            for name in os.listdir("journal"):
                os.remove("journal/" + name)
            journal = Journal(files, "journal", key(bytes(wire.SECRET_BYTES)))
    for entry in journal.read(journal.last_flushed_seq or 1, 1):
        mac = entry[2]
    body = wire.pack("config", digest={digest!r}, change={change!r})
    data = wire.record("config", body, 0, {unix_s}, 2)
    wire.number(data, seq, journal.boot)
    with open("journal/{{:08x}}".format(seq), "wb") as file:
        file.write(mac + data + after.sign(mac, data))

rows = [row for row in manifest(MANIFEST) if row[1] not in {own}]
propose(rows + [[sha256(NEXT + path), path] for path in {sent}])
hand_on()
run()
for path in {own}:
    if path not in {sent}:
        try:
            os.remove(path)
        except OSError:
            pass
propose(rows)
run()
"""


@dataclass(frozen=True)
class Wishes:
    """What a technician wants of a box.

    config    the keys of config.json that change; `box` is among them
    network   network.json, None for a box on USB alone
    ca        certificate of the station's authority, DER; None without network
    secret    32 random bytes
    newest    the last number that the station has of records of this id, 0 for none: the journal
              of a box that was erased goes on behind it
    """

    config: dict[str, Any]
    network: dict[str, Any] | None = field(repr=False)
    ca: bytes | None
    secret: bytes = field(repr=False)
    newest: int = 0


class Provisioning:
    """Brings `wishes` onto the box of the board `board` (its name) behind `tool`.

    `serial` is known after `look`. `standing` says, at any moment, how the box stands should the
    work end there.
    """

    def __init__(self, tool: Tool, board: str, wishes: Wishes) -> None:
        self.serial = ""
        self.standing = "nothing was changed on the box"
        self._tool = tool
        self._board = board
        self._wishes = wishes
        self._config: dict[str, Any] = {}

    def look(self) -> None:
        """Reads what the box is, and stops its app. UserError when it cannot be provisioned."""
        found = self._survey()
        if not found["board"] or not found["whole"]:
            raise UserError(
                f"{self._tool.port}: the box has no firmware, or not all of it; deploy first "
                f"(noisewarden deploy --port {self._tool.port} --board {self._board})"
            )
        try:
            board = json.loads(found["board"])["board"]
        except (ValueError, TypeError, KeyError):
            board = "unknown"
        if board != self._board:
            raise UserError(
                f"{self._tool.port}: the box was deployed as {board}, not {self._board}; "
                "name that board, or deploy this one"
            )
        self.serial = found["serial"]
        self._config = _config_there(found["configs"]) | self._wishes.config
        if problems := settings.problems(self._config):
            raise UserError(f"{self._tool.port}: {'; '.join(problems)}; correct it")

    def install(self, on_step: Callable[[int], None] = lambda count: None) -> None:
        """After `look`: sends the files, puts them into place, starts the box and hears it report
        itself. `on_step` gets 1 for each of `steps`.

        UserError with cause and cure.
        """
        files = self._files()
        self.standing = "the box is as it was; provision it again to go on"
        self._send(files, lambda path: on_step(1))
        self._compare(self._survey()["waiting"], files, "did not arrive as they were sent")
        self.standing = (
            "the box starts as it was or with all that is new, which its station does not know "
            "yet; provision it again"
        )
        self._tool.run(self._install_script(files))
        self._compare(self._survey()["here"], files, "did not get into place")
        on_step(1)
        self.standing = (
            "the box has all that is new, but its station does not know it yet; provision it again"
        )
        self._tool.restart()
        self._hear()
        on_step(1)

    @property
    def steps(self) -> int:
        return len(self._files()) + 2

    def leave(self) -> str:
        """Starts the box again in the middle of the work; says how it stands."""
        return self._tool.leave(self.standing)

    def _files(self) -> dict[str, bytes]:
        wishes = self._wishes
        files = {CONFIG: json.dumps(self._config).encode(), SECRET: wishes.secret}
        if wishes.network is not None and wishes.ca is not None:
            files |= {NETWORK: json.dumps(wishes.network).encode(), CA: wishes.ca}
        return files

    def _survey(self) -> dict[str, Any]:
        said = self._tool.run(_script(_SURVEY, own=OWN))
        try:
            return json.loads(said[said.index("{") : said.rindex("}") + 1])
        except ValueError:
            raise ToolFailed(
                f"{self._tool.port}: the box's answer is garbled; "
                "try another cable, and provision it again"
            ) from None

    def _send(self, files: dict[str, bytes], on_file: Callable[[str], None]) -> None:
        # Its owner alone may look into a folder of tempfile.
        with tempfile.TemporaryDirectory(prefix="noisewarden-") as name:
            folder = Path(name)
            (folder / _NEXT).mkdir()
            for path, content in files.items():
                (folder / _NEXT / path).write_bytes(content)
            self._tool.send(folder, [_NEXT + path for path in files], on_file)

    def _compare(self, found: dict[str, str], files: dict[str, bytes], what: str) -> None:
        wrong = [
            path
            for path, content in files.items()
            if found.get(path) != hashlib.sha256(content).hexdigest()
        ]
        if wrong:
            raise UserError(f"{self._tool.port}: {', '.join(wrong)} {what}; provision it again")

    def _install_script(self, files: dict[str, bytes]) -> str:
        return _script(
            _INSTALL,
            own=OWN,
            sent=tuple(files),
            newest=self._wishes.newest,
            digest=settings.digest(settings.merged(self._config)),
            change=f"provisioned as {self._config['box']}",
            unix_s=int(time.time()),
        )

    def _hear(self) -> None:
        """Waits until the box says something under its new id."""
        wanted = self._config["box"]
        message, words = after_restart(
            self._tool.port, REPORTS_WITHIN_S, lambda message: message[0] == wanted
        )
        if message is None:
            raise UserError(
                f"{self._tool.port}: the box does not report itself as {wanted} ({words}); press "
                "its reset button without holding the safe-mode button, and provision it again"
            )


def _script(body: str, **values: Any) -> str:
    return (FIRMWARE / "update.py").read_text(encoding="utf-8") + body.format(**values)


def _config_there(texts: list[str]) -> dict[str, Any]:
    """What the box goes by: its config.json, or when that is bad the last good one."""
    for text in texts:
        try:
            config = json.loads(text)
        except ValueError:
            continue
        if not settings.problems(config):
            return config
    return {}
