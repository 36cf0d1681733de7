"""A technician who looks at a matrix."""

from typing import Any

from noisewarden.bench.doctor import pictures
from noisewarden.firmware import display, panel


class Eyes:
    """A technician before a panel that is wired as `truth` says, whatever the board file holds."""

    there = True

    def __init__(self, truth: dict[str, Any]) -> None:
        self._truth = truth
        self._width, self._height = panel.seen_size(truth)
        self._starts = panel.chain(truth)
        self._seen: list[tuple[int, ...]] = []

    def draw(self, picture: bytes) -> None:
        assert len(picture) == 3 * self._width * self._height
        order = self._truth["colours"]
        self._seen = [
            tuple(picture[start + order.index(channel)] for channel in "RGB")
            for start in self._starts
        ]

    def ask(self, question: str, answers: dict[str, str]) -> str:
        if "colour" in question:
            return self._colour()
        if question == "And now?":
            return "y" if len({*self._seen, (0, 0, 0)}) == 2 and all(self._seen[0]) else "p"
        if "upright" in question:
            shown = display.Display(self._truth)
            shown.show_text(pictures.NUMBER, 0)
            upright = Eyes(self._truth)
            upright.draw(bytes(shown.buffer))
            return self._yes(self._shape() == upright._shape())
        if "corner" in question:
            ((x, y),) = self._shape()
            side = {0: "left", self._width - 1: "right"}.get(x)
            end = {0: "top", self._height - 1: "bottom"}.get(y)
            return next(key for key, corner in answers.items() if corner == f"{end}-{side}")
        if "wider" in question:
            return self._yes(self._width > self._height)
        if "stand" in question:
            return "r" if len({y for _, y in self._shape()}) == 1 else "c"
        assert "right beside" in question
        (x, y), (other_x, other_y) = self._shape()
        return self._yes(abs(x - other_x) + abs(y - other_y) == 1)

    def ready(self, request: str) -> None:
        raise AssertionError(request)

    def _colour(self) -> str:
        (seen,) = set(self._seen)
        lit = [key for key, level in zip("rgb", seen, strict=True) if level]
        return lit[0] if len(lit) == 1 else "o"

    def _shape(self) -> set[tuple[int, int]]:
        return {
            (n % self._width, n // self._width) for n, led in enumerate(self._seen) if any(led)
        }

    @staticmethod
    def _yes(answer: bool) -> str:
        return "y" if answer else "n"
