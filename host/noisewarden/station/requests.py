"""What may be asked of a box from afar: by the box's own rules, before it is bothered."""

import json
from collections.abc import Callable
from typing import Any

from noisewarden.firmware import commands as box_commands
from noisewarden.firmware import config as box_config
from noisewarden.station.refusals import Refused

ACTIONS = (
    "spotlight_on",
    "spotlight_off",
    "show",
    "identify",
    "set_config",
    "set_time",
    "self_test",
    "reboot",
)
BODY_MOST_BYTES = 3500
"""So much fits a line of the console, and a packet of the box when it is sealed."""

DEPTH_MOST = 8
"""Of lists and objects in each other; those of a configuration are four."""

_OWN_KEYS = ("id", "counter", "expires", "action", "by")


class _Anything:
    """Stands for a box that does whatever it is asked: only the request itself can be refused."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *arguments: None

    def set_config(self, config: dict[str, Any]) -> None:
        problems = box_config.problems(config)
        if problems:
            raise box_commands.Refused("; ".join(problems))


def fault(content: dict[str, Any]) -> str:
    """Why nobody could keep or tell a content of JSON, "" when all is well."""
    if _is_deeper(content, DEPTH_MOST):
        return "is nested too deep"
    try:
        json.dumps(content, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError:  # JSON can name one, and no log could keep it
        return "has half a character"
    except ValueError:  # Python reads NaN and Infinity, which neither box nor browser can
        return "has a number that is none"
    return ""


def _is_deeper(value: Any, most: int) -> bool:
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(most == 0 or _is_deeper(part, most - 1) for part in parts)


def check(box: str, action: str, arguments: dict[str, Any]) -> None:
    """Refused when the box would refuse it, whatever state it is in."""
    if action not in ACTIONS:
        raise Refused("action", f"{action}: is none of {', '.join(ACTIONS)}")
    if arguments.keys() & _OWN_KEYS:
        raise Refused("arguments", f"{action}: {', '.join(_OWN_KEYS)} are no arguments; leave out")
    if wrong := fault(arguments):
        raise Refused("arguments", f"{action}: {wrong}; correct it")
    if len(json.dumps(arguments)) > BODY_MOST_BYTES:
        raise Refused("arguments", f"{action}: more than {BODY_MOST_BYTES} bytes; shorten it")
    rules = box_commands.Commands(_Anything(), _Anything())
    result = rules.run(arguments | {"id": 1, "action": action})
    if result["outcome"] == "refused":
        raise Refused("arguments", f"{action}: {result['detail']}; correct it")
    config = arguments.get("config")
    if isinstance(config, dict) and config.get("box") != box:
        raise Refused("arguments", f"{action}: a box's id is changed over USB alone; leave {box}")
