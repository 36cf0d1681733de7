"""The one entry point, `noisewarden`; each command is a module of `noisewarden.commands`.

Exit codes: 0 done, 1 the work failed, 2 wrong use. What a person can cause ends in one line.
"""

import importlib
import os
import sys

import click

from noisewarden import __version__
from noisewarden.errors import UserError

COMMANDS = (
    "demo",
    "replay",
    "box",
    "boards",
    "flash",
    "deploy",
    "provision",
    "doctor",
    "calibrate",
    "collect",
    "serve",
)


class Commands(click.Group):
    """Loads a command's module only when it is asked for, so that `--help` answers at once."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        return importlib.import_module(f"noisewarden.commands.{cmd_name}").command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="noisewarden")
def cli() -> None:
    """Street noise measured, shown, warned about and kept as evidence.

    Begin with `noisewarden demo`: a square without a board, its station and its pages.
    `noisewarden replay FILE.wav` tries limits on a recording before a street has to obey them.
    """


def main() -> None:
    try:
        code = cli(standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except UserError as error:
        click.echo(f"noisewarden: {error}", err=True)
        sys.exit(1)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(error.exit_code)
    except click.ClickException as error:
        click.echo(f"noisewarden: {_one_line(error)}", err=True)
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("stopped", err=True)
        sys.exit(130)
    except BrokenPipeError:
        # The reader of a pipe (head, less) has gone, which is no fault; Python would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)


def _one_line(error: click.ClickException) -> str:
    text = error.format_message().rstrip(".")
    if isinstance(error, click.UsageError) and error.ctx:
        return f"{text}; {error.ctx.command_path} --help tells more"
    return text
