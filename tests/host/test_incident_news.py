"""An alarm rings where the pages are, whichever process took the record in."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
from host.fakebox import BOX, Journal
from host.station_parts import Station, add_boot, add_stage, arrivals, station, until
from noisewarden.station import incident_news
from noisewarden.station.incident_news import IncidentNews

REMINDER, SPOTLIGHT, CALM = 1, 2, 0


class Elsewhere:
    """The process with the pages; `told` is what it hears of `other`, which takes records in."""

    def __init__(self, other: Station) -> None:
        self.other = other
        self.told: list[dict[str, Any]] = []
        self.news = IncidentNews(other.database, lambda event, data: self.told.append(data))
        self.journal = Journal()
        self.looks = 0
        self._look = self.news._look
        self.news._look = self._counted
        self._now_s = int(time.time())
        add_boot(self.journal, unix_s=self._now_s - 600, boot=1)

    def stage(self, stage: int, *, ago_s: int = 1) -> None:
        """A change of stage of the box comes in elsewhere."""
        add_stage(self.journal, stage, at_s=600 - ago_s, unix_s=self._now_s - ago_s)
        self.other.store.intake(BOX, arrivals(self.journal))
        self.other.incidents.advance(BOX)

    async def look(self) -> list[tuple[int, bool]]:
        """Stage and alarm of what is told by the looks that follow."""
        before, looks = len(self.told), self.looks
        # One was under way, and what the second finds is told before the third.
        await until(lambda: self.looks >= looks + 3, lambda: "nobody looks")
        return [(each["stage"], each["alarm"]) for each in self.told[before:]]

    def _counted(self) -> list[dict[str, Any]]:
        found = self._look()
        self.looks += 1
        return found


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs a test beside the news, once they have begun."""
    monkeypatch.setattr(incident_news, "LOOK_EVERY_S", 0.02)

    def run(work: Callable[[Elsewhere], Any], before: Callable[[Elsewhere], Any] = id) -> None:
        async def beside(elsewhere: Elsewhere) -> None:
            before(elsewhere)
            task = asyncio.create_task(elsewhere.news.run())
            assert await elsewhere.look() == []
            await work(elsewhere)
            task.cancel()

        with station(tmp_path) as parts:
            asyncio.run(beside(Elsewhere(parts)))

    return run


def test_each_change_is_told_once_and_what_is_louder_is_an_alarm(run):
    async def work(elsewhere):
        elsewhere.stage(REMINDER, ago_s=50)
        assert await elsewhere.look() == [(REMINDER, True)]
        elsewhere.stage(SPOTLIGHT, ago_s=40)
        assert await elsewhere.look() == [(SPOTLIGHT, True)]
        elsewhere.stage(CALM, ago_s=30)
        assert await elsewhere.look() == [(SPOTLIGHT, False)]
        assert await elsewhere.look() == []

    run(work)


def test_what_came_late_is_no_alarm(run):
    async def work(elsewhere):
        elsewhere.stage(REMINDER, ago_s=500)
        assert await elsewhere.look() == [(REMINDER, False)]

    run(work)


def test_louder_by_a_late_record_is_no_alarm(run):
    async def work(elsewhere):
        elsewhere.stage(SPOTLIGHT, ago_s=300)
        assert await elsewhere.look() == [(SPOTLIGHT, False)]

    run(work, before=lambda elsewhere: elsewhere.stage(REMINDER, ago_s=310))


def test_what_was_there_at_the_start_is_no_news_but_its_changes_are(run):
    async def work(elsewhere):
        elsewhere.stage(SPOTLIGHT)
        assert await elsewhere.look() == [(SPOTLIGHT, True)]

    run(work, before=lambda elsewhere: elsewhere.stage(REMINDER, ago_s=20))


def test_loud_again_after_it_was_closed_is_an_alarm(run):
    async def work(elsewhere):
        elsewhere.stage(REMINDER, ago_s=50)
        elsewhere.stage(CALM, ago_s=40)
        (incident,) = elsewhere.other.incidents.list()
        elsewhere.other.incidents.take(incident["id"], 1)
        elsewhere.other.incidents.close(incident["id"], 1, "they left")
        assert (await elsewhere.look())[-1] == (REMINDER, False)
        elsewhere.stage(REMINDER)
        assert await elsewhere.look() == [(REMINDER, True)]

    run(work)


@pytest.mark.parametrize("look_first", [True, False])
def test_what_is_found_as_it_is_told_here_rings_once(run, monkeypatch, look_first):
    """Between a change of this process and its word there is a moment, and a look has its own."""

    async def work(elsewhere):
        here: list[tuple[str, dict[str, Any]]] = []
        elsewhere.other.incidents._tell = lambda *news: here.append(news)
        elsewhere.stage(REMINDER, ago_s=20)
        if look_first:
            await elsewhere.look()
            elsewhere.news.told(*here.pop())
        else:
            elsewhere.news.told(*here.pop())
            reading = elsewhere.news._reading

            def overtaken():
                if not here:
                    elsewhere.stage(SPOTLIGHT, ago_s=10)
                    elsewhere.news.told(*here[0])
                return reading()

            monkeypatch.setattr(elsewhere.news, "_reading", overtaken)
        await elsewhere.look()
        rung = [each["stage"] for each in elsewhere.told if each["alarm"]]
        assert rung == ([REMINDER] if look_first else [REMINDER, SPOTLIGHT])

    run(work)


def test_what_this_process_has_told_is_not_told_again(run):
    async def work(elsewhere):
        elsewhere.other.incidents._tell = elsewhere.news.told
        elsewhere.stage(REMINDER)
        (incident,) = elsewhere.other.incidents.list()
        elsewhere.other.incidents.take(incident["id"], 1)
        assert [each["alarm"] for each in elsewhere.told] == [True, False]
        assert await elsewhere.look() == []

    run(work)
