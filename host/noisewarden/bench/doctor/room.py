"""Clock, memory, flash, journal, calibration and secret: what a box needs to go on for months."""

import time
from collections.abc import Iterator

from noisewarden.bench.doctor.app import App
from noisewarden.bench.doctor.check import Check, failed, passed, skipped, warned
from noisewarden.bench.doctor.prompt import Findings
from noisewarden.firmware import journal

HEAP_LEAST_BYTES = 16 * 1024
"""A new config or calibration is read with rooms that are loaded for it alone."""
IDF_HEAP_LEAST_BYTES = 43_008
"""TLS at the peak of a handshake and a socket: the ledger in docs/architecture.md."""
EXPIRES_SOON_S = 30 * 86400

_BLOCK_BYTES = 4096
_CALIBRATE = "noisewarden calibrate --port {port} writes a new one"
_SECRET_BYTES = 32


def of_app(app: App) -> Iterator[Check]:
    """What a running app tells of itself."""
    yield _clock(app)
    yield _restarts(app)
    yield from _heaps(app)
    state = app.self_test.get("journal", "not told")
    if state == "ok":
        first, last = app.state.get("records", (0, 0))
        yield passed("journal", f"ok, records {first} to {last}")
    else:
        yield failed(
            "journal", state, "collect what can be read, and if it stays so flash the box anew"
        )
    yield _calibration(app)


def of_prompt(findings: Findings) -> Iterator[Check]:
    """What is on the flash of a stopped box."""
    yield _flash(findings)
    if findings.secret == _SECRET_BYTES:
        yield passed("secret", "is there")
    else:
        yield warned(
            "secret",
            "is not there, so anyone could have written its records"
            if findings.secret is None
            else f"has {findings.secret} bytes instead of {_SECRET_BYTES}",
            "provision the box (noisewarden provision)",
        )


def _clock(app: App) -> Check:
    if app.clock == "right":
        return passed("clock", "as this computer's")
    cure = (
        "it goes on until the power does; a station sets it again"
        if app.clock_set == "set now"
        else "set this computer's clock, and run doctor again"
    )
    return warned("clock", f"{app.clock}; {app.clock_set}", cure)


def _restarts(app: App) -> Check:
    count = app.state.get("restarts", 0)
    if count:
        return warned(
            "tasks",
            f"{count} failed and began again since the start",
            f"noisewarden collect --port {app.port} --csv records.csv has their faults",
        )
    return passed("tasks", f"none has failed, up {app.state.get('uptime_s', 0)} s")


def _heaps(app: App) -> Iterator[Check]:
    for name, key, least, cure in (
        ("heap", "heap_free", HEAP_LEAST_BYTES, "deploy again, or take a board with PSRAM"),
        ("IDF heap", "idf_heap_free", IDF_HEAP_LEAST_BYTES, "use it on USB, or take PSRAM"),
    ):
        free = app.state.get(key)
        if free is None:
            yield skipped(name, "the box does not tell", "deploy again")
        elif free < least:
            yield warned(name, f"{free} bytes free, and {least} are needed", cure)
        else:
            yield passed(name, f"{free} bytes free")


def _flash(findings: Findings) -> Check:
    """The journal's ring is to grow to its whole length beside what is there."""
    blocks = -(-journal.SEGMENT_BYTES // _BLOCK_BYTES)
    ring = journal.SEGMENTS * blocks * _BLOCK_BYTES
    used = sum(-(-size // _BLOCK_BYTES) * _BLOCK_BYTES for size in findings.journal)
    missing = ring - used - findings.survey.free
    if missing > 0:
        return failed(
            "flash",
            f"{findings.survey.free} bytes free, {missing} too few for 7 days of journal",
            "remove what is not the box's own (mpremote fs ls, fs rm)",
        )
    return passed("flash", f"{findings.survey.free} bytes free, the journal has {used}")


def _calibration(app: App) -> Check:
    name, cure = "calibration", _CALIBRATE.format(port=app.port)
    until, void = app.state.get("calibrated_until", 0), app.state.get("void", "")
    if void:
        return warned(name, f"declared void: {void}", cure)
    if not until:
        return warned(name, "was never calibrated, so it only reminds and lights no lamp", cure)
    day = time.strftime("%Y-%m-%d", time.gmtime(until - 1))
    left_s = until - time.time()
    if left_s <= 0:
        return warned(name, f"its last day was {day}", cure)
    if left_s < EXPIRES_SOON_S:
        return warned(name, f"its last day is {day}", cure)
    return passed(name, f"until {day}, offset {app.state.get('offset_db', 0):+.2f} dB")
