"""The pages of one box in a real browser: its levels, stepping in, configuration, journal."""

import csv
import hashlib
import json
import re
import threading
import time
from contextlib import ExitStack

import pytest
from browser import PHONE, WIDE, barriers, chromium, log_in, overflow_px, page_of
from host.fakebox import BOX, KEY
from host.station_parts import Line, arrivals
from noisewarden.firmware import config as settings
from noisewarden.virtual.air import Air
from noisewarden.virtual.supervisor import VirtualBox
from playwright.sync_api import expect
from served import ADMIN, Served
from system import stations
from system.boxes import RESTED_MAIN, Log, install, tones, until
from system.days import CHINA_AHEAD_S, a_day, midnight_s
from system.serving import Serving, register

PLACE = "Bagu square, east"
PATHS = (f"/boxes/{BOX}", f"/boxes/{BOX}/configuration", f"/boxes/{BOX}/journal")


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def station(tmp_path_factory):
    """Its box has yesterday in its journal, and listens."""
    with Served(tmp_path_factory.mktemp("station")) as served:
        served.administrator()
        for name, role in (("Vera", "viewer"), ("Oscar", "officer"), ("Tess", "technician")):
            served.account(name, role)
        served.add_box(BOX, PLACE)
        served.store.intake(BOX, arrivals(a_day(midnight_s(1))), KEY)
        tell_config(served, settings.merged({"box": BOX, "place": PLACE}))
        yield served


@pytest.fixture
def line(station):
    """What is sent to the box, which is heard each second meanwhile."""
    made, over = Line(), threading.Event()

    def speak():
        while not over.wait(1):
            station.hear(BOX)

    station.soon(station.ways.heard, BOX, made)
    station.hear(BOX)
    speaking = threading.Thread(target=speak)
    speaking.start()
    yield made
    over.set()
    speaking.join()


def tell_config(station, config):
    """The box says that it goes by this one."""
    state = {"clock": 2, "reset": "power", "heap_free": 41_216, "signal": -61, "restarts": 0}
    state |= {"config": settings.digest(config), "calibrated_until": int(time.time()) + 9**7}
    station.soon(station.live.take_state, BOX, state)


def opened(page, path=PATHS[0], name="Oscar"):
    page.goto("/account")
    log_in(page, name)
    page.goto(path)
    expect(page.locator("#link")).to_have_text(re.compile("Live|实时"))


def date_of(days_ago):
    """In Chongqing."""
    return time.strftime("%Y-%m-%d", time.gmtime(midnight_s(days_ago) + CHINA_AHEAD_S))


def yesterday(page):
    page.get_by_role("button", name="The one before").click()
    expect(page.locator("[data-day=picture] .laeq").first).to_have_attribute(
        "d", re.compile("^M.+")
    )


def answer(station, line, done=True, detail=""):
    """The box answers the command that it was sent last; what that was."""
    until(lambda: line.commands, lambda: "nothing was sent")
    body = line.commands[-1][1]
    station.run(station.commander.answered(BOX, body["id"], done, detail))
    return body


# Levels.


def test_what_is_not_known_never_looks_like_quiet(browser, station):
    with page_of(browser, station) as page:
        opened(page)
        yesterday(page)
        picture = page.locator("[data-day=picture]")
        expect(picture.locator(".gap")).to_have_count(1)
        expect(picture.locator(".missing")).to_have_count(1)
        expect(picture.locator(".night")).to_have_count(2)
        expect(picture.locator(".marked")).to_have_count(1)
        expect(picture.locator(".strip.of-2")).to_have_count(1)
        expect(picture).to_contain_text("no record: the box did not run")
        expect(picture).to_contain_text("no level: microphone silent")
        expect(picture).to_contain_text("limit 70 dB")
        figures = page.locator("[data-statistics=figures]")
        expect(figures).to_contain_text("Time with a level91%")
        expect(page.locator("[data-statistics=marks]")).to_have_text("Wind: 60 min")
        page.get_by_text("Hour by hour").click()
        hours = page.locator("[data-statistics=rows] tr")
        expect(hours).to_have_count(24)
        expect(hours.nth(10)).to_contain_text("10:00–––––0%")


