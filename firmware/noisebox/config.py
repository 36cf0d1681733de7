"""The box's configuration: defaults, what is wrong with a file, what holds then.

Beside `config.json` lies its last good copy, so that a file that is torn or edited badly changes
nothing: the box goes on with what it had, and says so.
"""

import binascii
import hashlib
import json

from micropython import const

from noisebox import checked, posix_tz, schedule, timetable

LAST_GOOD = ".last"

_SLUG = const("abcdefghijklmnopqrstuvwxyz0123456789-")
_MODES = const(("number", "bar", "off"))


def _slug(value):
    if not isinstance(value, str) or not 0 < len(value) <= 32 or value.strip(_SLUG):
        raise checked.Wrong(value, "is not 1 to 32 of a-z, 0-9 and -")


def _mode(value):
    if value not in _MODES:
        raise checked.Wrong(value, "is not one of " + ", ".join(_MODES))


def _flag(value):
    if not isinstance(value, bool):
        raise checked.Wrong(value, "is not true or false")


# Section, key, default, and the rule: (lowest, highest) of a whole number, or a function that
# raises ValueError for a bad value.
_CONFIG = (
    ("", "box", "box", _slug),
    ("", "place", "", checked.text),
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


def _schedule():
    """The default: 70 dB by day, 55 dB by night, no exceptions (DESIGN 4.3)."""
    return {
        "rows": [
            {"days": "1234567", "from": "06:00", "to": "22:00", "limit": 70},
            {"days": "1234567", "from": "22:00", "to": "06:00", "limit": 55},
        ],
        "exceptions": [],
    }


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
            return checked.wrong(name, value, row[3])
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


def _judged(data):
    """(config as written or None, problems) of a file's bytes."""
    try:
        config = checked.parsed(data)
        found = problems(config)
    except checked.UNREADABLE:
        return None, [checked.NO_JSON]
    return (None if found else config), found


def load(files, path):
    """(whole config, problems). A bad file gives way to the last good one, that to the defaults.

    A good file becomes the last good copy. Without either the defaults hold and nothing is wrong.
    """
    data, last = checked.read(files, path), checked.read(files, path + LAST_GOOD)
    found = []
    if data is not None:
        config, found = _judged(data)
        if config is not None:
            if data != last:
                try:
                    checked.write(files, path + LAST_GOOD, data)
                except OSError as error:
                    found.append("{}{}: not written: {}".format(path, LAST_GOOD, error))
            return merged(config), found
        found = [path + ": " + problem for problem in found]
    if last is not None:
        config, causes = _judged(last)
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
    if len(data) > checked.MAX_BYTES:
        return ["{}: longer than {} bytes".format(path, checked.MAX_BYTES)]
    try:
        checked.write(files, path, data)
        checked.write(files, path + LAST_GOOD, data)
    except OSError as error:
        return ["{}: not written: {}".format(path, error)]
    return []
