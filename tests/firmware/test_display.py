"""The matrix. Pictures are read back by walking the chain of LEDs."""

import gc

import check
from noisebox import fonts
from noisebox.display import GREEN, RED, Display
from noisebox.panel import current_ma, least_budget_ma, seen_size

PANEL = {
    "width": 32,
    "height": 8,
    "first": "top-left",
    "lines": "columns",
    "serpentine": True,
    "rotation": 0,
    "colours": "GRB",
    "channel_ma": 12,
    "idle_ma": 1,
    "budget_ma": 2000,
}
SIZES = ((15, 8), (16, 16), (24, 8), (32, 8), (32, 16))

# Luminous intensities of the WS2812B data sheet, mcd at full current: the middle of each range.
RED_MCD, GREEN_MCD, BLUE_MCD = 405, 690, 190


def panel(**changes):
    matrix = dict(PANEL)
    matrix.update(changes)
    return matrix


def sized(width, height, **changes):
    return panel(width=width, height=height, **changes)


def walk(matrix):
    """Where each LED of the chain is seen, in the order of the chain: (x, y) from the top left."""
    width, height = matrix["width"], matrix["height"]
    columns = range(width) if "left" in matrix["first"] else range(width - 1, -1, -1)
    rows = range(height) if "top" in matrix["first"] else range(height - 1, -1, -1)
    by_rows = matrix["lines"] == "rows"
    for number, line in enumerate(rows if by_rows else columns):
        places = list(columns if by_rows else rows)
        if matrix["serpentine"] and number % 2:
            places.reverse()
        for place in places:
            x, y = (place, line) if by_rows else (line, place)
            high = height
            for _ in range(matrix["rotation"] // 90):
                # A quarter turn clockwise: the left edge becomes the top one.
                x, y, high = high - 1 - y, x, width if high == height else height
            yield x, y


def pixels(display, matrix):
    """{(x, y): (red, green, blue)} of the lit LEDs."""
    lit = {}
    for n, place in enumerate(walk(matrix)):
        colour = [display.buffer[3 * n + matrix["colours"].index(letter)] for letter in "RGB"]
        if any(colour):
            lit[place] = tuple(colour)
    return lit


def drawing(display, matrix):
    """The picture as lines of text: the main colour of each pixel, W for white, a dot for dark."""
    lines = []
    lit = pixels(display, matrix)
    for y in range(display.height):
        line = ""
        for x in range(display.width):
            red, green, blue = lit.get((x, y), (0, 0, 0))
            if not red + green + blue:
                line += "."
            elif red == green == blue:
                line += "W"
            else:
                line += "R" if red > max(green, blue) else "G" if green > blue else "B"
        lines.append(line)
    return lines


def milliamperes(display, matrix):
    leds = matrix["width"] * matrix["height"]
    return leds * matrix["idle_ma"] + sum(display.buffer) / 255 * matrix["channel_ma"]


def test_a_number_over_its_limit_is_red_with_the_limit_beside_it():
    display = Display(PANEL)
    display.show_number(72, 70)
    assert drawing(display, PANEL) == [
        "......RRRRR..RRR................",
        "..........R.R...R...............",
        "..........R.....R........WWW.WWW",
        ".........R.....R...........W.W.W",
        "........R.....R...........W..W.W",
        "........R....R............W..W.W",
        "........R...RRRRR.........W..WWW",
        "...............................B",
    ]


def test_a_square_matrix_has_the_limit_below():
    matrix = sized(16, 16)
    display = Display(matrix)
    display.show_number(100, 100)
    assert drawing(display, matrix) == [
        "................",
        ".G...GGG...GGG..",
        "GG..G...G.G...G.",
        ".G..G...G.G...G.",
        ".G..G...G.G...G.",
        ".G..G...G.G...G.",
        ".G..G...G.G...G.",
        "GGG..GGG...GGG..",
        "................",
        "................",
        "....W..WWW.WWW..",
        "...WW..W.W.W.W..",
        "....W..W.W.W.W..",
        "....W..W.W.W.W..",
        "...WWW.WWW.WWW..",
        "...............B",
    ]


def test_no_level_is_dashes_and_overload_is_a_red_hi():
    display = Display(sized(16, 8))
    display.show_number(None, 70, True)
    assert (display.shown, display.colour) == ("--", "off")
    assert drawing(display, sized(16, 8))[3] == "...WWWW.WWWW...."
    for level in (40, 99):
        display.show_number(level, 70, True)
        assert (display.shown, display.colour) == ("HI", "red")


def test_red_exactly_when_the_number_is_over_the_limit():
    display = Display(PANEL)
    for limit in (30, 55, 70, 100):
        for level in range(20, 140):
            display.show_number(level, limit)
            main = GREEN if level <= limit else RED
            colours = set(pixels(display, PANEL).values())
            assert main in colours, (level, limit)
            assert (RED if main == GREEN else GREEN) not in colours, (level, limit)
            assert display.colour == ("red" if level > limit else "green")
            assert display.shown == str(level)


def test_every_number_fits_the_smallest_matrix():
    wide, narrow = panel(), sized(15, 8)
    roomy, tight = Display(wide), Display(narrow)
    roomy.show_limit = False
    for level in range(-5, 250):
        roomy.show_number(level, 70)
        tight.show_number(level, 70)
        assert tight.shown == str(min(max(level, 0), 199))
        big = [colour for colour in pixels(roomy, wide).values() if colour in (GREEN, RED)]
        small = [colour for colour in pixels(tight, narrow).values() if colour in (GREEN, RED)]
        assert len(big) == len(small), level


def test_geometry_never_changes_the_picture():
    for shape in ((32, 8), (16, 16)):
        for rotation in (0, 90, 180, 270):
            width, height = shape if rotation in (0, 180) else (shape[1], shape[0])
            reference = None
            for first in ("top-left", "top-right", "bottom-left", "bottom-right"):
                for lines in ("rows", "columns"):
                    for serpentine in (False, True):
                        for colours in ("RGB", "RBG", "GRB", "GBR", "BRG", "BGR"):
                            matrix = sized(
                                width,
                                height,
                                rotation=rotation,
                                first=first,
                                lines=lines,
                                serpentine=serpentine,
                                colours=colours,
                            )
                            assert seen_size(matrix) == shape
                            display = Display(matrix)
                            display.show_number(157, 70)
                            seen = pixels(display, matrix)
                            if reference is None:
                                reference = seen
                                upright = Display(sized(shape[0], shape[1]))
                                upright.show_number(157, 70)
                                assert seen == pixels(upright, sized(shape[0], shape[1]))
                            assert seen == reference, matrix


def test_current_stays_within_the_budget():
    for width, height in SIZES:
        matrix = sized(width, height, channel_ma=18.5, idle_ma=0.7)
        least = least_budget_ma(matrix)
        for budget in (least, least + 300, 20000):
            matrix["budget_ma"] = budget
            display = Display(matrix)
            for brightness in (1, 25, 100):
                display.brightness = brightness
                for level in list(range(0, 200, 3)) + [188, None]:
                    for show in (display.show_number, display.show_bar):
                        show(level, 100)
                        current = milliamperes(display, matrix)
                        assert current <= budget, (width, height, budget, brightness, level)
                        assert abs(current - current_ma(matrix, display.buffer)) < 0.1
                for step in range(2):
                    display.identify(step)
                    assert milliamperes(display, matrix) <= budget
                display.show_text("@@@@@@@@@@@@", width + 10)
                assert milliamperes(display, matrix) <= budget


def test_a_budget_too_small_for_anything_stays_dark():
    matrix = panel(budget_ma=200)
    display = Display(matrix)
    display.show_number(88, 70)
    assert not any(display.buffer)


def test_all_stays_visible_at_the_least_budget_and_brightness():
    matrix = panel()
    bright = Display(matrix)
    matrix["budget_ma"] = least_budget_ma(matrix)
    dim = Display(matrix)
    dim.brightness = 1
    for level in (None, 42, 188):
        bright.show_number(level, 70)
        dim.show_number(level, 70)
        assert set(pixels(bright, matrix)) == set(pixels(dim, matrix))


def test_green_and_red_differ_in_brightness_whatever_the_budget():
    def luminance(limit):
        display.show_number(88, limit)
        lit = [c for c in pixels(display, matrix).values() if max(c) == max(display.buffer)]
        return sum(r * RED_MCD + g * GREEN_MCD + b * BLUE_MCD for r, g, b in lit) / len(lit)

    for budget in (600, 800, 2000):
        matrix = panel(budget_ma=budget)
        display = Display(matrix)
        for brightness in (10, 25, 100):
            display.brightness = brightness
            assert luminance(100) > 1.9 * luminance(70), (budget, brightness)


def test_all_numbers_are_equally_bright():
    matrix = panel(budget_ma=700)
    display = Display(matrix)
    brightest = set()
    for level in (11, 41, 71, 88, 100):
        display.show_number(level, 100)
        brightest.add(max(display.buffer))
    assert len(brightest) == 1 and brightest.pop() < 255


def test_brightness_dims_in_proportion():
    display = Display(PANEL)
    display.show_number(88, 70)
    full = sum(display.buffer)
    display.brightness = 25
    display.show_number(88, 70)
    assert 0.24 * full <= sum(display.buffer) <= 0.27 * full


def test_the_heart_beats_with_each_number_and_bar():
    for width, height in SIZES:
        matrix = sized(width, height)
        display = Display(matrix)
        corner = (width - 1, height - 1)
        beats = []
        for n in range(6):
            (display.show_bar if n % 2 else display.show_number)(60, 70)
            beats.append(corner in pixels(display, matrix))
        assert beats == [True, False] * 3, (width, height)


def test_the_limit_needs_room_and_a_wish():
    for (width, height), room in zip(SIZES, (False, True, False, True, True)):
        matrix = sized(width, height)
        display = Display(matrix)
        dim_pixels = []
        for wish in (True, False):
            display.show_limit = wish
            display.show_number(60, 70)
            dim_pixels.append([c for c in pixels(display, matrix).values() if c[0] == c[2]])
        assert bool(dim_pixels[0]) == room and not dim_pixels[1], (width, height)
        assert all(max(colour) < max(RED) / 4 for colour in dim_pixels[0])


def test_the_bar_grows_to_the_limit_and_tells_no_more_beyond():
    display = Display(PANEL)
    lengths = []
    for level in range(30, 71):
        display.show_bar(level, 70)
        lengths.append(max(line.count("G") for line in drawing(display, PANEL)))
        assert (display.shown, display.colour) == ("", "green")
    assert lengths == sorted(lengths) and lengths[0] == 1 and lengths[-1] == 32
    full = None
    for level in (71, 80, 120, 121):
        display.show_bar(level, 70)
        rows = [line for line in drawing(display, PANEL) if "R" in line]
        assert rows == ["R" * 32] * 4 and display.colour == "red"
        assert full is None or rows == full
        full = rows


def test_a_bar_without_a_level_is_dashes():
    display = Display(PANEL)
    for level, overload, shown, colour in ((None, False, "--", "off"), (90, True, "HI", "red")):
        display.show_bar(level, 70, overload)
        assert (display.shown, display.colour) == (shown, colour)


def test_a_short_text_stands_in_the_middle():
    display = Display(PANEL)
    display.show_text("Hi 5", 7)
    assert display.shown == "Hi 5" and display.colour == "off"
    assert drawing(display, PANEL) == [
        "......W...W.WWW.....WWWWW.......",
        "......W...W..W......W...........",
        "......W...W..W......W...........",
        "......WWWWW..W......WWWW........",
        "......W...W..W..........W.......",
        "......W...W..W......W...W.......",
        "......W...W.WWW......WWW........",
        "................................",
    ]


def test_a_long_text_passes_from_right_to_left_and_again():
    display = Display(PANEL)
    text = "PLEASE TURN IT DOWN"
    steps = display.width + fonts.text_width(text)
    display.show_text(text, 0)
    assert not any(display.buffer)
    before = drawing(display, PANEL)
    for step in range(1, steps + 1):
        display.show_text(text, step)
        now = drawing(display, PANEL)
        assert [line[:-1] for line in now] == [line[1:] for line in before], step
        before = now
    assert not any(display.buffer)


def test_letters_outside_the_font_become_question_marks():
    display, other = Display(PANEL), Display(PANEL)
    display.show_text("a{é广", 0)
    other.show_text("A???", 0)
    assert display.buffer == other.buffer


def test_identify_blinks_and_is_no_verdict():
    display = Display(PANEL)
    display.identify(0)
    first = drawing(display, PANEL)
    display.identify(1)
    second = drawing(display, PANEL)
    assert (display.shown, display.colour) == ("", "off")
    for line, other in zip(first, second):
        assert set(line) == {"W", "B"}
        assert all(a != b for a, b in zip(line, other))


def test_off_is_dark():
    display = Display(PANEL)
    display.show_number(99, 70)
    display.off()
    assert not any(display.buffer) and (display.shown, display.colour) == ("", "off")


def test_no_two_characters_look_alike():
    def glyph(character):
        return [fonts.column(character, n) for n in range(fonts.width(character))]

    shapes = [glyph(chr(code)) for code in range(32, 96)]
    for n, shape in enumerate(shapes):
        # A 0 and an O are the same ring: what stands beside them tells.
        assert shape not in shapes[:n] or n == ord("O") - 32, chr(32 + n)
    digits = [glyph(digit) + [0] * 2 for digit in "0123456789"]
    for n, digit in enumerate(digits):
        for other in digits[:n]:
            differing = sum(bin(a ^ b).count("1") for a, b in zip(digit, other))
            assert differing >= 3, (digit, other)
    small = [[fonts.small_column(digit, n) for n in range(3)] for digit in range(10)]
    for n, digit in enumerate(small):
        assert digit not in small[:n]


def test_a_redraw_allocates_no_more_than_its_text():
    display = Display(PANEL)
    display.show_number(72, 70)
    display.show_bar(60, 70)
    gc.collect()
    gc.disable()
    before = gc.mem_alloc()
    for level in (38, 100, 71):
        display.show_number(level, 70)
        display.show_bar(level, 70)
    used = gc.mem_alloc() - before
    gc.enable()
    assert used <= 3 * 128, used


check.run(globals())
