"""`noisewarden replay`: a recording through the firmware of a box."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from noisewarden.commands import options
from noisewarden.commands.progress import progress
from noisewarden.errors import UserError
from noisewarden.stages import STAGES
from noisewarden.virtual import sound
from noisewarden.virtual.replay import Replay, virtual_board

_HEAD = "   time  LAeq   LAFmax LCpeak limit  shown  stage      lamp  flags"


@click.command(short_help="What a box would have made of a recording, second by second.")
@click.argument("recording", metavar="FILE.wav", type=click.Path(path_type=Path))
@options.limit
@options.sensitivity
@click.option(
    "--start",
    type=options.StartTime(),
    default="20:00",
    show_default=True,
    help="What the box's clock says at the start: 20:00, or 2026-06-07T20:00.",
)
@options.config_file
@click.option("--json", "as_json", is_flag=True, help="One JSON object a second, then a summary.")
def command(
    recording: Path,
    limit: int | None,
    sensitivity: float | None,
    start: datetime,
    config_path: Path | None,
    as_json: bool,
) -> None:
    """What a box would have measured, shown and done, second by second.

    Runs the real firmware over a recording: 16-, 24- or 32-bit PCM or float, any rate, the only or
    left channel. The levels are true when the sensitivity is that of the recorder.

    \b
    noisewarden replay street.wav --limit 65
    noisewarden replay street.wav --start 21:50 --sensitivity -31.5 --json
    """
    config = options.read_config(config_path, limit)
    seconds = int(sound.wav_seconds(recording))
    if not seconds:
        raise UserError(
            f"{recording}: lasts less than a second, which a box measures; record longer"
        )
    frames = sound.frames(sound.wav(recording))
    replay = Replay(frames, virtual_board(sensitivity_dbfs=sensitivity), config, start)
    if as_json:
        for row in replay:
            click.echo(json.dumps(row))
        click.echo(json.dumps({"summary": replay.summary()}))
        return
    console = Console(highlight=False, soft_wrap=True)
    console.print(_HEAD, style="bold")
    with progress("replaying", seconds, "s") as advance:
        for row in replay:
            console.print(_line(row))
            advance(1)
    for line in _summary(replay.summary()):
        console.print(line)


def _level(level_db: float | None) -> str:
    return "    --" if level_db is None else f"{level_db:6.1f}"


def _line(row: dict[str, Any]) -> Text:
    minutes, second = divmod(row["t"], 60)
    text = Text(f"{minutes:4}:{second:02}{_level(row['laeq'])} {_level(row['lafmax'])} ")
    text.append(f"{_level(row['lcpeak'])} {row['limit']:5}  ")
    colour = {"green": "bold green", "red": "bold red", "off": "dim"}[row["colour"]]
    text.append(f"{row['shown']:>5}  ", style=colour)
    text.append(f"{STAGES[row['stage']]:<10} {'LIT ' if row['spotlight'] else '    '}  ")
    return text.append(" ".join(row["flags"]), style="yellow")


def _summary(summary: dict[str, Any]) -> list[str]:
    stages = ", ".join(
        f"{name} {count} s"
        for name, count in zip(STAGES, summary["seconds_per_stage"], strict=True)
    )
    levels = "  ".join(
        f"{label} {_level(summary[key]).strip()}"
        for label, key in (
            ("LAeq", "laeq"),
            ("LAFmax", "lafmax"),
            ("LCpeak", "lcpeak"),
            ("L10", "l10"),
            ("L50", "l50"),
            ("L90", "l90"),
        )
    )
    return [
        "",
        f"{levels} dB  ({summary['valid_seconds']} of {summary['seconds']} s with a level)",
        f"{stages}; reminders {summary['reminders']}, referrals {summary['referrals']}, "
        f"incidents {summary['incidents']}, spotlight {summary['spotlight_seconds']} s",
    ]
