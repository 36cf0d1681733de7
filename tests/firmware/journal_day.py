"""A day of a box's records, to test the journal with and to count what it costs the flash."""

import json
import sys
from array import array

from flashdisk import Files, FlashDisk
from noisebox import journal, wire

FILES_BLOCKS = 512

CLOCK_SET_AFTER_MS = 600_000
MIDNIGHT_UNIX_S = 1_780_000_000


def _minute(minute):
    seconds = array("H", [500 + (minute * 7 + second * 13) % 250 for second in range(60)])
    level = 50 + minute % 25
    return wire.pack(
        "minute",
        laeq=level,
        lafmax=level + 9.3,
        lafmin=level - 8.1,
        lcpeak=level + 21.5,
        l10=level + 3.2,
        l50=level - 0.4,
        l90=None if minute % 50 == 0 else level - 5.5,
        valid_s=60,
        flags=0,
        limit=70,
        stage=minute // 72 % 3,
        seconds=seconds,
    )


def _others(minute):
    """What else there is: 1 boot, 20 changes of stage, 4 commands, 3 faults, a set-up."""
    if minute == 0:
        yield (
            "boot",
            wire.pack("boot", cause="power", firmware="0.1.0", micropython="1.28.0", board="b"),
        )
    if minute == 30:
        yield "config", wire.pack("config", digest="0f" * 8, change="schedule")
        yield (
            "calibration",
            wire.pack(
                "calibration",
                offset_mdb=-350,
                uncertainty_mdb=410,
                date="2026-05-28",
                expires="2027-05-28",
                meter="class 1, 94 dB",
                certificate="C-2026-001",
                by="bench",
            ),
        )
    if minute % 72 == 60:
        around = array("H", [700 + second for second in range(20)])
        yield (
            "stage",
            wire.pack("stage", previous=0, stage=1, flags=0, limit=70, laeq10=71.2, around=around),
        )
    if minute % 360 == 100:
        yield (
            "command",
            wire.pack("command", id=str(minute), action="identify", by="officer", outcome="done"),
        )
    if minute % 480 == 200:
        yield "fault", wire.pack("fault", text="wifi: no access point")


def write(box, days, flushed):
    """Appends the records of `days`, flushes when due, calls `flushed()` after each flush."""
    for minute in range(days * 1440):
        now_ms = (minute + 1) * 60_000
        unix_s = MIDNIGHT_UNIX_S + now_ms // 1000 if now_ms >= CLOCK_SET_AFTER_MS else None
        quality = 2 if unix_s else 0
        for kind, body in _others(minute % 1440):
            box.append(kind, body, now_ms, unix_s, quality)
            if box.due(now_ms):
                box.flush(now_ms)
                flushed()
        box.append("minute", _minute(minute % 1440), now_ms, unix_s, quality)
        if box.due(now_ms):
            box.flush(now_ms)
            flushed()


def cost(days):
    """What `days` of the default ring do to the 2 MB of files of a 4 MB board, as a dict."""
    disk = FlashDisk(FILES_BLOCKS)
    files = Files(disk, fresh=True)
    box = journal.Journal(files, "journal", wire.Key(b"journal key of the count"))
    flushes = []
    first_seq = box.first_seq
    held_ms = None

    def uptime_ms(seq):
        return wire.header(next(box.read(seq, 1))[1])[3]

    def flushed():
        nonlocal first_seq, held_ms
        flushes.append((disk.erases, disk.programmed_bytes))
        if box.first_seq != first_seq:
            first_seq = box.first_seq
            now_held_ms = uptime_ms(box.last_flushed_seq) - uptime_ms(first_seq)
            held_ms = min(held_ms or now_held_ms, now_held_ms)

    flushed()
    write(box, days, flushed)
    assert not box.fault and not box.dropped
    at_flush = [after[0] - before[0] for before, after in zip(flushes, flushes[1:])]
    return {
        "erases": flushes[-1][0] - flushes[0][0],
        "programmed_bytes": flushes[-1][1] - flushes[0][1],
        "flushes": len(at_flush),
        "erases_in_the_worst_flush": max(at_flush),
        "held_ms": held_ms,  # at the least, None while the ring never turned
        "free_bytes": files.free_bytes(),
    }


if __name__ == "__main__":
    print(json.dumps(cost(int(sys.argv[1]))))
