"""What a newcomer reads is true: links, commands, boards, pictures, and the measured figures."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks import journal_flash, kernel_cost, standard_figures
from noisewarden import boards
from noisewarden.cli import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
READMES = [ROOT / "README.md", ROOT / "README.zh-CN.md"]
GUIDES = [ROOT / "docs" / "bench.md", ROOT / "docs" / "bench.zh-CN.md"]
RUNNING = [ROOT / "docs" / "station.md", ROOT / "docs" / "station.zh-CN.md"]
TRANSLATED = [READMES, GUIDES, RUNNING]
PAGES = [*READMES, *sorted((ROOT / "docs").glob("*.md"))]
PICTURES = ROOT / "docs" / "pictures"
STATION = ROOT / "host" / "noisewarden" / "station"
ROOMS = {path.stem for path in (ROOT / "firmware" / "noisebox").glob("*.py")} - {"__init__"}


def page(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def numbers(text: str) -> set[str]:
    return set(re.findall(r"\d+(?:\.\d+)*", text))


def commands(text: str) -> list[str]:
    """What a reader would run, without the comments."""
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    return re.sub(r" *#.*", "", "".join(blocks)).splitlines()


def code(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_links_and_named_files_are_there(path):
    links = re.findall(r"\]\(([^)#]+)", page(path))
    for link in links:
        assert link.startswith("https://") or (path.parent / link).exists(), link
    named = re.findall(r"`((?:tests|docs|firmware|boards|host)/[\w./*-]+)`", page(path))
    for name in named:
        assert (ROOT / name).exists(), name


@pytest.mark.parametrize("path", GUIDES, ids=lambda path: path.name)
def test_what_a_technician_sees_is_what_a_message_says(path):
    said = "".join(page(source) for source in (ROOT / "host" / "noisewarden").rglob("*.py"))
    rows = page(path).partition("## 10.")[2].partition("|---")[2]
    # Of what the box itself shows the flag is in backquotes.
    seen = re.findall(r"^\| ([a-z][^|`]*?)(?: …)? \|", rows, re.MULTILINE)
    assert len(seen) == 8
    assert [words for words in seen if words not in said] == []


@pytest.mark.parametrize("path", READMES, ids=lambda path: path.name)
def test_every_command_that_is_shown_exists_and_none_is_missing(path):
    shown = set(re.findall(r"noisewarden ([a-z]+)", page(path)))
    assert shown == set(COMMANDS)
    targets = set(re.findall(r"make ([a-z]+)", page(path)))
    assert {"demo", "test", "bench"} <= targets
    rules = set(re.findall(r"^([a-z]+):", page(ROOT / "Makefile"), re.MULTILINE))
    assert targets <= rules


@pytest.mark.parametrize("command", COMMANDS)
def test_options_that_are_shown_are_those_of_the_command(command):
    run = subprocess.run(
        [sys.executable, "-c", "from noisewarden.cli import main; main()", command, "--help"],
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0
    for path in READMES:
        for line in page(path).splitlines():
            if re.search(rf"(?:noisewarden |`){command}\b", line):
                for option in re.findall(r"--[a-z]+", line):
                    assert option in run.stdout, f"{path.name}: {command} {option}"


@pytest.mark.parametrize("path", READMES, ids=lambda path: path.name)
def test_every_board_and_microphone_is_named_as_its_file_says(path):
    rows = page(path).splitlines()
    for board in boards.load_all():
        row = next(row for row in rows if row.startswith(f"| `{board['board']}` |"))
        assert row.endswith(f"| {board['arch']} |")
    for name, microphone in boards.microphones().items():
        if name != "flat":
            row = next(row for row in rows if row.startswith(f"| `{name}` |"))
            cells = [cell.strip() for cell in row.strip("|").split("|")[1:]]
            assert cells == [
                f"−{-microphone['sensitivity_dbfs']:g} dBFS",
                f"{microphone['noise_dba']:g} dB(A)",
                f"{microphone['overload_db']:g} dB",
                f"±{microphone['tolerance_db']:g} dB",
            ]


@pytest.mark.parametrize("pages", TRANSLATED, ids=lambda pages: pages[0].name)
def test_both_languages_say_the_same(pages):
    english, chinese = map(page, pages)
    assert commands(english) == commands(chinese)
    for mark in (r"^## ", r"^\| ", r"^- ", r"^```", r"^!\["):
        count = [len(re.findall(mark, text, re.MULTILINE)) for text in (english, chinese)]
        assert count[0] == count[1], mark
    assert numbers(english) == numbers(chinese)
    tables = [re.findall(r"^\| .*", text, re.MULTILINE) for text in (english, chinese)]
    for row, other in zip(*tables, strict=True):
        assert numbers(row) == numbers(other)
        assert code(row) == code(other)


@pytest.fixture(scope="module")
def figures() -> list[tuple[str, tuple[str, ...], list[str]]]:
    """(group, words that only its row has, figures in it) of what is the same in every run."""
    standard = standard_figures.measure()
    weighting = standard["frequency weighting (table 3)"]
    bursts = standard["tonebursts (table 4)"]
    decay = standard["decay (5.8.2)"]
    rows = {
        ("16 kHz",): [weighting[f"exact_{name}"] for name in "ACZ"],
        ("20 kHz",): [weighting["margin"]],
        ("LAFmax",): [bursts[f"margin_{name}"] for name in ("LAFmax", "LASmax", "LAE")],
        (" 5",): [standard["C-peak (table 5)"]["margin"]],
        ("F ", "S "): [decay["f_slowest"], decay["s_slowest"]],
        ("119 dB",): [standard["level linearity at 1 kHz (5.6)"]["deviation"]],
        ("≤ 10 dB",): [max(standard["self-noise"].values())],
    }
    found = [
        ("standard_figures", words, [f"{figure:.2f}" for figure in row])
        for words, row in rows.items()
    ]
    cost = {name: f"{figure:.0f}" for name, figure in kernel_cost.measure().items()}
    for arch, words in (("xtensawin", "xtensawin"), ("rv32imc", "RV32")):
        found.append(("kernel_cost", (words,), [cost[arch], cost[f"{arch}, all clipped"]]))
    journal = journal_flash.measure()
    for words, name in (("4 MB", "days held, at the least"), ("160", "bytes a minute record")):
        found.append(("journal_flash", (words,), [str(journal[name])]))
    return found


@pytest.mark.parametrize("path", READMES, ids=lambda path: path.name)
def test_the_figures_are_those_of_the_benchmarks(path, figures):
    for group, words, measured in figures:
        row = next(
            row
            for row in page(path).splitlines()
            if row.endswith(f"| `{group}` |") and all(word in row for word in words)
        )
        cell = row.split("|")[3]
        assert [number for number in measured if number not in numbers(cell)] == [], row


def test_the_pictures_are_those_of_the_firmware_and_the_board_files(tmp_path):
    subprocess.run([sys.executable, ROOT / "docs" / "pictures.py", tmp_path], check=True)
    assert sorted(path.name for path in PICTURES.glob("*.svg")) == sorted(
        path.name for path in tmp_path.iterdir()
    )
    for made in tmp_path.iterdir():
        assert page(PICTURES / made.name) == page(made), f"{made.name} is old: run `make pictures`"


def test_a_wiring_picture_names_each_pin_of_its_board_once():
    for board in boards.load_all():
        for path in PICTURES.glob(f"wiring.{board['board']}.*.svg"):
            drawn = re.findall(r">GPIO (\d+)<", page(path))
            assert sorted(map(int, drawn)) == sorted(board["pins"].values()), path.name


def rooms_of(head: str) -> set[str]:
    """Those that a table of the page about the rooms names, which begins with `head`."""
    text = page(ROOT / "docs" / "architecture.md")
    table = text.partition(f"| {head} |")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
    return {room for row in rows for room in re.findall(r"`(\w+)`", row)}


def test_every_room_of_the_station_is_in_the_page():
    found = {path.stem for path in STATION.iterdir() if not path.name.startswith("__")}
    assert rooms_of("in `host/noisewarden/station/`") == found


def test_every_room_of_the_box_is_in_the_page_and_in_the_picture():
    assert rooms_of("room") == ROOMS
    words = " ".join(re.findall(r">([^<]+)</text>", page(PICTURES / "house.svg")))
    assert set(re.findall(r"\w+", words)) >= ROOMS