def test_an_hour_without_a_level_is_not_left_out_of_a_week(browser, station):
    with page_of(browser, station) as page:
        opened(page, f"{PATHS[0]}?span=week&date={date_of(1)}")
        picture = page.locator("[data-day=picture]")
        expect(picture.locator(".laeq").first).to_have_attribute("d", re.compile("^M.+"))
        expect(picture.locator(".missing")).to_have_count(1)


IN_THE_PAGE = """async () => {
  const { Course } = await import("/static/course.js");
  const { clock } = await import("/static/local_time.js");
  const { Trend } = await import("/static/trend.js");
  const { time } = await import("/static/words.js");
  const picture = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const minute = { from_s: 0, to_s: 60, laeq: 72, lafmax: 76, limit: 70, stage: 0 };
  const span = { from_s: 0, to_s: 100 };
  new Course(picture).show({
    ...span, view: span, hours: [{ from_s: 0, hour: 0, day: true }], gaps: [],
    points: [{ ...minute, missing: "", marks: "" }],
    seconds: [{ from_s: 0, levels: [75, 60, null, 60, 75, 75] }],
  }, 842);
  const drawn = (name) => picture.querySelector(name).getAttribute("d").match(/M/g).length;
  const twice = [{ from_s: 0, hour: 2 }, { from_s: 7200, hour: 3 }];
  return {
    levels: drawn(".each-second"), over: drawn(".over"),
    clock: clock(twice, 5400), midnight: time(new Date(2026, 5, 7) / 1000),
    within: new Trend([70.4]).words(70), above: new Trend([70.5]).words(70),
  };
}"""


def test_a_picture_shows_what_was_measured_and_no_more(browser, station):
    """A second without a level is no line, one within the limit is not red, and 70.4 dB is not
    over 70; an hour that comes twice has sixty minutes, and midnight is 00:00."""
    with page_of(browser, station) as page:
        opened(page)
        told = page.evaluate(IN_THE_PAGE)
    assert (told["levels"], told["over"]) == (2, 2)
    assert (told["clock"], told["midnight"]) == ("02:30", "00:00:00")
    assert ", 0.0 min over the limit" in told["within"]
    assert ", 0.2 min over the limit" in told["above"]


def test_a_page_that_stays_open_goes_on_to_the_new_day(browser, station):
    with page_of(browser, station) as page:
        day = [date_of(1)]
        page.route(
            "**/span?*", lambda route: route.continue_(url=f"{route.request.url}&date={day[0]}")
        )
        page.clock.install()
        opened(page)
        title = page.locator("[data-day=title]")
        expect(title).to_have_text(day[0])
        day[0] = date_of(0)
        page.clock.fast_forward(61_000)
        expect(title).to_have_text(day[0])
        expect(page.locator("[data-day=slider]")).to_have_attribute(
            "aria-valuemin", str(midnight_s())
        )


def test_a_day_is_walked_along_and_looked_into_by_keyboard(browser, station):
    with page_of(browser, station) as page:
        opened(page)
        yesterday(page)
        slider = page.get_by_role("slider", name="Course of levels")
        slider.focus()

        def told(words):
            expect(slider).to_have_attribute("aria-valuetext", words)

        page.keyboard.press("Home")
        told("00:00 · LAeq,1min 60.0 dB · LAFmax 70.1 dB · limit 70 dB")
        for _ in range(60):
            page.keyboard.press("Shift+ArrowRight")
        told("10:00 · no record: the box did not run")
        for _ in range(24):
            page.keyboard.press("Shift+ArrowRight")
        told("14:00 · no level: microphone silent · limit 70 dB")
        for _ in range(36):
            page.keyboard.press("Shift+ArrowRight")
        told("20:00 · LAeq,1min 75.0 dB · LAFmax 70.1 dB · limit 70 dB · Spotlight")
        page.keyboard.press("+")
        page.keyboard.press("+")
        expect(page.locator(".each-second.over")).to_have_attribute("d", re.compile("^M.+"))
        page.keyboard.press("ArrowRight")
        told(re.compile(r"^20:00:01 · LAeq,1s 75\.0 dB · LAeq,1min 75\.0 dB"))
        page.keyboard.press("Escape")
        expect(page.locator(".each-second")).to_have_count(0)


