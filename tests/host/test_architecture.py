"""The arrows between the rooms of the house (DESIGN section 3)."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FIRMWARE = ROOT / "firmware"
HOST = ROOT / "host"

HARDWARE = {"machine", "network", "esp32", "neopixel"}
IMPURE = HARDWARE | {"asyncio", "time", "sys", "os", "socket", "tls", "gc"}
EDGE = {
    *("start", "setup", "app", "service", "hal", "microphone", "health"),
    *("links", "wifi", "mqtt", "station", "station_link"),
}
"""Rooms at the edge; every other room of the firmware is pure."""

ROOMS = sorted(
    path.stem for path in (FIRMWARE / "noisebox").glob("*.py") if path.stem != "__init__"
)
HOST_FILES = sorted(HOST.rglob("*.py"))


def imports(path: Path) -> set[str]:
    """Dotted names of all that `path` imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def roots(names: set[str]) -> set[str]:
    return {name.split(".")[0] for name in names}


@pytest.mark.parametrize("room", ROOMS)
def test_only_hal_knows_the_chip(room):
    hardware = roots(imports(FIRMWARE / "noisebox" / f"{room}.py")) & HARDWARE
    assert room == "hal" or not hardware


@pytest.mark.parametrize("room", sorted(set(ROOMS) - EDGE))
def test_a_pure_room_knows_no_hardware_network_or_time_and_no_edge(room):
    names = imports(FIRMWARE / "noisebox" / f"{room}.py")
    assert not roots(names) & IMPURE
    assert not {f"noisebox.{edge}" for edge in EDGE} & names


def test_nothing_imports_the_composition_root_but_the_start():
    importers = {
        room for room in ROOMS if "noisebox.app" in imports(FIRMWARE / f"noisebox/{room}.py")
    }
    assert importers == {"start"}


@pytest.mark.parametrize("path", [*FIRMWARE.rglob("*.py")], ids=lambda path: path.name)
def test_firmware_imports_nothing_of_the_host(path):
    assert "noisewarden" not in roots(imports(path))


@pytest.mark.parametrize("path", HOST_FILES, ids=lambda path: str(path.relative_to(HOST)))
def test_the_host_shares_pure_rooms_alone_and_knows_no_tests(path):
    names = imports(path)
    assert "tests" not in roots(names)
    shared = {
        n.removeprefix("noisewarden.firmware.")
        for n in names
        if n.startswith("noisewarden.firmware.")
    }
    assert shared <= set(ROOMS) - EDGE


@pytest.mark.parametrize("path", HOST_FILES, ids=lambda path: str(path.relative_to(HOST)))
def test_fakes_of_the_chip_live_in_virtual_alone(path):
    stands_in = path.stem in HARDWARE
    assert not stands_in or path.parent == HOST / "noisewarden/virtual/fakes"
