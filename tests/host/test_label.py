"""The label of a box: its code by a decoder, its text, and that it fits what is printed."""

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest
import zxingcpp
from noisewarden.bench import label
from noisewarden.bench.label import Label
from noisewarden.errors import UserError
from PIL import Image, ImageDraw

USUAL = Label(
    "bagu-east-01", "八股广场东侧 3 号灯杆", "esp32-devkitc", "240ac4a1b2c3", "10.0.0.2:8883"
)
LONGEST = Label("m" * 32, "噪" * 60, "b" * 32, "f" * 32, "h" * 63 + ".example:65535")
USB_ONLY = dataclasses.replace(USUAL, place="Bagu & Square <East>, lamp post 3", station="")
LABELS = {"usual": USUAL, "longest": LONGEST, "usb only": USB_ONLY}


def decoded(image: Image.Image) -> list[str]:
    return [code.text for code in zxingcpp.read_barcodes(image.convert("L"))]


def drawn(svg: str) -> Image.Image:
    """The squares of an SVG's path, 20 dots a mm."""
    image = Image.new("L", (1240, 580), 255)
    for x, y, side in re.findall(r"M([\d.]+) ([\d.]+)h([\d.]+)v", svg):
        left, top, size = (20 * float(value) for value in (x, y, side))
        ImageDraw.Draw(image).rectangle((left, top, left + size, top + size), fill=0)
    return image


@pytest.mark.parametrize("made", LABELS.values(), ids=LABELS)
def test_both_pictures_say_the_id_and_the_station(tmp_path: Path, made: Label) -> None:
    svg, png = made.write(tmp_path / "labels")
    assert (svg.name, png.name) == (f"{made.box}.svg", f"{made.box}.png")
    wanted = [f"noisewarden://{made.station}/{made.box}"]
    assert decoded(Image.open(png)) == wanted
    assert decoded(drawn(svg.read_text(encoding="utf-8"))) == wanted


@pytest.mark.parametrize("made", LABELS.values(), ids=LABELS)
def test_it_is_the_size_of_the_tape_and_keeps_off_its_edge(tmp_path: Path, made: Label) -> None:
    made.png(tmp_path / "label.png")
    image = Image.open(tmp_path / "label.png")
    assert (image.size, image.mode) == ((732, 343), "1")
    assert [round(value) for value in image.info["dpi"]] == [300, 300]
    rows, columns = np.nonzero(~np.asarray(image))
    assert rows.min() >= 33 and rows.max() <= 343 - 33, "3 mm, less what a letter may overhang"
    assert columns.min() >= 33 and columns.max() <= 732 - 33
    assert made.svg().startswith('<svg xmlns="http://www.w3.org/2000/svg" width="62mm"')


def test_a_person_reads_what_it_is(tmp_path: Path) -> None:
    shown = re.findall(r"<text [^>]*>([^<]*)</text>", USB_ONLY.svg())
    assert shown[:2] == ["Noise Warden 噪声守望", "bagu-east-01"]
    assert " ".join(shown[2:-2]) == "Bagu &amp; Square &lt;East&gt;, lamp post 3"
    assert shown[-2:] == ["esp32-devkitc", "SN 240ac4a1b2c3"]


def test_nothing_of_a_long_place_is_lost() -> None:
    shown = re.findall(r"<text [^>]*>([^<]*)</text>", LONGEST.svg())
    assert "噪" * 60 in "".join(shown)


@pytest.mark.parametrize(
    ("break_it", "words"),
    [
        (lambda folder, patch: folder.write_text("a file"), "the label cannot be written"),
        (
            lambda folder, patch: patch.setattr(label, "_CHINESE_FONTS", (("none.ttc", 0),)),
            "has no Chinese font; install one",
        ),
    ],
)
def test_a_label_that_cannot_be_made(tmp_path: Path, monkeypatch, break_it, words: str) -> None:
    break_it(tmp_path / "labels", monkeypatch)
    with pytest.raises(UserError, match=words):
        USUAL.write(tmp_path / "labels")
