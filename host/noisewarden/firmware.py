"""The rooms of the firmware that the host shares: one codec, both runtimes.

`from noisewarden.firmware import wire` gives the very module that the box runs. MicroPython's
`const` is the only thing CPython lacks for them.
"""

import importlib
import sys
import types
from typing import Any

from noisewarden.paths import FIRMWARE


def _shared(name: str) -> Any:
    if "micropython" not in sys.modules:
        shim = types.ModuleType("micropython")
        shim.const = lambda value: value  # type: ignore[attr-defined]
        sys.modules["micropython"] = shim
    if str(FIRMWARE) not in sys.path:
        sys.path.append(str(FIRMWARE))
    return importlib.import_module(f"noisebox.{name}")


def __getattr__(name: str) -> Any:
    try:
        return _shared(name)
    except ModuleNotFoundError as error:
        raise AttributeError(name) from error