def test_a_part_of_a_day_is_chosen_with_the_mouse(browser, station):
    with page_of(browser, station) as page:
        opened(page)
        yesterday(page)
        place = page.locator("[data-day=picture]").bounding_box()
        y = place["y"] + 100
        page.mouse.move(place["x"] + 0.8 * place["width"], y)
        page.mouse.down()
        page.mouse.move(place["x"] + 0.85 * place["width"], y, steps=4)
        page.mouse.up()
        expect(page.locator(".laeq.each-second").first).to_have_attribute("d", re.compile("^M"))
        page.get_by_role("button", name="All of it").click()
        expect(page.locator(".each-second")).to_have_count(0)


def test_weeks_and_months_lead_to_their_days(browser, station):
    with page_of(browser, station) as page:
        opened(page, f"{PATHS[0]}?span=month")
        date, today = date_of(1), date_of(0)
        if date[:7] != today[:7]:
            page.get_by_role("button", name="The one before").click()
        page.get_by_text("Day by day").click()
        row = page.locator("[data-statistics=rows] tr", has_text=date)
        expect(row).to_contain_text("91%")
        slider = page.get_by_role("slider", name="Course of levels")
        slider.focus()
        page.keyboard.press("Home")
        for _ in range(int(date[8:]) - 1):
            for _ in range(24):
                page.keyboard.press("ArrowRight")
        expect(slider).to_have_attribute("aria-valuetext", re.compile(rf"^{date} 00:00"))
        page.keyboard.press("Enter")
        expect(page.locator("[data-day=title]")).to_have_text(date)
        assert f"date={date}" in page.url
        page.reload()
        expect(page.locator("[data-day=title]")).to_have_text(date)


def test_levels_are_taken_home_as_csv(browser, station):
    with page_of(browser, station) as page:
        opened(page)
        yesterday(page)
        with page.expect_download() as begun:
            page.get_by_role("button", name="Minutes as CSV").click()
        text = begun.value.path().read_text(encoding="utf-8-sig")
        rows = list(csv.DictReader(text.splitlines()))
        assert len(rows) == 1440 - 60 and rows[0]["from_local"].endswith("T00:00:00+08:00")


# Stepping in.


def test_a_command_is_seen_asked_sent_and_done(browser, station, line):
    with page_of(browser, station) as page:
        opened(page)
        asked = page.locator("[data-intervene=asked]")
        page.get_by_role("button", name="Light it").click()
        expect(asked.locator("[data-status=sent]")).to_be_visible()
        answer(station, line, detail="lit")
        expect(asked).to_contain_text(re.compile("Asked .*Sent .*Done .*lit$"))
        row = page.locator("#commands tr").first
        expect(row).to_contain_text("Oscar")
        page.get_by_label("Text on the matrix").fill("quiet please")
        page.get_by_role("button", name="Show", exact=True).click()
        expect(asked).to_contain_text("“quiet please”")
        until(lambda: len(line.commands) == 2, lambda: "nothing was sent")
        resting = "the spotlight may not light now: resting"
        answer(station, line, done=False, detail=resting)
        expect(asked.locator("[data-status=refused]")).to_be_visible()
        expect(asked).to_contain_text("Try again within a minute")


def test_a_limit_for_a_while_is_tried_set_and_ended(browser, station, line):
    with page_of(browser, station) as page:
        opened(page)
        form = page.get_by_role("form", name="Temporary limit")
        form.get_by_label("Temporary limit").fill("80")
        form.get_by_role("button", name="What would it").click()
        tried = page.locator("[data-intervene=tried] tr", has_text="Reminders")
        expect(tried).to_have_text(re.compile(r"Reminders\s*3\s*0$"))
        form.get_by_role("button", name="Set").click()
        body = answer(station, line)
        (exception,) = body["config"]["schedule"]["exceptions"]
        assert exception["limit"] == 80
        expect(page.locator("[data-intervene=asked]")).to_contain_text("80 dB")
        tell_config(station, body["config"])
        holds = page.locator("[data-intervene=holds]")
        expect(holds).to_contain_text(f"80 dB until {exception['to']}")
        holds.get_by_role("button").click()
        until(lambda: len(line.commands) == 2, lambda: "nothing was sent")
        body = answer(station, line)
        tell_config(station, body["config"])
        expect(holds).to_be_hidden()


