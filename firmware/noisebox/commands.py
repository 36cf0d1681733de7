"""What can be asked of a box from afar or over USB: each command is answered once with a result.

A command is {"id": …, "action": …, …}; the result {"id", "outcome": "done" | "refused", "detail"}.
Whether the sender may ask at all is the link's business: a person at the USB console owns the box
anyway.
"""

from micropython import const

_REMEMBERED = const(16)
_MAX_TEXT = const(64)
_MAX_SHOW_S = const(600)
_MAX_COMPARE_S = const(600)
"""Then a box whose technician's laptop has gone is itself again."""


class Refused(Exception):
    """Why a command was not done, in words for the officer."""


def _whole(command, key, lowest, highest):
    value = command.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or not lowest <= value <= highest:
        raise Refused("{} must be a whole number from {} to {}".format(key, lowest, highest))
    return value


def _text(command, key):
    value = command.get(key)
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_TEXT:
        raise Refused("{} must have 1 to {} characters".format(key, _MAX_TEXT))
    return value


def _object(command, key):
    value = command.get(key)
    if not isinstance(value, dict):
        raise Refused(key + " must be an object")
    return value


class Commands:
    """They are carried out by

    box     spotlight_on(seconds), spotlight_off(), show_text(text, seconds), identify(seconds),
            compare(seconds)
    system  set_time(unix_s), set_config(config), set_calibration(calibration),
            void_calibration(reason), self_test(), reboot()

    each of which raises Refused or returns a detail or None.
    """

    def __init__(self, box, system):
        self._box = box
        self._system = system
        self._answered = []

    def run(self, command, refusal=None):
        """The result of `command` as a dict, or None when its id was answered before.

        refusal   why it may not be done, where the link has found a reason
        """
        identity = command.get("id")
        if (
            not isinstance(identity, (str, int))
            or isinstance(identity, bool)
            or len(str(identity)) > 40
        ):
            return {
                "id": None,
                "outcome": "refused",
                "detail": "id must be a number or a short text",
            }
        if identity in self._answered:
            return None
        self._answered.append(identity)
        if len(self._answered) > _REMEMBERED:
            self._answered.pop(0)
        try:
            if refusal:
                raise Refused(refusal)
            detail = self._act(command)
        except Refused as error:
            return {"id": identity, "outcome": "refused", "detail": str(error)}
        except (MemoryError, RuntimeError):  # RuntimeError: brackets nested too deep to be told
            return {"id": identity, "outcome": "refused", "detail": "too little memory"}
        return {"id": identity, "outcome": "done", "detail": detail or ""}

    def _act(self, command):
        action = command.get("action")
        box, system = self._box, self._system
        if action == "spotlight_on":
            return box.spotlight_on(_whole(command, "seconds", 1, 120))
        if action == "spotlight_off":
            return box.spotlight_off()
        if action == "show":
            return box.show_text(
                _text(command, "text"), _whole(command, "seconds", 1, _MAX_SHOW_S)
            )
        if action == "identify":
            return box.identify(_whole(command, "seconds", 1, _MAX_SHOW_S))
        if action == "set_time":
            return system.set_time(_whole(command, "time", 0, 0xFFFFFFFF))
        if action == "set_config":
            return system.set_config(_object(command, "config"))
        if action == "compare":
            return box.compare(_whole(command, "seconds", 0, _MAX_COMPARE_S))
        if action == "set_calibration":
            return system.set_calibration(_object(command, "calibration"))
        if action == "void_calibration":
            return system.void_calibration(_text(command, "reason"))
        if action == "self_test":
            return system.self_test()
        if action == "reboot":
            return system.reboot()
        raise Refused("unknown action {}".format(action))
