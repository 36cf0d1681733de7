"""Reference meters: typed in, live, a calibrator, or the log that a meter wrote."""

import codecs
from pathlib import Path

import numpy as np

from noisewarden.bench.meters import log_csv, log_ip900, log_xl2
from noisewarden.bench.meters.protocol import Log
from noisewarden.errors import UserError

LOGS = (log_xl2, log_ip900, log_csv)
"""The first that recognises a file reads it; any table may be plain CSV, so that comes last."""

_MOST_BYTES = 50_000_000


def read_log(path: Path) -> Log:
    """The log of a meter, of whichever kind it is.

    UserError for a file that cannot be read, is of no known kind, has no A-weighted level, or has
    not one a second.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise UserError(f"{path}: too long for a log of a calibration; cut out the hour of it")
        data = path.read_bytes()
    except OSError as error:
        raise UserError(
            f"{path}: cannot be read ({error.strerror}); name the meter's log"
        ) from None
    lines = _decoded(data).splitlines()
    for kind in LOGS:
        if kind.recognises(lines):
            try:
                log = kind.read(lines)
            except UserError as error:
                raise UserError(f"{path}: {error}") from None
            _check_times(path, log)
            return log
    raise UserError(
        f"{path}: not a log that is known; export from the meter as text or CSV with a time and "
        "LAeq a second"
    )


def _decoded(data: bytes) -> str:
    """Meters and spreadsheets here write UTF-8, UTF-16 with its mark, or GB 18030; figures and
    separators survive in any other."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("gb18030", "replace")


def _check_times(path: Path, log: Log) -> None:
    times_s = log.course.times_s
    if len(times_s) < 2 or np.isnan(log.course.levels_db).all():
        raise UserError(f"{path}: no levels in it; let the meter log while the box is calibrated")
    step_s = float(np.median(np.diff(times_s)))
    if not 0.9 <= step_s <= 1.1:
        raise UserError(
            f"{path}: a level every {step_s:g} s; set the meter to log LAeq each second"
        )
