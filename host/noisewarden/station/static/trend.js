// The last ten minutes of a box as bars of ten seconds each, averaged by energy.

import { isOver } from "./levels.js";
import { draw, element } from "./svg.js";
import { t } from "./words.js";

const STEP_S = 10;
const STEPS = 60;
const LOW_DB = 35;
const HIGH_DB = 95;
const WIDTH = 240;
const HEIGHT = 48;
const BAR = WIDTH / STEPS;

const y = (level) =>
  HEIGHT - (HEIGHT * (Math.min(HIGH_DB, Math.max(LOW_DB, level)) - LOW_DB)) / (HIGH_DB - LOW_DB);

export class Trend {
  /** `levels`: of the steps that are over, the newest last; null where there was none. */
  constructor(levels) {
    this.levels = levels.slice(-STEPS);
    this.step = this.now();
    this.energy = 0;
    this.seconds = 0;
  }

  now() {
    return Math.floor(performance.now() / 1000 / STEP_S);
  }

  add(laeq) {
    this.advance();
    if (laeq === null) return;
    this.energy += 10 ** (laeq / 10);
    this.seconds += 1;
  }

  /** True when a step is over, so that the picture has changed. */
  advance() {
    const passed = this.now() - this.step;
    if (passed <= 0) return false;
    this.levels.push(this.seconds ? 10 * Math.log10(this.energy / this.seconds) : null);
    for (let n = 1; n < Math.min(passed, STEPS); n += 1) this.levels.push(null);
    this.levels = this.levels.slice(-STEPS);
    this.step += passed;
    this.energy = this.seconds = 0;
    return true;
  }

  /** `limit`: undefined when nobody knows it. */
  show(picture, limit) {
    const first = STEPS - this.levels.length;
    const paths = { within: "", over: "", none: "" };
    this.levels.forEach((level, n) => {
      const x = ((first + n + 0.5) * BAR).toFixed(1);
      if (level === null) paths.none += `M${x} ${HEIGHT}v-1.5`;
      else paths[isOver(level, limit) ? "over" : "within"] += `M${x} ${HEIGHT}V${y(level).toFixed(1)}`;
    });
    const lines = [50, 80].map((level) =>
      element("path", { d: `M0 ${y(level)}H${WIDTH}`, class: "grid" }));
    const bars = Object.entries(paths).map(([name, d]) =>
      element("path", { d, class: `bars ${name}` }));
    const mark = limit === undefined
      ? [] : [element("path", { d: `M0 ${y(limit)}H${WIDTH}`, class: "limit" })];
    draw(picture, this.words(limit), ...lines, ...bars, ...mark);
  }

  words(limit) {
    const levels = this.levels.filter((level) => level !== null);
    if (!levels.length) return t("tile.trend.none");
    const over = levels.filter((level) => isOver(level, limit)).length;
    return t("tile.trend", {
      low: Math.round(Math.min(...levels)),
      high: Math.round(Math.max(...levels)),
      over: ((over * STEP_S) / 60).toFixed(1),
    });
  }
}
