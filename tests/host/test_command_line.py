"""The command line as somebody new to it meets it: what it says, and what it says of mistakes."""

import getpass
import shlex
import sys
from pathlib import Path

import click
import pytest
from noisewarden import cli
from noisewarden.cli import COMMANDS
from noisewarden.urls import tells_password


def run(line: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """Exit code, output and errors of `noisewarden` and these words."""
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as end:
        patch.setattr(sys, "argv", ["noisewarden", *shlex.split(line)])
        cli.main()
    said = capsys.readouterr()
    return int(end.value.code or 0), said.out, said.err


@pytest.fixture(scope="module", params=COMMANDS)
def command(request: pytest.FixtureRequest) -> click.Command:
    found = cli.cli.get_command(click.Context(cli.cli), request.param)
    assert found
    return found


def test_the_list_of_commands_ends_no_line_in_the_middle(capsys):
    code, output, _ = run("--help", capsys)
    listed = output.partition("Commands:\n")[2].splitlines()
    assert code == 0 and [line.split()[0] for line in listed] == list(COMMANDS)
    assert all(line.endswith(".") and not line.endswith("...") for line in listed), output


def test_each_option_says_what_it_takes_and_what_it_is_for(command):
    context = click.Context(command)
    for option in command.params:
        if isinstance(option, click.Option):
            assert option.help, option.name
            assert "None" not in "".join(option.get_help_record(context) or ()), option.name
            taken = option.make_metavar(context)
            assert "RANGE" not in taken and taken not in ("FLOAT", "INTEGER", "PATH"), option.name


BOX = "--board virtual --box b --place p"
REFERENCE = "--port none --serial 1 --class 1"
LONG = 300 * "d"
"""A folder whose name cannot even be looked for, as one in a folder of somebody else."""
OPEN = "postgresql+psycopg://me:hunter2@host/name"


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        # A folder where a file is wanted, and the other way round.
        ("replay folder", 1, "folder: is a folder; name one WAV file in it"),
        ("replay none.wav --config folder", 1, "folder: cannot be read (Is a directory); check"),
        ("box --state text", 2, "'text' is a file"),
        ("boards --check folder", 1, "folder: cannot be read (Is a directory); check the path"),
        ("flash --board esp32-devkitc --port none --image folder", 1, "folder: cannot be read"),
        ("collect --port none --csv x.csv --secret folder", 1, "folder: cannot be read"),
        ("collect --port none --data text", 1, "text: is no folder to write to (File exists)"),
        (f"provision --port none {BOX} --no-wifi --data text", 1, "text: is no folder to write"),
        (f"calibrate {REFERENCE} --check --gm1356 --write-noise text", 1, "text: cannot be"),
        ("serve --data text --http 127.0.0.1:0", 1, "text: is no folder to write to"),
        (f"serve --data {LONG} --http 127.0.0.1:0", 1, "to write to (File name too long)"),
        # Ports that are none.
        ("deploy --port folder --board virtual", 1, "folder: is no serial port that can be used"),
        ("collect --port text --csv x.csv", 1, "text: is no serial port that can be used"),
        (f"calibrate {REFERENCE} --check --calibrator 94", 1, "none: no such port; plug in the"),
        # What is in a file.
        ("replay none.wav --config wrong.json", 1, "b: unknown key; correct it there"),
        ("box --config list.json", 1, "list.json: is not an object; correct it there"),
        ("demo --no-browser --wav text", 1, "text: is not a WAV file; convert it"),
        # Numbers and words that are none.
        ("replay none.wav --sensitivity nan", 2, "'nan' is not a valid number"),
        ("replay none.wav --limit loud", 2, "'loud' is not a valid whole number"),
        ("replay none.wav --start 2026-02-30T10:00", 2, "not a time; write 20:00 or 2026"),
        ("demo --boxes 0", 2, "0 is not in the range 1<=x<=1000"),
        (f"calibrate {REFERENCE} --check --calibrator nan", 2, "'nan' is not a valid number"),
        ("collect --port none --csv x.csv --follow --seconds -1", 2, "-1.0 is not in the range"),
        ("serve --http somewhere", 2, "is not HOST:PORT, such as 127.0.0.1:8080"),
        ("doctor --only ears", 2, "'ears' is not one of 'port'"),
        ("boards esp8266", 1, "there is none of this name; known are esp32"),
        ("dance", 2, "No such command 'dance'; noisewarden --help tells more"),
        # Databases and passwords.
        ("collect --port none --database nonsense", 1, "no database has such a URL; write it as"),
        ("collect --port none --database sqlite:///folder", 1, "check the disk, and who may"),
        (f"collect --port none --database {OPEN}", 2, "in every list of processes"),
        (f"provision --port none {BOX} --database {OPEN}", 2, "in every list of processes"),
        (f"serve --database {OPEN}", 2, "in every list of processes"),
        ("serve --broker mqtts://me:hunter2@host", 2, "in every list of processes"),
        (
            f"provision --port none {BOX} --wifi S --station h --data d",
            2,
            "no terminal to ask its password at; give --wifi-password-file",
        ),
    ],
)
def test_a_mistake_is_one_line_with_its_cure(line, code, words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    # What Python does where there is no terminal; whoever runs this may have one.
    monkeypatch.setattr(getpass, "getpass", getpass.fallback_getpass)
    Path("folder").mkdir()
    Path("text").write_text("neither sound nor keys\n")
    Path("wrong.json").write_text('{"box": "a", "b": 1}')
    Path("list.json").write_text("[]")
    ended, output, errors = run(line, capsys)
    assert (ended, output, errors.count("\n")) == (code, "", 1), errors
    assert errors.startswith("noisewarden: ") and words in errors
    assert "hunter2" not in errors
    made = {path.name for path in tmp_path.iterdir()}
    assert made == {"folder", "text", "wrong.json", "list.json"}


@pytest.mark.parametrize(
    ("url", "tells"),
    [
        (OPEN, True),
        ("postgresql+psycopg:///name?host=/run&password=hunter2", True),
        ("postgresql+psycopg:///name?sslpassword=hunter2", True),
        ("postgresql+psycopg://me@host/name", False),
        ("postgresql+psycopg:///name?passfile=/etc/pgpass", False),
        ("mqtt://127.0.0.1:1884", False),
        ("mqtts://[::1", False),
    ],
)
def test_a_password_in_a_url_is_found(url, tells):
    assert tells_password(url) == tells
