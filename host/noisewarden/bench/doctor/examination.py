"""The order of a doctor's work: the app is listened to, stopped once, and runs at the end.

The prompt comes first and the sound after it, so that one restart serves both, and the sound is
that of a box that has just started.
"""

from collections.abc import Callable, Collection, Generator, Iterator
from contextlib import ExitStack, closing, suppress
from typing import Any

from noisewarden import boards
from noisewarden.bench.deploy import REPORTS_WITHIN_S
from noisewarden.bench.doctor import chip, firmware, port, room, show, sound, uplink
from noisewarden.bench.doctor.app import App, started_again
from noisewarden.bench.doctor.check import Check, from_error, passed, skipped
from noisewarden.bench.doctor.prompt import Findings, Prompt
from noisewarden.bench.doctor.technician import Technician
from noisewarden.bench.manifest import bundle
from noisewarden.bench.tools import Mpremote, ToolFailed, Unreachable
from noisewarden.console import ANSWER_WITHIN_S
from noisewarden.errors import UserError

GROUPS = ("port", "chip", "firmware", "show", "network", "sound", "room")
AT_THE_PROMPT = {"chip", "firmware", "show", "network", "room"}
"""Those for which the app is stopped."""

UNTOUCHED = "the box goes on as it was"
STOPPED = "the box is stopped: press its reset button to start it"
STARTED = "the box was started again"
MUTE = "the box does not answer"

_STEPS = {
    "chip": "comparing",
    "show": "drawing",
    "network": "trying WiFi and station, for half a minute at most",
    "sound": "listening to the microphone",
    "room": "looking round",
}

Line = tuple[str, Check]
"""Group and check."""
Lines = Generator[Line, None, None]


class Examination:
    """Of the box on `port`, without one on that where a board is plugged in; of this `board` (as
    `boards.load` gives it), without one of that which the box names itself.

    on_step    hears what is being done, in words

    `box` is its id once it is known; `standing` says, at any moment, how it stands.
    """

    def __init__(
        self,
        port: str | None,
        board: dict[str, Any] | None,
        technician: Technician,
        groups: Collection[str] = GROUPS,
        on_step: Callable[[str], None] = lambda step: None,
    ) -> None:
        self.port = port or ""
        self.board = board
        self.box = ""
        self.standing = UNTOUCHED
        self._technician = technician
        self._groups = groups
        self._on_step = on_step

    def run(self) -> Lines:
        """Each line as it is found, of the groups that are wanted; what fails is told always.

        However it ends, closed too early or interrupted, a box that was stopped starts again.
        """
        try:
            with closing(self._examine()) as lines:
                for group, check in lines:
                    if group in self._groups or check.state == "fail":
                        yield group, check
        finally:
            self._start()

    def _start(self) -> None:
        if self.standing == STOPPED:
            with suppress(ToolFailed):
                Mpremote(self.port).restart()
                self.standing = STARTED

    def _examine(self) -> Lines:
        with ExitStack() as stack:
            try:
                self.port = self.port or port.find(self.board)
                app = stack.enter_context(App(self.port))
            except UserError as error:
                yield "port", from_error("port", error)
                return
            yield "port", passed("port", f"{self.port} opens")
            self._on_step("listening to the box")
            try:
                runs = app.meet(ANSWER_WITHIN_S)
                self.box = app.box
                self._learn_board(app.state.get("board"))
            except UserError as error:
                yield "chip", from_error("start", error)
                return
            yield "chip", chip.start(app)
            first, findings = app, None
            if not runs or AT_THE_PROMPT.intersection(self._groups):
                app.close()
                findings = yield from self._at_the_prompt(app)
                if findings is None:
                    return
                try:
                    app = stack.enter_context(started_again(self.port, REPORTS_WITHIN_S))
                    self.box = app.box
                except UserError as error:
                    yield "firmware", from_error("app", error)
                    return
            board = self._known_board()
            yield from self._group("sound", sound.checks(app, board, self._technician))
            yield from self._group("room", room.of_app(first if runs else app))
            if findings:
                yield from self._group("room", room.of_prompt(findings))

    def _at_the_prompt(self, app: App) -> Generator[Line, None, Findings | None]:
        """Stops the box, looks at all that only its prompt tells, and starts it again.

        app   as it was met before; None when there is no use in meeting it again
        """
        self._on_step("stopping the app, for as long as its prompt is asked")
        prompt = Prompt(Mpremote(self.port))
        self.standing = STOPPED
        try:
            findings = prompt.examine()
            self._learn_board(findings.board.get("board"))
            board = self._known_board()
        except Unreachable as error:
            self.standing = MUTE
            self._on_step("asking the boot loader")
            yield "chip", chip.of_loader(self.port, self.board, app.words, error)
            return None
        except UserError as error:
            yield "firmware", from_error("prompt", error)
            return None
        yield from self._group("chip", chip.of_prompt(findings, board))
        fits = True
        for check in firmware.checks(findings, board, bundle(board)):
            fits = fits and check.state != "fail"
            yield "firmware", check
        if fits:
            yield from self._group("show", show.checks(prompt, board, self._technician))
            yield from self._group("network", uplink.checks(prompt, findings.ca))
        else:
            for group in ("show", "network"):
                yield group, skipped(group, "not tried without the firmware", "deploy first")
        self._on_step("starting the box")
        self._start()
        return findings if fits or app.box else None

    def _learn_board(self, name: str | None) -> None:
        if self.board is None and name:
            self.board = boards.load(name)

    def _known_board(self) -> dict[str, Any]:
        if self.board is None:
            raise UserError(
                "the box does not say which board it is; name it with --board (noisewarden boards "
                "lists them)"
            )
        return self.board

    def _group(self, group: str, checks: Iterator[Check]) -> Iterator[Line]:
        """The checks of a group that is wanted, and whatever keeps them from going on."""
        if group not in self._groups:
            return
        self._on_step(_STEPS[group])
        try:
            for check in checks:
                yield group, check
        except UserError as error:
            yield group, from_error(group, error)
