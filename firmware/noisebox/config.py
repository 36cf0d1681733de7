"""The box's configuration and calibration: defaults, what is wrong with a file, what holds then.

Files are handed in as an object with `open` and `rename`. Beside `config.json` lies its last good
copy, so that a file that is torn or edited badly changes nothing: the box goes on with what it
had, and says so. Every problem is one line `key: value is not …`.
"""

import binascii
import hashlib
import json

from micropython import const

from noisebox import posix_tz, schedule, timetable, zone

_MAX_BYTES = const(8192)
MAX_OFFSET_DB = const(15)
"""A calibration that needs more is a wrong microphone entry or a covered port, not a tolerance."""
LAST_GOOD = ".last"
_NEW = const(".new")

# Beside what is no JSON: MicroPython's takes keys that are no text, and any depth of nesting.
_UNREADABLE = (ValueError, TypeError, RuntimeError)

_MAX_TEXT = const(60)
_SLUG = const("abcdefghijklmnopqrstuvwxyz0123456789-")
_MODES = const(("number", "bar", "off"))


def _whole(value, lowest, highest):
    if not isinstance(value, int) or isinstance(value, bool) or not lowest <= value <= highest:
        raise _Wrong(value, "is not a whole number from {} to {}".format(lowest, highest))


def _text(value):
    if not isinstance(value, str) or len(value) > _MAX_TEXT:
        raise _Wrong(value, "is not a text of at most {} characters".format(_MAX_TEXT))


def _slug(value):
    if not isinstance(value, str) or not 0 < len(value) <= 32 or value.strip(_SLUG):
        raise _Wrong(value, "is not 1 to 32 of a-z, 0-9 and -")


def _mode(value):
    if value not in _MODES:
        raise _Wrong(value, "is not one of " + ", ".join(_MODES))


def _flag(value):
    if not isinstance(value, bool):
        raise _Wrong(value, "is not true or false")


def _decibels(value, lowest):
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not lowest <= value <= MAX_OFFSET_DB:
        raise _Wrong(value, "is not a number from {} to {} dB".format(lowest, MAX_OFFSET_DB))


def _offset(value):
    _decibels(value, -MAX_OFFSET_DB)


def _uncertainty(value):
    _decibels(value, 0)


class _Wrong(ValueError):
    def __init__(self, value, cause):
        shown = "a list or object" if isinstance(value, (dict, list)) else repr(value)[:40]
        super().__init__("{} {}".format(shown, cause))


# Section, key, default, and the rule: (lowest, highest) of a whole number, or a function that
# raises ValueError for a bad value.
_CONFIG = (
    ("", "box", "box", _slug),
    ("", "place", "", _text),
    ("", "zone", "CST-8", posix_tz.read),
    ("stages", "window_s", 10, (1, 60)),
    ("stages", "over_at_least_s", 5, (1, 60)),
    ("stages", "spotlight_after_s", 20, (1, 3600)),
    ("stages", "referral_after_s", 120, (1, 3600)),
    ("stages", "reminders", 5, (1, 20)),
    ("stages", "reminders_within_s", 600, (1, 7200)),
    ("stages", "margin_db", 1, (0, 10)),
    ("stages", "clear_after_s", 10, (1, 600)),
    ("stages", "incident_after_s", 600, (1, 7200)),
    ("stages", "hold_s", 10, (0, 60)),
    ("spotlight", "from", "06:00", schedule.minute_of),
    ("spotlight", "to", "22:00", schedule.minute_of),
    ("display", "mode", "number", _mode),
    ("display", "brightness", 100, (1, 100)),
    ("display", "night_brightness", 25, (1, 100)),
    ("display", "night_from", "22:00", schedule.minute_of),
    ("display", "night_to", "06:00", schedule.minute_of),
    ("display", "show_limit", True, _flag),
)
_SECTIONS = ("stages", "spotlight", "display")

_CALIBRATION = (
    ("offset_db", _offset),
    ("uncertainty_db", _uncertainty),
    ("date", timetable.day_of),
    ("expires", timetable.day_of),
    ("meter", _text),
    ("certificate", _text),
    ("by", _text),
)
_VOID = (("offset_db", _offset), ("void", _text))
"""What takes its place when a check has found that it no longer holds, and why."""


def _schedule():
    """The default: 70 dB by day, 55 dB by night, no exceptions (DESIGN 4.3)."""
    return {
        "rows": [
            {"days": "1234567", "from": "06:00", "to": "22:00", "limit": 70},
            {"days": "1234567", "from": "22:00", "to": "06:00", "limit": 55},
        ],
        "exceptions": [],
    }


def _wrong(name, value, rule):
    """The problems with one value: a list of one line, or of none."""
    try:
        if isinstance(rule, tuple):
            _whole(value, *rule)
        else:
            rule(value)
    except ValueError as error:
        return ["{}: {}".format(name, error)]
    return []


def problems(config):
    """What is wrong with a configuration as written, one line each; every key is optional."""
    if not isinstance(config, dict):
        return ["is not an object"]
    found = []
    for name in config:
        if name == "schedule":
            continue
        section = config[name]
        if name not in _SECTIONS:
            found += _problems_of_key("", name, section)
        elif isinstance(section, dict):
            for key in section:
                found += _problems_of_key(name, key, section[key])
        else:
            found.append("{}: is not an object".format(name))
    if "schedule" in config:
        found += timetable.problems(config["schedule"])
    return found or _contradictions(merged(config)["stages"])


def _problems_of_key(section, key, value):
    name = section + "." + key if section else key
    for row in _CONFIG:
        if row[0] == section and row[1] == key:
            return _wrong(name, value, row[3])
    return [name + ": unknown key"]


