"""Who looks at a station's readings: a program on the event stream, and a page in Chromium."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import browser
import httpx
from noisewarden.virtual.simulated import now_us
from served import Visitor

SEEN = 12
"""Boxes that fit onto the screen."""
WATCH = """
(count) => {
  window.shown = [];
  const tiles = [...document.querySelectorAll(".tile:not([data-level=none])")];
  for (const tile of tiles.slice(0, count)) {
    const level = tile.querySelector("[data-laeq]");
    const box = tile.querySelector("[data-box]").textContent;
    new MutationObserver(() => {
      const laeq = parseFloat(level.textContent);
      // After the next frame is drawn, it is on the screen.
      requestAnimationFrame(() => setTimeout(() =>
        window.shown.push([box, laeq, performance.timeOrigin + performance.now()])));
    }).observe(level, { childList: true });
  }
}
"""
_DRAWN_AFTER_MS = 3000


class Stream:
    """A context manager: reads the events until its exit.

    late_s  from the sending of each reading until it was here
    sent    when a box sent a level, by the box and the level in dB to a tenth; unix time in s
    """

    def __init__(self, visitor: Visitor) -> None:
        self.late_s: list[float] = []
        self.sent: dict[tuple[str, float], float] = {}
        self._visitor = visitor
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._ended = False

    def __enter__(self) -> "Stream":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended = True
        self._thread.join()

    def _read(self) -> None:
        with self._visitor.stream("GET", "/api/v1/stream", timeout=30) as answer:
            for line in answer.iter_lines():
                if self._ended:
                    return
                if line.startswith('data: {"readings"'):
                    self._take(json.loads(line.removeprefix("data: "))["readings"])

    def _take(self, readings: list[dict[str, Any]]) -> None:
        now, unix_s = now_us(), time.time()
        for each in readings:
            if reading := each["reading"]:
                late_s = (now - reading["n"]) / 1e6
                self.late_s.append(late_s)
                self.sent[each["box"], round(reading["laeq"], 1)] = unix_s - late_s


@contextmanager
def idle(visitor: Visitor, count: int) -> Iterator[None]:
    """So many more pages that look on, and cost their reader as little as can be."""

    def read() -> None:
        try:
            with visitor.stream("GET", "/api/v1/stream", timeout=30) as answer:
                for _ in answer.iter_raw():
                    if ended.is_set():
                        return
        except httpx.HTTPError:
            return

    ended = threading.Event()
    threads = [threading.Thread(target=read, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def on_a_page(station: Any, name: str, stream: Stream, seconds: float) -> list[float]:
    """Seconds from the sending of each reading until Chromium shows it, of SEEN boxes."""
    with browser.chromium() as chromium, browser.page_of(chromium, station) as page:
        page.goto("/login")
        browser.log_in(page, name)
        page.wait_for_function("() => document.querySelectorAll('[data-laeq]').length > 1")
        page.wait_for_timeout(_DRAWN_AFTER_MS)
        page.evaluate(WATCH, SEEN)
        page.wait_for_timeout(1000 * seconds)
        shown = page.evaluate("() => window.shown")
    return [
        at_ms / 1000 - stream.sent[box, laeq]
        for box, laeq, at_ms in shown
        if (box, laeq) in stream.sent
    ]