def test_a_viewer_looks_and_asks_for_nothing(browser, station):
    with page_of(browser, station) as page:
        opened(page, name="Vera")
        expect(page.locator("#commands tr").first).to_be_visible()
        expect(page.get_by_role("button", name="Light it")).to_have_count(0)
        page.goto(PATHS[1])
        expect(page.get_by_label("Limit, dB").first).to_have_value("70")
        expect(page.get_by_label("Limit, dB").first).to_be_disabled()
        expect(page.get_by_role("button", name="Save")).to_have_count(0)


# Configuration.


@pytest.mark.parametrize(
    ("locale", "label", "wrong", "gap"),
    [
        (
            "en-GB",
            "Limit, dB",
            "Must be a whole number from 30 to 100.",
            "No limit from Mon 21:30",
        ),
        ("zh-CN", "限值（dB）", "须为 30 至 100 的整数。", "周一 21:30 至 周一 22:00 没有限值。"),
    ],
)
def test_what_is_wrong_stands_beside_its_field(browser, station, line, locale, label, wrong, gap):
    with page_of(browser, station, locale=locale) as page:
        opened(page, PATHS[1], "Tess")
        row = page.locator('[data-list="schedule.rows"] li').first
        row.get_by_label(label).fill("20")
        expect(row.locator(".problem")).to_have_text(wrong)
        expect(row.get_by_label(label)).to_have_attribute("aria-invalid", "true")
        row.get_by_label(label).fill("65")
        row.locator("[data-key=to]").fill("21:30")
        expect(page.locator('[data-problem="schedule.rows"]')).to_contain_text(gap)
        page.locator("form button.main").click()
        expect(page.locator("#verdict")).to_have_text(re.compile("^1 |有 1 处"))
        assert line.commands == []


def test_a_configuration_is_tried_saved_and_told_back(browser, station, line):
    with page_of(browser, station) as page:
        opened(page, PATHS[1], "Tess")
        expect(page.locator("#certain")).to_have_text(
            "The box tells that it goes by this configuration."
        )
        page.get_by_role("button", name="Add a row").last.click()
        row = page.locator('[data-list="schedule.exceptions"] li')
        row.get_by_label("First day").fill("2026-06-07")
        row.get_by_label("Last day").fill("2026-06-06")
        for label, value in (("From", "06:00"), ("To", "22:00"), ("Limit, dB", "60")):
            row.get_by_label(label, exact=True).fill(value)
        expect(row.locator(".problem")).to_have_text("The last day is before the first.")
        row.get_by_label("Last day").fill("2026-06-09")
        page.locator('[data-path="stages.spotlight_after_s"]').fill("40")
        expect(page.locator("#verdict")).to_have_text("The box would take this.")
        page.get_by_role("button", name="What would it").click()
        expect(page.locator("#tried tr", has_text="Spotlight lit")).to_be_visible()
        page.get_by_role("button", name="Save to the box").click()
        body = answer(station, line)
        assert body["config"]["stages"]["spotlight_after_s"] == 40
        assert settings.problems(body["config"]) == []
        expect(page.locator("#asked [data-status=done]")).to_be_visible()
        tell_config(station, settings.merged(body["config"]))
        expect(page.locator("#verdict")).to_have_text("Nothing is changed.")


def test_a_configuration_of_somebody_else_is_not_taken_for_known(browser, station):
    with page_of(browser, station) as page:
        tell_config(station, {"set": "over USB"})
        opened(page, PATHS[1], "Tess")
        expect(page.locator("#certain")).to_contain_text("Saving replaces all")
        page.goto(PATHS[0])
        form = page.get_by_role("form", name="Temporary limit")
        expect(form).to_contain_text("does not know the configuration")
        expect(form.get_by_role("button", name="Set")).to_be_disabled()


# The journal.


def test_the_journal_shows_its_chain_calibrations_and_health(browser, station):
    with page_of(browser, station) as page:
        opened(page, PATHS[2], "Vera")
        expect(page.locator("#state")).to_contain_text("-61 dBm")
        expect(page.locator("#calibrated")).to_contain_text("valid until")
        expect(page.locator("#calibration tr")).to_contain_text("−0.42 dB± 0.90 dBNTi XL2118Tess")
        expect(page.locator("#journal tr")).to_have_count(2)
        expect(page.locator("#chain")).to_contain_text("Verified1382")
        page.get_by_label("Kind").select_option("minute")
        expect(page.locator("#journal tr")).to_have_count(50)
        page.get_by_role("button", name="Older records").click()
        expect(page.locator("#journal tr")).to_have_count(100)
        expect(page.locator("#journal tr").first).to_contain_text("LAeq 60.0 dB")


