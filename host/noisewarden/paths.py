"""Where firmware and board files are: in the package when installed, else in the repository."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_REPOSITORY = _PACKAGE.parents[1]


def _shipped(name: str) -> Path:
    inside = _PACKAGE / f"_{name}"
    return inside if inside.is_dir() else _REPOSITORY / name


FIRMWARE = _shipped("firmware")
BOARDS = _shipped("boards")
FAKES = _PACKAGE / "virtual" / "fakes"
