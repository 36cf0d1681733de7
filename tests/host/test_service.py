"""The service of docs/station.md: systemd takes it, and `serve` takes its options."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest
from noisewarden.commands.serve import command

DOCS = Path(__file__).resolve().parents[2] / "docs"
HOME = "/var/lib/noisewarden"
NOISEWARDEN = Path(sys.executable).with_name("noisewarden")


def unit(page: str) -> str:
    (found,) = re.findall(r"```ini\n(.*?)```", (DOCS / page).read_text("utf-8"), re.DOTALL)
    return found


@pytest.fixture
def service() -> dict[str, str]:
    parser = ConfigParser(interpolation=None, strict=False)  # DeviceAllow= stands twice
    parser.optionxform = str  # names as they are written
    parser.read_string(unit("station.md"))
    return dict(parser["Service"])


def test_both_languages_have_the_same_unit():
    assert unit("station.md") == unit("station.zh-CN.md")


def test_it_starts_serve_with_options_that_there_are_in_the_folder_of_its_user(service):
    program, name, *words = shlex.split(service["ExecStart"])
    assert (Path(program).name, name) == ("noisewarden", "serve")
    with command.make_context(name, words) as context:
        assert context.params["folder"] == Path(HOME)
    assert service["StateDirectory"] == Path(HOME).name
    assert f"--home {HOME}" in (DOCS / "station.md").read_text("utf-8")
    assert (service["StateDirectoryMode"], service["UMask"]) == ("0700", "0077")


def test_systemd_takes_every_line_and_finds_it_shut_in(tmp_path):
    if not shutil.which("systemd-analyze") and not os.environ.get("CI"):
        pytest.skip("no systemd on this computer")
    program = "/opt/noisewarden/bin/noisewarden"
    path = tmp_path / "noisewarden.service"
    path.write_text(unit("station.md").replace(program, str(NOISEWARDEN)))
    verified = subprocess.run(["systemd-analyze", "verify", path], capture_output=True, text=True)
    assert verified.returncode == 0 and path.name not in verified.stderr, verified.stderr
    # Of 10; what is left is the network, which it is there for.
    shut_in = ["systemd-analyze", "security", "--offline=true", "--threshold=25", path]
    subprocess.run(shut_in, check=True, capture_output=True)
