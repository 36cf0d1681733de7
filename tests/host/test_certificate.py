"""Certificates: both languages say the same, the plot is to scale, a page needs nothing else."""

import json
import os
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
from host.test_calibration import GOOD, SUBJECT, UNPROVEN, low, numbers, points
from noisewarden.bench.calibration import acceptance, result, uncertainty
from noisewarden.bench.calibration.result import Result
from noisewarden.bench.certificate import Folder, content, html, pdf, plot, texts
from noisewarden.bench.certificate.numbers import plain, signed
from noisewarden.bench.certificate.texts import LANGUAGES, Texts
from noisewarden.errors import UserError

CHINESE = re.compile(r"[\u4e00-\u9fff]")
ACCEPTED = result.calibrate(SUBJECT, points(GOOD, UNPROVEN), low(2.1))
REFUSED = result.calibrate(SUBJECT, points(GOOD | {75: (4.2, 4.0)}, UNPROVEN))
RESULTS = {"accepted": ACCEPTED, "refused": REFUSED}


@pytest.fixture(params=list(RESULTS))
def judged(request) -> Result:
    return RESULTS[request.param]


def sheet(judged: Result, language: str) -> content.Sheet:
    return content.sheet(judged, "bagu-east-01-2026-06-01", Texts(language))


class Words(HTMLParser):
    """The text of a page, and the addresses in it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text, self.addresses, self._hidden = "", [], False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden = tag == "style"
        self.addresses += [value for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.text += data + "\n"


def words(judged: Result, language: str) -> str:
    return Words(html.page(sheet(judged, language))).text


def test_every_text_is_there_in_both_languages() -> None:
    for table in (texts._TEXTS, texts._COMPONENTS, texts._BASES):
        for english, chinese in table.values():
            assert not CHINESE.search(english)
            assert CHINESE.search(chinese) or "{" in english
            assert re.findall(r"{.*?}", english) == re.findall(r"{.*?}", chinese)
    names = {component.name for component in ACCEPTED.budget.components}
    assert names == set(texts._COMPONENTS) == set(texts._BASES)


def test_both_languages_say_the_same_numbers(judged) -> None:
    english, chinese = (words(judged, language) for language in LANGUAGES)
    # A norm of one country alone is named in its language.
    assert numbers(english) == numbers(chinese) - {"1059.1"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_all_that_was_found_is_on_the_page(judged, language) -> None:
    text = words(judged, language)
    subject = judged.subject
    for said in (
        *(subject.box, subject.board, subject.serial, subject.firmware, subject.microphone),
        *(subject.place, subject.technician, subject.day.isoformat()),
        *(f"{signed(judged.correction_db)} dB", f"{plain(judged.budget.expanded_db)} dB"),
        *(f"{signed(judged.slope_db)} dB", f"{plain(judged.repeatability_db)} dB"),
        *("S-17", "C-2026-001", "JCGM 100:2008", "JJG 188"),
    ):
        assert said in text, said
    for component in judged.budget.components:
        assert f"{plain(component.standard_db, 3)} dB" in text
    for residual_db in judged.residuals_db:
        assert f"\n{signed(residual_db)}\n" in text
    for failure in judged.failures:
        assert getattr(failure, language) in text
    assert (f"{signed(judged.offset_db, 3)} dB" in text) == judged.accepted
    assert (judged.expires.isoformat() in text) == judged.accepted


def test_it_says_what_the_instrument_is() -> None:
    assert "is an indicating device. It is not a sound level meter" in words(ACCEPTED, "en")
    assert "本装置为指示装置，未经计量检定（JJG 188）" in words(ACCEPTED, "zh")
    assert "校准证书" in words(ACCEPTED, "zh") and "不合格" not in words(ACCEPTED, "zh")
    assert "not accepted" in words(REFUSED, "en")


def test_a_report_claims_no_weighting_that_was_not_proven() -> None:
    on_c = result.calibrate(SUBJECT, points(GOOD, UNPROVEN), low(2.0 + 13.3 - 1.8))
    assert "the reference is not on A weighting" in words(on_c, "en")
    for language in LANGUAGES:
        text = words(on_c, language)
        assert "proven" not in text and "已" not in text
        assert "+13.50 dB" in text  # what the low sound gave


def test_a_page_needs_nothing_beside_it(judged) -> None:
    page = html.page(sheet(judged, "zh"))
    assert Words(page).addresses == []
    assert "@import" not in page and "url(" not in page
    assert '<html lang="zh-CN">' in page


def test_what_a_person_typed_stays_text() -> None:
    typed = "<b>Bench & Co</b>"
    subject = replace(SUBJECT, technician=typed, place=typed)
    found = result.calibrate(subject, points(GOOD))
    page = html.page(sheet(found, "en"))
    assert typed in Words(page).text and "<b>" not in page
    assert pdf.document(sheet(found, "en")).startswith(b"%PDF")


# The plot.


def test_the_plot_is_to_scale(judged) -> None:
    shapes = plot.draw(judged, Texts("en"))
    labels = {shape.text: shape for shape in shapes if isinstance(shape, plot.Label)}
    lines = [shape for shape in shapes if isinstance(shape, plot.Line)]
    zero = next(line.y1 for line in lines if line.kind == "zero")
    per_db = labels["−1.0"].y - labels["0.0"].y
    dots = [shape for shape in shapes if isinstance(shape, plot.Dot)]
    assert [(zero - dot.y) / per_db for dot in dots] == pytest.approx(list(judged.residuals_db))
    bars = [line for line in lines if line.kind == "bar" and line.x1 == line.x2]
    assert len(bars) == len(dots)
    for bar, dot in zip(bars, dots, strict=True):
        assert bar.x1 == dot.x
        assert (bar.y2 - bar.y1) / per_db == pytest.approx(2 * judged.budget.expanded_db)
    limits = {
        round((zero - line.y1) / per_db, 6)
        for line in lines
        if line.kind == "limit" and line.y1 == line.y2
    }
    assert limits == {1.5, 1.0, -1.0, -1.5}
    band = [line.x1 for line in lines if line.kind == "limit" and line.x1 == line.x2]
    assert sorted(set(band)) == pytest.approx([labels["65"].x, labels["75"].x])
    for shape in shapes:
        for name, most in (("x", plot.WIDTH_MM), ("y", plot.HEIGHT_MM)):
            places = [vars(shape)[key] for key in vars(shape) if key.startswith(name)]
            assert all(0 <= place <= most for place in places), shape


def test_takes_of_a_level_stand_apart() -> None:
    dots = [shape for shape in plot.draw(ACCEPTED, Texts("en")) if isinstance(shape, plot.Dot)]
    assert len({dot.x for dot in dots}) == len(ACCEPTED.points)


def test_the_picture_is_an_svg_by_itself() -> None:
    picture = html.svg(tuple(plot.draw(ACCEPTED, Texts("zh"))), "残差 <1>")
    root = ElementTree.fromstring(picture)
    assert len(root.findall("{*}circle")) == len(ACCEPTED.points)
    assert root.attrib["aria-label"] == "残差 <1>"


# Files.


def test_a_folder_keeps_every_certificate(tmp_path) -> None:
    folder = Folder(tmp_path / "new" / "certificates")
    with folder.written(ACCEPTED, "en") as first, folder.written(REFUSED, "zh") as second:
        pass
    assert [path.name for path in first] == [
        f"bagu-east-01-2026-06-01.{kind}" for kind in ("json", "html", "pdf")
    ]
    assert second[0].name == "bagu-east-01-2026-06-01-2.json"
    told = json.loads(first[0].read_text(encoding="utf-8"))
    assert told["number"] == "bagu-east-01-2026-06-01"
    assert "indicating device" in told["statement"]
    assert told.items() >= ACCEPTED.as_json().items()


def test_a_folder_that_cannot_be_is_told(tmp_path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"file: cannot be written .*--certificates"):
        Folder(tmp_path / "file")
    folder = Folder(tmp_path / "gone")
    folder.path.rmdir()
    with pytest.raises(UserError, match="gone: cannot be written"):
        folder.written(ACCEPTED, "en").__enter__()


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_pdf_can_be_read_and_prints_on_two_pages(language, judged, tmp_path) -> None:
    program = shutil.which("pdftotext")
    if not program and not os.environ.get("CI"):
        pytest.skip("pdftotext (Debian: poppler-utils, poppler-data) is not installed")
    assert program
    path = tmp_path / "certificate.pdf"
    path.write_bytes(pdf.document(sheet(judged, language)))
    run = subprocess.run([program, "-layout", path, "-"], capture_output=True, text=True)
    assert run.stderr == ""
    assert run.stdout.count("\f") == 2
    text = re.sub(r"\s", "", run.stdout)
    for said in (
        *(Texts(language)("title" if judged.accepted else "title refused"), SUBJECT.serial),
        Texts(language)("statement"),
        *(getattr(failure, language) for failure in judged.failures),
        *(f"{signed(residual_db)}" for residual_db in judged.residuals_db),
        f"±{acceptance.RESIDUAL_DB:g}",
        Texts(language)("expanded", uncertainty.COVERAGE_FACTOR),
    ):
        assert re.sub(r"\s", "", said) in text, said


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "en_GB.UTF-8"}, "en"),
        ({"LANG": "C"}, "en"),
    ],
)
def test_the_language_is_that_of_the_computer(environment, language, monkeypatch) -> None:
    for name in ("LC_ALL", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert texts.local_language() == language
