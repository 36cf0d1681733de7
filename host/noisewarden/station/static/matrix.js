// The box's matrix as the public sees it, of 32 × 8 LEDs, a unit each and one of frame around.

import { draw, element } from "./svg.js";
import { t } from "./words.js";

const COLUMNS = 32;
const ROWS = 8;
const GAP = 2;
const BAR_DB = 30;

const width = (glyph) => document.getElementById(glyph).viewBox.baseVal.width;

function text(glyphs, left, top, colour) {
  const made = [];
  for (const glyph of glyphs) {
    const { width: w, height: h } = document.getElementById(glyph).viewBox.baseVal;
    made.push(element("use", {
      href: `#${glyph}`, x: left + 1, y: top + 1, width: w, height: h, class: `led ${colour}`,
    }));
    left += w + 1;
  }
  return made;
}

const columns = (glyphs) => glyphs.reduce((sum, glyph) => sum + width(glyph) + 1, -1);

function number(shown, limit, colour) {
  const small = [...String(limit)].map((digit) => `led-s${digit}`);
  const large = [...shown].map((character) => `led-${character}`);
  const room = COLUMNS - columns(small) - GAP;
  return [
    ...text(large, Math.floor((room - columns(large)) / 2), 0, colour),
    ...text(small, COLUMNS - columns(small), 2, "dim"),
  ];
}

function bar({ laeq, limit, colour }) {
  const over = colour === "red";
  const thick = ROWS / (over ? 2 : 4);
  const share = Math.min(1, Math.max(1 / COLUMNS, (laeq - limit + BAR_DB) / BAR_DB));
  return element("rect", {
    x: 1, y: 1 + (ROWS - thick) / 2, height: thick, class: `led ${colour}`,
    width: over ? COLUMNS : Math.floor(share * COLUMNS),
  });
}

/** Draws a reading (null: none that is true now) and says it in words, `reason` when dashes. */
export function show(picture, reading, reason) {
  const ground = [
    element("rect", { width: COLUMNS + 2, height: ROWS + 2, rx: 1, class: "led-panel" }),
    element("rect", { x: 1, y: 1, width: COLUMNS, height: ROWS, fill: "url(#leds)" }),
  ];
  if (reading === null) {
    // What the matrix shows, nobody here knows; a level it is not.
    draw(picture, t("tile.none", { reason }), ...ground, ...number("--", "", "white"));
    return;
  }
  const { shown, limit, colour, laeq } = reading;
  const verdict = t(colour === "red" ? "tile.over" : "tile.within");
  if (shown === "--") {
    draw(picture, t("tile.none", { reason }), ...ground, ...number(shown, limit, "white"));
  } else if (shown === "HI") {
    draw(picture, t("tile.overload", { limit }), ...ground, ...number(shown, limit, colour));
  } else if (/^\d+$/.test(shown)) {
    const words = t("tile.level", { shown, limit, verdict });
    draw(picture, words, ...ground, ...number(shown, limit, colour));
  } else if (shown) {
    const place = { x: COLUMNS / 2 + 1, y: ROWS / 2 + 2.4, class: "led-text" };
    draw(picture, shown, ...ground, element("text", place, shown));
  } else if (colour !== "off" && laeq !== null) {
    draw(picture, t("tile.bar", { verdict }), ...ground, bar(reading));
  } else {
    draw(picture, t("tile.off"), ...ground);
  }
}
