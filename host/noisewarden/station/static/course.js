// The course of levels as a picture. What is not known is hatched and named: it is never quiet.

import { isOver } from "./levels.js";
import { ticks } from "./local_time.js";
import { element } from "./svg.js";
import { t } from "./words.js";

const HEIGHT = 300;
const MARGIN = { left: 34, right: 8, top: 26, bottom: 24 };
const STRIP = 12;
const LOW_DB = 30;
const HIGH_DB = 90;
const STEP_DB = 10;
const JOINED_S = 10;
const LABEL_PX = 18;
const WIDE_PX = 11;
const NARROW_PX = 6.6;
const STAGES = 3;

/** Runs of points that follow each other and agree in `what`; those where it is "" are left out. */
export function runs(points, what) {
  const made = [];
  for (const point of points) {
    const of = what(point);
    const last = made.at(-1);
    if (last && last.of === of && point.from_s - last.to_s <= JOINED_S) last.to_s = point.to_s;
    else made.push({ from_s: point.from_s, to_s: point.to_s, of });
  }
  return made.filter((run) => run.of);
}

/** Of an hour there is no one limit. */
const over = ({ laeq, limit }) => laeq !== null && typeof limit === "number" && isOver(laeq, limit);

const limitAt = (points, unixS) =>
  points.find(({ from_s: from, to_s: to }) => from <= unixS && unixS < to)?.limit;

/**
 * `model`: view {from_s, to_s}; hours of the span; points {from_s, to_s, laeq, lafmax, limit,
 * stage, missing (why there is no level, as words), marks (words)}; seconds, stretches of LAeq,1s,
 * or null; gaps {from_s, to_s, words}.
 */
export class Course {
  constructor(picture) {
    this.picture = picture;
  }

  /** `width`: of the picture in px, for another than it has on the page. */
  show(model, width = this.picture.clientWidth) {
    this.model = model;
    this.width = Math.max(280, width);
    this.picture.setAttribute("viewBox", `0 0 ${this.width} ${HEIGHT}`);
    const highest = Math.max(HIGH_DB, ...model.points.map(({ lafmax }) => lafmax ?? 0));
    this.high = STEP_DB * Math.ceil(highest / STEP_DB);
    const seen = model.points.filter((point) => this.sees(point));
    this.cursor = element("path", { class: "cursor", d: "" });
    this.picked = element("rect", { class: "picked", y: MARGIN.top, height: this.tall, width: 0 });
    this.picture.replaceChildren(
      ...this.patterns(),
      ...this.nights(), ...this.bands(seen), ...this.grid(), ...this.times(),
      ...this.unknown(seen), ...this.levels(seen), ...this.limits(seen),
      ...this.stages(seen), ...this.marks(seen),
      this.picked, this.cursor,
    );
  }

  // Where things are.

  get tall() {
    return HEIGHT - MARGIN.top - MARGIN.bottom;
  }

  sees({ from_s: from, to_s: to }) {
    return to > this.model.view.from_s && from < this.model.view.to_s;
  }

  x(unixS) {
    const { from_s: from, to_s: to } = this.model.view;
    const share = Math.min(1, Math.max(0, (unixS - from) / (to - from)));
    return MARGIN.left + share * (this.width - MARGIN.left - MARGIN.right);
  }

  y(level) {
    const share = (Math.max(LOW_DB, level) - LOW_DB) / (this.high - LOW_DB);
    return MARGIN.top + (1 - share) * this.tall;
  }

  /** The time under a place on the screen. */
  at(clientX) {
    const { left, width } = this.picture.getBoundingClientRect();
    const wide = this.width - MARGIN.left - MARGIN.right;
    const inside = ((clientX - left) / width) * this.width - MARGIN.left;
    const { from_s: from, to_s: to } = this.model.view;
    return from + Math.min(1, Math.max(0, inside / wide)) * (to - from);
  }

  // What moves over it.

  point(unixS) {
    this.cursor.setAttribute(
      "d", unixS === null ? "" : `M${this.x(unixS).toFixed(1)} ${MARGIN.top}v${this.tall}`);
  }

  pick(from, to) {
    const left = this.x(Math.min(from, to));
    this.picked.setAttribute("x", left);
    this.picked.setAttribute("width", this.x(Math.max(from, to)) - left);
  }

  // What is drawn, from back to front.

  patterns() {
    const hatch = (id, angle, step) => {
      const made = element("pattern", {
        id, width: step, height: step, patternUnits: "userSpaceOnUse",
        patternTransform: `rotate(${angle})`,
      });
      made.append(
        element("rect", { width: step, height: step, class: `${id}-paper` }),
        element("path", { d: `M0 0v${step}`, class: `${id}-ink` }),
      );
      return made;
    };
    const all = element("defs", {});
    all.append(hatch("hatch-gap", 45, 8), hatch("hatch-missing", -45, 5));
    return [all];
  }

  rect({ from_s: from, to_s: to }, name, top = MARGIN.top, height = this.tall) {
    const left = this.x(from);
    return element("rect", {
      x: left.toFixed(1), width: Math.max(1, this.x(to) - left).toFixed(1), y: top, height,
      class: name,
    });
  }

