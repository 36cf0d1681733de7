"""Cuts the power at every flash operation of a deploy and of the update that follows.

The deploy is done once and each operation kept. Then the flash is built up again one operation at
a time; after each, and with half of the next one done, a box starts on it.
"""

import os
from binascii import hexlify
from hashlib import sha256

import check
import update
import vfs
from flashdisk import FlashDisk

BOX = "/box"
OWN = {"config.json": b'{"box": "bagu-east-01"}', "secret.bin": bytes(32)}
"""What the box itself wrote, or the technician."""


def version(number, *rooms):
    """A version of the firmware, its files small and large as LittleFS stores them differently."""
    files = {
        "update.py": b"# %d" % number * 60,
        "boot.py": b"import update # %d" % number,
        "board.json": b'{"board": %d}' % number,
        "main.py": b"from noisebox import app",
        "noisebox/app.mpy": b"app %d" % number * 900,
    }
    for room in rooms:
        files["noisebox/" + room] = b"%s %d" % (room.encode(), number) * 40
    return files


NEW = version(2, "meter.mpy", "zone.mpy")
BEFORE = {
    "a version that was deployed": version(1, "meter.mpy", "spare.mpy"),
    "one put there by hand": {
        "boot.py": b"from noisebox import start",
        "main.py": b"start.main()",
        "noisebox/app.py": b"app" * 900,
        "noisebox/zone.py": b"zone" * 40,
    },
    "an erased box": {},
}


def digest(content):
    return hexlify(sha256(content).digest())


def manifest(files):
    first = [path for path in ("update.py", "boot.py") if path in files]
    order = first + sorted([path for path in files if path not in first])
    lines = b"".join([digest(files[path]) + b"  " + path.encode() + b"\n" for path in order])
    return lines + digest(lines) + b"\n"


def write(path, content):
    with open(path, "wb") as file:
        file.write(content)


def read(path):
    with open(path, "rb") as file:
        return file.read()


def power_on(disk, fresh=False):
    """The flash as a box finds it; what was open or in memory before is gone."""
    if fresh:
        vfs.VfsLfs2.mkfs(disk)
    os.chdir("/")
    try:
        vfs.umount(BOX)
    except OSError:
        pass
    vfs.mount(vfs.VfsLfs2(disk), BOX)
    os.chdir(BOX)


def fill(files):
    for folder in ("noisebox", "journal"):
        os.mkdir(folder)
    for path, content in list(files.items()) + list(OWN.items()):
        write(path, content)


def send(files):
    """As `deploy` does: what differs, the manifest last."""
    for folder in ("next", "next/noisebox"):
        if folder.split("/")[-1] not in os.listdir("/".join(folder.split("/")[:-1]) or "."):
            os.mkdir(folder)
    for path, content in files.items():
        if update.sha256(path) != digest(content).decode():
            write("next/" + path, content)
    write("next/manifest", manifest(files))


def start():
    """Starts the box; the files that run then, {} when nothing does."""
    names = os.listdir(".")
    if "boot.py" not in names:
        assert "main.py" not in names
        return {}
    updates = b"update" in read("boot.py")
    if updates:
        update.run()
    paths = [path for path in os.listdir(".") if path.split(".")[0] in ("boot", "main", "board")]
    if updates:
        paths.append("update.py")
    return {path: read(path) for path in paths + update.files("noisebox")}


class Course:
    """disk        as it was before the deploy
    operations  of the deploy and the start after it, (address, bytes)
    """

    def __init__(self, before):
        self.before = before
        self.disk = disk = FlashDisk(48)
        power_on(disk, fresh=True)
        fill(before)
        image = bytes(disk.image)
        self.operations = disk.log = []
        send(NEW)
        self.sent = len(self.operations)
        update.run()
        disk.log = None
        assert start() == NEW
        disk.apply(0, image)
        disk.undo = []

    def examine(self):
        """Starts a box, and takes back what the start did: returns its version and its
        operations."""
        disk = self.disk
        keep = len(disk.undo)
        done = disk.log = []
        power_on(disk)
        files = start()
        disk.log = None
        assert files == NEW or files == self.before, sorted(files)
        assert {path: read(path) for path in OWN} == OWN
        disk.take_back(keep)
        return files, done

    def examine_cut(self):
        """A start; then one that ends at each of its operations, and what starts after that."""
        files, done = self.examine()
        keep = len(self.disk.undo)
        for operation in done:
            self.disk.apply(*half(operation))
            again, _ = self.examine()
            assert files == self.before or again == NEW
            self.disk.take_back(keep)
            self.disk.apply(*operation)
            keep = len(self.disk.undo)
        return files


def half(operation):
    at, data = operation
    return at, data[: len(data) // 2]


def test_a_whole_version_starts_after_a_cut_at_every_operation():
    for name, before in BEFORE.items():
        course = Course(before)
        disk, operations = course.disk, course.operations
        starts = []
        for operation in operations:
            for torn in (False, True):
                if torn:
                    disk.apply(*half(operation))
                starts.append(course.examine_cut() == NEW)
                disk.take_back(0)
            disk.apply(*operation)
            disk.undo.clear()
        starts.append(course.examine_cut() == NEW)
        # Once new it stays new, and it is not new before all has been sent.
        assert starts == sorted(starts) and starts[-1]
        assert not any(starts[: 2 * course.sent - 2])
        print(name, len(operations), "operations,", course.sent, "of them to send")


def prepared(before):
    disk = FlashDisk(48)
    power_on(disk, fresh=True)
    fill(before)
    return disk


def test_what_is_not_complete_waits():
    old = BEFORE["a version that was deployed"]
    spoilt = {
        "a file is missing": lambda: os.remove("next/noisebox/meter.mpy"),
        "a file arrived damaged": lambda: write("next/boot.py", b"import updata # 2"),
        "half a manifest": lambda: write("next/manifest", manifest(NEW)[:300]),
        "a manifest cut at a line": lambda: write("next/manifest", manifest(NEW)[:-65]),
        "a manifest of zeros": lambda: write("next/manifest", bytes(500)),
        "an empty manifest": lambda: write("next/manifest", b""),
    }
    for name, spoil in spoilt.items():
        prepared(old)
        send(NEW)
        spoil()
        assert start() == old, name
        assert "boot.py" in os.listdir("next"), name
        send(NEW)
        assert start() == NEW, name


def test_a_start_without_an_update_leaves_the_flash_alone():
    disk = prepared(BEFORE["a version that was deployed"])
    before = disk.operations
    start()
    assert disk.operations == before


def test_what_no_manifest_names_leaves_the_folder_of_the_firmware_alone():
    prepared(BEFORE["one put there by hand"])
    write("notes.txt", b"hung on pole 7")
    send(NEW)
    update.run()
    assert read("manifest") == manifest(NEW) and os.listdir("next") == ["noisebox"]
    assert sorted(update.files("noisebox")) == sorted(
        [path for path in NEW if path.startswith("noisebox/")]
    )
    assert read("notes.txt") == b"hung on pole 7"


def test_flash_that_fails_stops_the_start():
    disk = prepared(BEFORE["a version that was deployed"])
    send(NEW)
    disk.fail_at, disk.fail_count = disk.operations + 2, 1000
    check.raises(OSError, update.run)
    disk.fail_at = None
    power_on(disk)
    assert start() == NEW


check.run(globals())
