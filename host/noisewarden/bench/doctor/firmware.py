"""Whether the box runs the firmware of this computer, whole, and for its board."""

from collections.abc import Iterator
from typing import Any

from noisewarden import boards
from noisewarden.bench.doctor.check import Check, failed, passed, warned
from noisewarden.bench.doctor.prompt import Findings
from noisewarden.bench.manifest import Files, digests

BOARD = "board.json"
ROOMS = "noisebox"
_SHOWN = 3


def checks(findings: Findings, board: dict[str, Any], files: Files) -> Iterator[Check]:
    """`files` are those of this board (`manifest.bundle`)."""
    yield _firmware(findings, board["board"], files)
    yield _board(findings, board)


def _firmware(findings: Findings, name: str, files: Files) -> Check:
    wanted, here, manifest = digests(files), findings.survey.here, findings.manifest
    deploy = f"noisewarden deploy --board {name}"
    if manifest is None:
        there = "files without a whole manifest" if here.keys() & wanted.keys() else "none"
        return failed("firmware", f"was not deployed: there are {there}", deploy)
    if broken := [path for path, digest in manifest.items() if here.get(path) != digest]:
        return failed(
            "firmware",
            f"{len(broken)} of its {len(manifest)} files are damaged or missing ({_some(broken)})",
            deploy,
        )
    paths = wanted.keys() | {path for path in here if path.startswith(f"{ROOMS}/")}
    others = sorted(path for path in paths - {BOARD} if wanted.get(path) != here.get(path))
    if others:
        return warned(
            "firmware",
            f"whole, but {len(others)} of its files differ from those of this computer "
            f"({_some(others)})",
            deploy,
        )
    if findings.waiting:
        return warned("firmware", "whole, but a deploy was broken off", deploy)
    return passed("firmware", f"{len(manifest)} files, whole and as on this computer")


def _board(findings: Findings, board: dict[str, Any]) -> Check:
    name, found = board["board"], findings.board
    deploy = f"noisewarden deploy --board {name}"
    if not found:
        return failed("board", "there is no board.json that can be read", deploy)
    if found.get("board") != name:
        return failed(
            "board",
            f"the box is wired as {found.get('board')} in its board.json, not as {name}",
            f"run doctor with --board {found.get('board')}, or {deploy}",
        )
    wanted = boards.for_box(board)
    if keys := sorted(_differing(found, wanted)):
        return failed(
            "board", f"board.json differs from the board file in {', '.join(keys)}", deploy
        )
    return passed("board", f"{name}, as its board file says")


def _differing(found: dict[str, Any], wanted: dict[str, Any]) -> Iterator[str]:
    for key in found.keys() | wanted.keys():
        one, other = found.get(key), wanted.get(key)
        if isinstance(one, dict) and isinstance(other, dict):
            yield from (f"{key}.{inner}" for inner in _differing(one, other))
        elif one != other:
            yield key


def _some(paths: list[str]) -> str:
    return ", ".join(paths[:_SHOWN]) + (" …" if paths[_SHOWN:] else "")