def _contradictions(stages):
    found = []
    for smaller, larger in (
        ("over_at_least_s", "window_s"),
        ("spotlight_after_s", "referral_after_s"),
    ):
        if stages[smaller] > stages[larger]:
            found.append("stages.{}: {} is more than {}".format(smaller, stages[smaller], larger))
    return found


def merged(config):
    """The whole configuration: what is written in `config` (a good one), defaults for the rest."""
    whole = {name: {} for name in _SECTIONS}
    for section, key, default, _ in _CONFIG:
        written = config.get(section, {}) if section else config
        (whole[section] if section else whole)[key] = written.get(key, default)
    whole["schedule"] = _schedule()
    whole["schedule"].update(config.get("schedule", {}))
    return whole


def digest(config):
    """SHA-256 in hex of a whole configuration, the same whatever the order of its keys: by it a
    station knows which one a box goes by."""
    found = hashlib.sha256()
    _add(found, "", config)
    return binascii.hexlify(found.digest()).decode()


def _add(found, path, value):
    if isinstance(value, dict):
        for key in sorted(value):
            _add(found, path + "." + key, value[key])
    elif isinstance(value, list):
        for index, entry in enumerate(value):
            _add(found, "{}.{}".format(path, index), entry)
    else:
        found.update("{}={}\n".format(path, value).encode())


def rules(config):
    """(Zone, Schedule) of a whole configuration."""
    return posix_tz.read(config["zone"]), timetable.read(config["schedule"])


def _read(files, path):
    """The bytes of a file, or None when it is not there or cannot be read."""
    try:
        with files.open(path, "rb") as file:
            size = file.seek(0, 2)
            file.seek(0)
            return file.read(min(size, _MAX_BYTES + 1))
    except OSError:
        return None


def _parsed(data):
    """What is in `data`; ValueError when it is no JSON, or too much."""
    if len(data) > _MAX_BYTES:
        raise ValueError
    return json.loads(data)


def _write(files, path, data):
    """Replaces a file so that a power cut leaves the old or the new one, whole."""
    with files.open(path + _NEW, "wb") as file:
        file.write(data)
    files.rename(path + _NEW, path)


def _checked(data):
    """(config as written or None, problems) of a file's bytes."""
    try:
        config = _parsed(data)
        found = problems(config)
    except _UNREADABLE:
        return None, ["not valid JSON, or longer than {} bytes".format(_MAX_BYTES)]
    return (None if found else config), found


def load(files, path):
    """(whole config, problems). A bad file gives way to the last good one, that to the defaults.

    A good file becomes the last good copy. Without either the defaults hold and nothing is wrong.
    """
    data, last = _read(files, path), _read(files, path + LAST_GOOD)
    found = []
    if data is not None:
        config, found = _checked(data)
        if config is not None:
            if data != last:
                try:
                    _write(files, path + LAST_GOOD, data)
                except OSError as error:
                    found.append("{}{}: not written: {}".format(path, LAST_GOOD, error))
            return merged(config), found
        found = [path + ": " + problem for problem in found]
    if last is not None:
        config, causes = _checked(last)
        if config is not None:
            found.append(path + ": the last good copy holds")
            return merged(config), found
        found += [path + LAST_GOOD + ": " + cause for cause in causes]
    if found:
        found.append(path + ": the defaults hold")
    return merged({}), found


def save(files, path, config):
    """Writes a good configuration. Returns the problems of a bad one, and then writes nothing."""
    found = problems(config)
    if found:
        return found
    data = json.dumps(config).encode()
    if len(data) > _MAX_BYTES:
        return ["{}: longer than {} bytes".format(path, _MAX_BYTES)]
    try:
        _write(files, path, data)
        _write(files, path + LAST_GOOD, data)
    except OSError as error:
        return ["{}: not written: {}".format(path, error)]
    return []


def calibration(files, path):
    """(offset_db, until, void, problems) of a calibration file.

    offset_db  is added to every level; that of an outdated calibration is still the best guess.
    until      seconds since 1970 at which its last day is over (UTC); 0 for one that is void or
               whose file is bad, None for a box that was never calibrated.
    void       why it was declared void, "" when it was not.
    """
    data = _read(files, path)
    if data is None:
        return 0.0, None, "", []
    try:
        written = _parsed(data)
        found = _problems_of_calibration(written)
    except _UNREADABLE:
        found = ["not valid JSON, or longer than {} bytes".format(_MAX_BYTES)]
    if found:
        return 0.0, 0, "", [path + ": " + problem for problem in found]
    if "void" in written:
        return written["offset_db"], 0, written["void"], []
    last_day = timetable.day_of(written["expires"]) - zone.day_number(1970, 1, 1)
    return written["offset_db"], (last_day + 1) * zone.DAY_S, "", []


def save_calibration(files, path, written):
    """Writes a good calibration, or one that is void. Returns the problems of a bad one, and then
    writes nothing."""
    found = _problems_of_calibration(written)
    if not found:
        try:
            _write(files, path, json.dumps(written).encode())
        except OSError as error:
            found = ["{}: not written: {}".format(path, error)]
    return found


def _problems_of_calibration(written):
    if not isinstance(written, dict):
        return ["is not an object"]
    found = []
    rows = _VOID if "void" in written else _CALIBRATION
    for key, rule in rows:
        found += _wrong(key, written[key], rule) if key in written else [key + ": is missing"]
    known = [key for key, _ in rows]
    found += ["{}: unknown key".format(key) for key in written if key not in known]
    # Dates of this form sort as texts.
    if not found and rows is _CALIBRATION and written["expires"] < written["date"]:
        found.append("expires: is before date")
    return found
