"""Options that several commands share, and how a person writes their values."""

import json
import math
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from noisewarden.errors import UserError
from noisewarden.firmware import config as settings
from noisewarden.urls import tells_password


class Number(click.FloatRange):
    """A number in a range, which NaN is not."""

    name = "number"

    def convert(self, value: Any, param: Any, ctx: Any) -> float:
        number = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value!r} is not a valid {self.name}.", param, ctx)
        return number


class Whole(click.IntRange):
    """A whole number in a range."""

    name = "whole number"


class Text(click.ParamType):
    """Text on one line, without blanks around it. The wide space of Chinese and the one that does
    not break become plain ones: boxes and stations take printable characters alone."""

    name = "text"

    def convert(self, value: str, param: Any, ctx: Any) -> str:
        text = re.sub("[\u00a0\u3000]", " ", value).strip()
        if not text.isprintable():
            self.fail(f"{value!r} is not text on one line", param, ctx)
        return text


port = click.option(
    "--port", required=True, metavar="PORT", help="Serial port of the box: /dev/ttyUSB0, COM3 …"
)
board_there = click.option(
    "--board",
    "name",
    required=True,
    metavar="NAME",
    help="Which board is on the port (see noisewarden boards).",
)
sensitivity = click.option(
    "--sensitivity",
    type=Number(-60.0, 0.0),
    metavar="DBFS",
    help="What the recording's microphone gives at 94 dB, in dB re a full-scale sine. "
    "Without it -26, that of the virtual microphone: a full-scale sine is 120 dB.",
)
limit = click.option(
    "--limit",
    type=Whole(30, 100),
    metavar="DB",
    help="One limit at all hours instead of the box's schedule (70 dB by day, 55 dB by night).",
)
config_file = click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A config.json as a box reads it: schedule, stages, spotlight hours, display.",
)


board = click.option(
    "--board",
    default="virtual",
    show_default=True,
    metavar="NAME",
    help="The board file to run: its microphone, matrix and pins (see noisewarden boards).",
)
state = click.option(
    "--state",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Where the box keeps its flash, and so its journal; a folder that vanishes without it.",
)


def without_password(
    context: click.Context, option: click.Parameter, url: str | None
) -> str | None:
    """The URL; wrong use when it brings a password where every user of the computer reads it."""
    typed = context.get_parameter_source(option.name or "") is ParameterSource.COMMANDLINE
    if typed and url and tells_password(url):
        raise click.UsageError(
            f"{option.opts[0]}: its password would stand in every list of processes"
        )
    return url


database = click.option(
    "--database",
    "database_url",
    callback=without_password,
    metavar="URL",
    help="The station's database, when it is not in its data folder: "
    "postgresql+psycopg://USER@HOST/NAME (password in ~/.pgpass).",
)


class StartTime(click.ParamType):
    """20:00 (today) or 2026-06-07T20:00, local time of the box."""

    name = "time"

    def convert(self, value: Any, param: Any, ctx: Any) -> datetime:
        for form in ("%H:%M", "%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"):
            try:
                time = datetime.strptime(value, form)
            except ValueError:
                continue
            today = datetime.now()
            if "%Y" not in form:
                time = time.replace(year=today.year, month=today.month, day=today.day)
            if not 2024 <= time.year <= 2099:
                raise click.BadParameter(f"{value}: the year must be 2024 to 2099")
            return time
        raise click.BadParameter(f"{value}: not a time; write 20:00 or 2026-06-07T20:00")


def read_config(path: Path | None, limit_db: int | None) -> dict[str, Any]:
    """The config of a virtual box; UserError with every wrong key when the file is not good."""
    config: dict[str, Any] = {}
    if path:
        try:
            config = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise UserError(f"{path}: cannot be read ({error.strerror}); check the name") from None
        except (ValueError, RecursionError) as error:
            raise UserError(f"{path}: is not JSON ({error}); correct it there") from None
        problems = settings.problems(config)
        if problems:
            raise UserError(f"{path}: " + "; ".join(problems) + "; correct it there")
    if limit_db is not None:
        whole_day = {"days": "1234567", "from": "00:00", "to": "00:00", "limit": limit_db}
        config = config | {"schedule": {"rows": [whole_day], "exceptions": []}}
    return config