def test_what_a_box_says_of_its_calibration_keeps_no_journal_from_being_read(browser, station):
    box = "odd-01"
    station.add_box(box, "a pole")
    station.soon(station.live.take_state, box, {"boot": 1, "clock": 2, "calibrated_until": 10**15})
    with page_of(browser, station) as page:
        opened(page, f"/boxes/{box}/journal", "Vera")
        expect(page.locator("#no-records")).to_be_visible()
        expect(page.locator("#trouble")).to_be_hidden()


@pytest.mark.parametrize(
    ("scheme", "viewport", "locale"),
    [
        ("light", WIDE, "en-GB"),
        ("dark", WIDE, "zh-CN"),
        ("light", PHONE, "zh-CN"),
        ("dark", PHONE, "en-GB"),
    ],
)
def test_no_page_of_a_box_bars_anybody(browser, station, scheme, viewport, locale):
    context = {"color_scheme": scheme, "locale": locale, "viewport": viewport}
    with page_of(browser, station, **context) as page:
        opened(page, name="Tess")
        for path, filled in zip(
            PATHS, ("[data-statistics=figures] dd", "#place", "#chain dd"), strict=True
        ):
            page.goto(path)
            expect(page.locator(filled).first).not_to_be_empty()
            assert barriers(page) == [], path
            assert overflow_px(page) <= 0, path


# With a real box.


@pytest.mark.timed
def test_a_loud_box_turns_red_and_its_lamp_is_lit_from_the_page(browser, tmp_path):
    name, secret = stations.BOX, hashlib.sha256(b"box").digest()
    home, state = tmp_path / "home", tmp_path / "box"
    state.mkdir()
    log, air = Log(), Air()
    air.network(stations.SSID, stations.WIFI_PASSWORD)
    home.mkdir(mode=0o700)
    register(home, name, secret)
    with Serving(home) as serving:
        serving.administrator().close()
        board = install(state, RESTED_MAIN)
        ca = serving.authority.ca_der
        stations.provision(state / "flash", "127.0.0.1", serving.port, ca, secret)
        hours = {"from": "00:00", "to": "00:00"}  # at any hour of the day
        rows = [{"days": "1234567", **hours, "limit": 70}]
        config = {"box": name, "spotlight": hours, "schedule": {"rows": rows}}
        (state / "flash" / "config.json").write_text(json.dumps(config))
        sound = tones((12, 60), (60, 80))
        options = {"board": board, "air": air, "on_event": log, "unix_s": int(time.time())}
        with page_of(browser, serving) as page, ExitStack() as stack:
            opened(page, f"/boxes/{name}", ADMIN)
            stack.enter_context(VirtualBox(state, sound, **options))
            led = page.locator("#now .led")
            expect(led.first).to_have_class(re.compile("green"))
            expect(led.first).to_have_class(re.compile("red"))
            page.get_by_role("button", name="Light it").click()
            until(
                lambda: any(e.get("on") for e in log.events if e["event"] == "relay"),
                lambda: "dark",
            )
            expect(page.locator("[data-intervene=asked] [data-status=done]")).to_be_visible()
            expect(page.locator("#now")).to_contain_text("Spotlight lit")
            # What it goes by it tells by a digest, which is that of the host's own reckoning.
            page.goto(f"/boxes/{name}/configuration")
            page.locator('[data-path="place"]').fill("八股广场")
            page.get_by_role("button", name="Save to the box").click()
            expect(page.locator("#asked [data-status=done]")).to_be_visible()
            expect(page.locator("#certain")).to_contain_text("tells that it goes by this")
            page.goto(f"/boxes/{name}")
            form = page.get_by_role("form", name="Temporary limit")
            form.get_by_label("Temporary limit").fill("90")
            form.get_by_role("button", name="Set").click()
            expect(page.locator("[data-intervene=holds]")).to_contain_text("90 dB until")
            expect(page.locator("#now .led.green").first).to_be_visible()
