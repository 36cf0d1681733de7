"""The microphone: its wiring, its slot, its noise floor, and whether it hears a clap."""

from collections.abc import Iterator
from typing import Any

from noisewarden import boards
from noisewarden.bench.doctor.app import App, Payload
from noisewarden.bench.doctor.check import Check, failed, passed, skipped, warned
from noisewarden.bench.doctor.technician import Technician, nobody_asked

QUIET_S = 5
CLAP_WITHIN_S = 8
CLAP_DB = 20.0
QUIET_ROOM_DB = 45.0
"""LAeq that a closed room stays below while nobody speaks in it."""
BELOW_NOISE_DB = 3.0
"""A microphone of the right kind does not read further below its own noise, whatever its unit."""

_MOST_S = 12
_MARKS = {
    "lost": (
        "samples are lost",
        "look at the processor's other work: a WiFi that connects again and again, a full flash",
    ),
    "overload": (
        "samples are clipped in a quiet room",
        "check that the board file names the right microphone, and that its 3.3 V is steady",
    ),
    "wind": (
        "LCeq is more than 20 dB over LAeq, as in wind",
        "keep fans and draughts off the microphone, and its wires away from the supply's",
    ),
}
"""Flags that a quiet room does not raise, with what they mean and their cure."""


def checks(app: App, board: dict[str, Any], technician: Technician) -> Iterator[Check]:
    """Of a running app."""
    if technician.there:
        technician.ready(f"be quiet for {QUIET_S} s")
        app.catch_up()
    readings = _quiet(app)
    wiring = _wiring(readings, board)
    yield wiring
    if wiring.state == "fail":
        for name in ("noise floor", "clap"):
            yield skipped(name, "not tried without a signal", "mend that first")
        return
    levels = [reading for reading in readings if reading["laeq"] is not None]
    yield _floor(levels, board)
    yield from _marks(levels)
    if not technician.there:
        yield nobody_asked("clap")
        return
    technician.ready("then clap once, an arm's length from the microphone")
    app.catch_up()
    yield _clap(levels, _seconds(app, CLAP_WITHIN_S), board)


def _seconds(app: App, count: int) -> Iterator[Payload]:
    for _ in range(count):
        if (reading := app.next_reading()) is None:
            return
        yield reading


def _quiet(app: App) -> list[Payload]:
    """QUIET_S seconds behind the warm-up of the start, or fewer when the box falls silent."""
    readings: list[Payload] = []
    for reading in _seconds(app, _MOST_S):
        if "warmup" not in reading["flags"]:
            readings.append(reading)
        if len(readings) == QUIET_S:
            break
    return readings


def _wiring(readings: list[Payload], board: dict[str, Any]) -> Check:
    name = "microphone"
    flags = {flag for reading in readings for flag in reading["flags"]}
    pins = board["pins"]
    wires = f"SCK to GPIO {pins['sck']}, WS to GPIO {pins['ws']}, SD to GPIO {pins['sd']}"
    if not readings:
        return failed(name, "the app sends no readings", "reset the box, and run doctor again")
    if "slot" in flags:
        return failed(
            name,
            "its data are in the other slot",
            "tie its L/R (SEL) pin to GND, by a wire of its own",
        )
    if "dead" in flags:
        align = boards.microphones()[board["microphone"]].get("align", "")
        return failed(
            name,
            "its line is constant, silent or shifted by a bit",
            f"check {wires}, 3.3 V and GND, and that it is the {board['microphone']} of the board "
            f"file{'; ' + ' '.join(align.split()) if align else ''}",
        )
    if all(reading["laeq"] is None for reading in readings):
        lost, cure = _MARKS["lost"]
        return failed(name, f"no second has a level, too many {lost}", cure)
    return passed(name, f"{board['microphone']} is heard in the left slot")


def _floor(levels: list[Payload], board: dict[str, Any]) -> Check:
    name = "noise floor"
    own_db = boards.microphones()[board["microphone"]]["noise_dba"]
    lowest_db = min(reading["laeq"] for reading in levels)
    span_db = max(reading["laeq"] for reading in levels) - lowest_db
    found = f"LAeq,1s {lowest_db:.1f} dB in {len(levels)} s, over {span_db:.1f} dB"
    own = f"the {board['microphone']}'s own noise is {own_db:g} dB(A)"
    if lowest_db < own_db - BELOW_NOISE_DB:
        return failed(
            name,
            f"{found}; {own}",
            "no microphone reads less than its noise: name the right one in the board file, and "
            "open its sound port",
        )
    if lowest_db > QUIET_ROOM_DB:
        return warned(
            name,
            f"{found}; a quiet room stays below {QUIET_ROOM_DB:g} dB",
            "try a quieter room; if it stays so, keep the microphone's wires short and its 3.3 V "
            "clean (100 nF at the microphone)",
        )
    return passed(name, f"{found}; {own}")


def _marks(levels: list[Payload]) -> Iterator[Check]:
    for flag, (found, cure) in _MARKS.items():
        seconds = sum(flag in reading["flags"] for reading in levels)
        if seconds:
            yield warned(flag, f"{found} in {seconds} of {len(levels)} s", cure)


def _clap(quiet: list[Payload], heard: Iterator[Payload], board: dict[str, Any]) -> Check:
    """Listens until both levels have jumped."""
    rises_db = {"lafmax": 0.0, "lcpeak": 0.0}
    for reading in heard:
        for name, highest_db in rises_db.items():
            before_db = min(second[name] for second in quiet)
            rises_db[name] = max(highest_db, (reading[name] or 0.0) - before_db)
        if min(rises_db.values()) >= CLAP_DB:
            break
    found = f"LAFmax rose by {rises_db['lafmax']:.0f} dB, LCpeak by {rises_db['lcpeak']:.0f}"
    if min(rises_db.values()) < CLAP_DB:
        return failed(
            "clap",
            f"{found}, and a clap makes {CLAP_DB:g}",
            "clap nearer, or in a quieter room; if it stays so, free the sound port of the "
            f"{board['microphone']} of film, glue and housing",
        )
    return passed("clap", found)
