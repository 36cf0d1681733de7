"""What the matrix shows, as the bytes of its WS2812 chain, which itself is the hardware's.

A picture is drawn at full strength and then dimmed as a whole, so that its estimated current stays
within the board's budget (`panel`). The budget is reckoned for the most costly number: 111 must
not be brighter than 88, nor a tight budget change how green and red compare.
"""

from micropython import const

from noisebox import fonts

LEAST_WIDTH = const(15)
"""Columns of three digits: a level of three digits begins with a narrow 1."""
LEAST_HEIGHT = const(8)
"""Rows of the large font and one for the heartbeat."""

_HIGHEST_NUMBER = const(199)
_GAP = const(2)
_BAR_DB = const(30)
"""How far below the limit the bar begins."""

# Red, green, blue. A colour-blind eye tells the two by their brightness: with the intensities of
# the WS2812B data sheet (red 405, green 690, blue 190 mcd) green is 2.3 times as bright as red,
# and more so for an eye without red cones. Blue moves it away from yellow, as in traffic lights.
GREEN = (0, 255, 60)
RED = (200, 0, 0)
_WHITE = const((80, 80, 80))
"""What is no level: dashes, text."""
_DIM = const((24, 24, 24))
_BLUE = const((0, 0, 80))


class Display:
    """Draws into `buffer`, whose bytes stand in the order of the chain and of its LEDs' colours.

    matrix  as in a board file: width, height, first (the corner of the first LED, "top-left" …),
            lines ("rows" or "columns": how the chain runs), serpentine (every second line runs
            back), rotation (degrees clockwise that the panel is mounted turned), colours ("GRB",
            …), channel_ma, idle_ma, budget_ma. It must hold three digits (LEAST_WIDTH,
            LEAST_HEIGHT).

    After a drawing `shown` is the text on the matrix and `colour` the verdict that the public
    sees: "green", "red", or "off" when no level is shown. Number and bar are drawn once a second
    and move the heartbeat. A drawing allocates nothing but the text of a number.
    """

    def __init__(self, matrix):
        # A box needs it only here, and then lets it go.
        from noisebox import panel

        self.width, self.height = panel.seen_size(matrix)
        self._starts = panel.chain(matrix)
        self.buffer = bytearray(3 * len(self._starts))
        self._order = tuple("RGB".index(letter) for letter in matrix["colours"])
        self._budget = panel.budget_bytes(matrix)
        self._heart = False
        self._beside = self.width >= LEAST_WIDTH + _GAP + 3 * (fonts.SMALL_WIDTH + 1) - 1
        self._below = not self._beside and self.height >= fonts.HEIGHT + _GAP + fonts.SMALL_HEIGHT

        self.brightness = 100
        """Per cent of what the budget allows."""
        self.show_limit = True
        self.off()
        self._number(188, 188, False)
        self._light(self.width - 1, self.height - 1, _BLUE)
        self._costliest = sum(self.buffer)
        self.off()

    def off(self):
        """All dark."""
        buffer = self.buffer
        for n in range(len(buffer)):
            buffer[n] = 0
        self.shown = ""
        self.colour = "off"

    def show_number(self, level, limit, overload=False):
        """The level in whole dB, red exactly when it is over the limit; dashes when it is None."""
        self.off()
        self._number(level, limit, overload)
        self._beat()
        self._dim()

    def show_bar(self, level, limit, overload=False):
        """How near the level is to the limit, without a number to compete for.

        Over the limit the bar is red, full and twice as thick, however loud it is. What is no
        level is shown as `show_number` shows it.
        """
        if level is None or overload:
            self.show_number(level, limit, overload)
            return
        self.off()
        over = level > limit
        thick = self.height // (2 if over else 4)
        top = (self.height - thick) // 2
        colour = self._verdict(over)
        length = self.width if over else max(1, self.width * (level - limit + _BAR_DB) // _BAR_DB)
        for x in range(length):
            for y in range(top, top + thick):
                self._light(x, y, colour)
        self._beat()
        self._dim()

    def show_text(self, text, step):
        """A line of the large font; what is wider than the matrix moves left a column a step."""
        self.off()
        self.shown = text
        columns = fonts.text_width(text)
        left = (self.width - columns) // 2
        if columns > self.width:
            left = self.width - step % (self.width + columns)
        self._text(text, left, (self.height - fonts.HEIGHT) // 2, _WHITE)
        self._dim()

    def identify(self, step):
        """A chequerboard that swaps its fields each step: nothing else looks like it."""
        self.off()
        for y in range(self.height):
            for x in range(self.width):
                self._light(x, y, _BLUE if (x // 2 + y // 2 + step) & 1 else _WHITE)
        self._dim()

    def _number(self, level, limit, overload):
        room = self.width
        top = (self.height - fonts.HEIGHT) // 2
        columns = 3 * fonts.SMALL_WIDTH + 2 if limit > 99 else 2 * fonts.SMALL_WIDTH + 1
        if self.show_limit and self._beside:
            room -= columns + _GAP
            self._small_number(limit, self.width, top + fonts.HEIGHT - fonts.SMALL_HEIGHT)
        elif self.show_limit and self._below:
            top = (self.height - fonts.HEIGHT - _GAP - fonts.SMALL_HEIGHT) // 2
            self._small_number(limit, (self.width + columns + 1) // 2, top + fonts.HEIGHT + _GAP)
        if level is None:
            self.shown, colour = "--", _WHITE
        elif overload:
            self.shown, colour = "HI", self._verdict(True)
        else:
            self.shown = str(max(0, min(level, _HIGHEST_NUMBER)))
            colour = self._verdict(level > limit)
        self._text(self.shown, (room - fonts.text_width(self.shown)) // 2, top, colour)

    def _verdict(self, over):
        self.colour = "red" if over else "green"
        return RED if over else GREEN

    def _text(self, text, left, top, colour):
        for character in text:
            for n in range(fonts.width(character)):
                self._column(left + n, top, fonts.column(character, n), colour)
            left += fonts.width(character) + 1

    def _small_number(self, number, right, top):
        """Draws a whole number over 0 that ends before column `right`."""
        while number:
            right -= fonts.SMALL_WIDTH
            for n in range(fonts.SMALL_WIDTH):
                self._column(right + n, top, fonts.small_column(number % 10, n), _DIM)
            number //= 10
            right -= 1

    def _column(self, x, top, bits, colour):
        while bits:
            if bits & 1:
                self._light(x, top, colour)
            bits >>= 1
            top += 1

    def _light(self, x, y, colour):
        if not 0 <= x < self.width:
            return
        start = self._starts[y * self.width + x]
        buffer, order = self.buffer, self._order
        buffer[start] = colour[order[0]]
        buffer[start + 1] = colour[order[1]]
        buffer[start + 2] = colour[order[2]]

    def _beat(self):
        self._heart = not self._heart
        if self._heart:
            self._light(self.width - 1, self.height - 1, _BLUE)

    def _dim(self):
        buffer = self.buffer
        # One scale for all that costs no more than the costliest number: digits must not flicker.
        load = max(sum(buffer), self._costliest)
        scale = min(256, self._budget * 256 // load) * self.brightness // 100
        if self._budget:
            scale = max(scale, 1)
        if scale < 256:
            for n in range(len(buffer)):
                if buffer[n]:
                    buffer[n] = (buffer[n] * scale + 255) >> 8
