"""The calibration of a box: what its file says, and how long it holds."""

import json

from micropython import const

from noisebox import checked, timetable, zone

MAX_OFFSET_DB = const(15)
"""A calibration that needs more is a wrong microphone entry or a covered port, not a tolerance."""


def _decibels(value, lowest):
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not lowest <= value <= MAX_OFFSET_DB:
        raise checked.Wrong(
            value, "is not a number from {} to {} dB".format(lowest, MAX_OFFSET_DB)
        )


def _offset(value):
    _decibels(value, -MAX_OFFSET_DB)


def _uncertainty(value):
    _decibels(value, 0)


_WRITTEN = (
    ("offset_db", _offset),
    ("uncertainty_db", _uncertainty),
    ("date", timetable.day_of),
    ("expires", timetable.day_of),
    ("meter", checked.text),
    ("certificate", checked.text),
    ("by", checked.text),
)
_VOID = (("offset_db", _offset), ("void", checked.text))
"""What takes its place when a check has found that it no longer holds, and why."""


def load(files, path):
    """(offset_db, until, void, problems) of a calibration file.

    offset_db  is added to every level; that of an outdated calibration is still the best guess.
    until      seconds since 1970 at which its last day is over (UTC); 0 for one that is void or
               whose file is bad, None for a box that was never calibrated.
    void       why it was declared void, "" when it was not.
    """
    data = checked.read(files, path)
    if data is None:
        return 0.0, None, "", []
    try:
        written = checked.parsed(data)
        found = _problems(written)
    except checked.UNREADABLE:
        found = [checked.NO_JSON]
    if found:
        return 0.0, 0, "", [path + ": " + problem for problem in found]
    if "void" in written:
        return written["offset_db"], 0, written["void"], []
    last_day = timetable.day_of(written["expires"]) - zone.day_number(1970, 1, 1)
    return written["offset_db"], (last_day + 1) * zone.DAY_S, "", []


def save(files, path, written):
    """Writes a good calibration, or one that is void. Returns the problems of a bad one, and then
    writes nothing."""
    found = _problems(written)
    if not found:
        try:
            checked.write(files, path, json.dumps(written).encode())
        except OSError as error:
            found = ["{}: not written: {}".format(path, error)]
    return found


def _problems(written):
    if not isinstance(written, dict):
        return ["is not an object"]
    found = []
    rows = _VOID if "void" in written else _WRITTEN
    for key, rule in rows:
        found += (
            checked.wrong(key, written[key], rule) if key in written else [key + ": is missing"]
        )
    known = [key for key, _ in rows]
    found += ["{}: unknown key".format(key) for key in written if key not in known]
    # Dates of this form sort as texts.
    if not found and rows is _WRITTEN and written["expires"] < written["date"]:
        found.append("expires: is before date")
    return found
