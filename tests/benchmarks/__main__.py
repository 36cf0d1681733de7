"""`make bench`: every figure that the README claims, measured again.

    python tests/benchmarks [NAME…]    all, or those named

Times are ratios to something measured in the same run: these machines are shared.
"""

import importlib
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), *(str(HERE.parent / room) for room in ("", "host", "system"))]

BENCHMARKS = (
    ("standard_figures", "IEC 61672-1, the whole chain through the firmware"),
    ("kernel_cost", "instructions on the chips' real machine code"),
    ("real_time", "speed on this PC"),
    ("heap", "Python heap of the running box"),
    ("journal_flash", "flash wear and capacity of the journal"),
    ("station", "the station under load, Mosquitto and SQLite alone beside it"),
    ("revoked", "a box that is struck off the register, until it is out"),
    ("deploy_again", "a deploy of what is there already, mpremote alone beside it"),
    ("simulated_calibration", "what calibration is worth, 500 simulated boxes"),
)


def main(wanted: list[str]) -> None:
    for name, title in BENCHMARKS:
        if not wanted or name in wanted:
            print(f"## {title}", flush=True)
            importlib.import_module(name).main()


if __name__ == "__main__":
    main(sys.argv[1:])