  nights() {
    const hours = this.model.hours.map((hour, n, all) =>
      ({ ...hour, to_s: all[n + 1]?.from_s ?? this.model.to_s }));
    return runs(hours, ({ day }) => (day ? "" : "night"))
      .filter((night) => this.sees(night))
      .map((night) => this.rect(night, "night"));
  }

  bands(points) {
    return runs(points, ({ stage }) => stage || "").map((run) => this.rect(run, `band of-${run.of}`));
  }

  grid() {
    const made = [];
    for (let level = LOW_DB; level <= this.high; level += STEP_DB) {
      const y = this.y(level);
      made.push(
        element("path", { d: `M${MARGIN.left} ${y}H${this.width - MARGIN.right}`, class: "grid" }),
        element("text", { x: MARGIN.left - 6, y: y + 4, class: "scale" }, level),
      );
    }
    made.push(element("text", { x: 0, y: MARGIN.top - STRIP - 5 }, t("course.scale")));
    return made;
  }

  times() {
    const y = HEIGHT - MARGIN.bottom;
    return ticks(this.model, this.width).flatMap(({ at_s: at, words }) => {
      const x = this.x(at);
      return [
        element("path", { d: `M${x.toFixed(1)} ${y}v4`, class: "tick" }),
        element("text", { x: x.toFixed(1), y: HEIGHT - 7, class: "time" }, words),
      ];
    });
  }

  unknown(points) {
    const missing = runs(points, (point) => point.missing);
    const gaps = this.model.gaps.filter((gap) => this.sees(gap));
    return [
      ...missing.map((run) => this.rect(run, "missing")),
      ...gaps.map((gap) => this.rect(gap, "gap")),
      ...[...missing.map(({ of, ...run }) => ({ ...run, words: of })), ...gaps]
        .flatMap((part) => this.label(part)),
    ];
  }

  /** Across where there is room, else upright; a place that is narrower still is in the legend. */
  label({ from_s: from, to_s: to, words }) {
    const [left, right] = [this.x(from), this.x(to)];
    const long = words.length * (words.charCodeAt(0) > 0xff ? WIDE_PX : NARROW_PX) + 14;
    const upright = right - left < long;
    if (right - left < LABEL_PX || long > this.tall && upright) return [];
    const [x, y] = [(left + right) / 2, MARGIN.top + this.tall / 2];
    const made = element("g", upright ? { transform: `rotate(-90 ${x} ${y})` } : {});
    made.append(
      element("rect", {
        x: x - long / 2, y: y - LABEL_PX / 2, width: long, height: LABEL_PX, rx: 4, class: "label",
      }),
      element("text", { x, y: y + 4, class: "label-words" }, words),
    );
    return [made];
  }

  levels(points) {
    const finest = this.model.seconds === null
      ? points
      : this.model.seconds.flatMap(({ from_s: from, levels }) => levels.map((laeq, n) => (
        { from_s: from + n, to_s: from + n + 1, laeq, limit: limitAt(points, from + n) }
      ))).filter((second) => this.sees(second));
    // Between two seconds there is no room for what is only late: it has no level, or another one.
    const [name, joined] = this.model.seconds === null ? ["laeq", JOINED_S] : ["laeq each-second", 0];
    return [
      element("path", { d: this.steps(points, "lafmax"), class: "lafmax" }),
      element("path", { d: this.steps(finest, "laeq", joined), class: name }),
      element("path", { d: this.steps(finest.filter(over), "laeq", joined), class: `over ${name}` }),
    ];
  }

  /** A level at a stretch of time each; those that follow each other within `joined` s are one
   * line. */
  steps(points, name, joined = -Infinity) {
    let path = "";
    let last = -Infinity;
    for (const { from_s: from, to_s: to, [name]: level } of points) {
      if (level === null || level === undefined) continue;
      const y = this.y(level).toFixed(1);
      const start = this.x(from).toFixed(1);
      path += from - last <= joined ? `V${y}` : `M${start} ${y}`;
      path += `H${this.x(to).toFixed(1)}`;
      last = to;
    }
    return path;
  }

  limits(points) {
    const parts = runs(points, ({ limit }) => limit ?? "");
    return [
      element("path", {
        d: parts.map((part) => `M${this.x(part.from_s)} ${this.y(part.of)}H${this.x(part.to_s)}`).join(""),
        class: "limit",
      }),
      ...parts.filter((part) => this.x(part.to_s) - this.x(part.from_s) > 60).map((part) =>
        element("text", {
          x: this.x(part.from_s) + 4, y: this.y(part.of) - 4, class: "limit-words",
        }, t("course.limit", { limit: part.of }))),
    ];
  }

  /** Above the levels, as high as the stage: its colour says no more than its height. */
  stages(points) {
    return runs(points, ({ stage }) => stage || "").map((run) => {
      const height = (STRIP * run.of) / STAGES;
      return this.rect(run, `strip of-${run.of}`, MARGIN.top - 2 - height, height);
    });
  }

  /** Below them, where a level carries a mark. */
  marks(points) {
    const y = MARGIN.top + this.tall - 5;
    return runs(points, ({ marks }) => marks).map((run) => this.rect(run, "marked", y, 5));
  }
}
