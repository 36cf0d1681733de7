"""Reads a time zone of POSIX.1-2017 section 8.3, as a config gives it, into a `zone.Zone`."""

from micropython import const

from noisebox.zone import HOUR_S, Zone

_RULE_HOURS = const(167)  # RFC 8536 lets the time of a rule reach a week beyond its day
_OFFSET_HOURS = const(24)


def read(text):
    """The Zone of `CST-8`, `<+08>-8`, `CET-1CEST,M3.5.0,M10.5.0/3`, southern zones too.

    A summer time must bring its rules, in the form M. ValueError, in one line, for anything else.
    """
    try:
        return _zone(text)
    except _Wrong as error:
        wrong = str(error)
    raise ValueError("{!r} is not a POSIX time zone such as CST-8: {}".format(text, wrong))


def _zone(text):
    if not isinstance(text, str):
        raise _Wrong("it is no text")
    names, *rules = text.split(",")
    west_s, at = _time(names, _name(names, 0), _OFFSET_HOURS)
    if at == len(names):
        if rules:
            raise _Wrong("rules, but no name of a summer time")
        return Zone(west_s)
    at = _name(names, at)
    summer_west_s = west_s - HOUR_S
    if at < len(names):
        summer_west_s, at = _time(names, at, _OFFSET_HOURS)
        if at < len(names):
            raise _Wrong("{!r} is left over".format(names[at:]))
    if len(rules) != 2:
        raise _Wrong("a summer time needs two rules, as in ,M3.5.0,M10.5.0/3")
    return Zone(west_s, summer_west_s, (_rule(rules[0]), _rule(rules[1])))


class _Wrong(Exception):
    """Which part of a TZ string is wrong, and how."""


def _name(text, at):
    """The place after the name that starts at `at`."""
    end = at
    if text[at : at + 1] == "<":
        end = text.find(">", at) + 1
        if end and end - at >= 5 and all(_in_name(letter) for letter in text[at + 1 : end - 1]):
            return end
    else:
        while end < len(text) and text[end].isalpha():
            end += 1
        if end - at >= 3:
            return end
    raise _Wrong("{!r} does not start with a name of 3 letters or more".format(text[at:]))


def _in_name(letter):
    return letter.isalpha() or letter.isdigit() or letter in "+-"


def _time(text, at, hours):
    """(seconds, the place after) of [+-]hh[:mm[:ss]] at `at`, up to `hours`."""
    start = at
    sign = 1
    if text[at : at + 1] in ("+", "-"):
        sign = -1 if text[at] == "-" else 1
        at += 1
    seconds = 0
    unit = HOUR_S
    while True:
        end = at
        while end < len(text) and text[end].isdigit():
            end += 1
        if not 0 < end - at <= 3:
            raise _Wrong("{!r} is not a time hh:mm:ss".format(text[start:]))
        part = int(text[at:end])
        if part > (hours if unit == HOUR_S else 59):
            raise _Wrong("{!r} is out of range".format(text[start:end]))
        seconds += part * unit
        unit //= 60
        if not unit or text[end : end + 1] != ":":
            return sign * seconds, end
        at = end + 1


def _rule(text):
    """(month, week, weekday 0 Sunday … 6, second of the day) of Mm.w.d[/time]."""
    day, *time = text.split("/")
    parts = day[1:].split(".")
    if day[:1] != "M" or len(parts) != 3 or len(time) > 1 or not all(p.isdigit() for p in parts):
        raise _Wrong("{!r} is not a rule Mm.w.d/time".format(text))
    month, week, weekday_0 = (int(part) for part in parts)
    if not (1 <= month <= 12 and 1 <= week <= 5 and weekday_0 <= 6):
        raise _Wrong("{!r} names no day".format(text))
    if not time:
        return month, week, weekday_0, 2 * HOUR_S
    second, end = _time(time[0], 0, _RULE_HOURS)
    if end < len(time[0]):
        raise _Wrong("{!r} is not a time hh:mm:ss".format(time[0]))
    return month, week, weekday_0, second
