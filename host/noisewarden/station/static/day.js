// A day, a week or a month of a box: its course, which can be walked along and looked into.

import { get } from "./api.js";
import { Course } from "./course.js";
import { download } from "./download.js";
import { attempt, press } from "./forms.js";
import * as levels from "./levels.js";
import { clock, dateOf } from "./local_time.js";
import { Statistics } from "./statistics.js";
import { level, t } from "./words.js";

const SECONDS_MOST_S = 7200;
const VIEW_LEAST_S = 120;
const ZOOM = 4;
const FAST = 10;
const PICK_LEAST_PX = 6;
const AGAIN_EVERY_MS = 60_000;
/** So late the last minutes of a span may come. */
const LATE_S = 360;

const part = (name) => document.querySelector(`[data-day="${name}"]`);

export class Day {
  /** `id`: of the box. What to show at first stands in the address of the page. */
  constructor(id) {
    this.id = id;
    this.course = new Course(part("picture"));
    this.statistics = new Statistics(id);
    const asked = new URL(location).searchParams;
    this.kind = ["week", "month"].includes(asked.get("span")) ? asked.get("span") : "day";
    this.date = asked.get("date");
    this.view = this.cursor = this.seconds = null;
    this.turn = 0;
    this.listen();
    // Today is another day after midnight; of the one that ended, minutes may still be to come.
    setInterval(() => {
      const ended = this.span?.to_s + LATE_S < Date.now() / 1000;
      if (this.date === null || !ended) this.read();
    }, AGAIN_EVERY_MS);
  }

  // What is shown.

  /** Another date or kind of span. */
  async go(date, kind = this.kind) {
    Object.assign(this, { date, kind });
    this.view = this.cursor = null;
    const address = new URL(location);
    address.search = new URLSearchParams({ span: kind, ...(date && { date }) });
    history.replaceState(null, "", address);
    await this.read();
  }

  read() {
    const turn = ++this.turn;
    return attempt(part("trouble"), async () => {
      const date = this.date ? `&date=${this.date}` : "";
      const span = await get(`/boxes/${this.id}/span?span=${this.kind}${date}`);
      const [points, gaps] = await Promise.all([
        levels.points(this.id, span), levels.gaps(this.id, span),
      ]);
      if (turn !== this.turn) return; // somebody has gone on meanwhile
      if (span.from_s !== this.span?.from_s) this.view = this.cursor = null;
      Object.assign(this, { span, points, gaps });
      this.view ??= { from_s: span.from_s, to_s: span.to_s };
      await this.look();
      await this.statistics.read(span);
    });
  }

  /** Another part of the span. */
  async look(view = this.view) {
    const turn = this.turn;
    this.view = view;
    const close = this.kind === "day" && view.to_s - view.from_s <= SECONDS_MOST_S;
    const seconds = close ? await levels.seconds(this.id, view) : null;
    if (turn !== this.turn || view !== this.view) return;
    this.seconds = seconds;
    this.show();
  }

  show() {
    const { span, view, points, gaps, seconds } = this;
    this.course.show({ ...span, view, points, gaps, seconds });
    const byMonth = this.kind === "month";
    part("date").type = byMonth ? "month" : "date";
    part("date").max = byMonth ? span.today.slice(0, 7) : span.today;
    part("date").value = byMonth ? span.first.slice(0, 7) : this.date ?? span.today;
    part("previous").disabled = part("today").disabled = false;
    part("following").disabled = span.following > span.today;
    for (const button of document.querySelectorAll("[data-span]")) {
      button.setAttribute("aria-pressed", button.dataset.span === this.kind);
    }
    const whole = view.from_s === span.from_s && view.to_s === span.to_s;
    part("whole").disabled = part("out").disabled = whole;
    part("in").disabled = this.kind !== "day" || view.to_s - view.from_s <= VIEW_LEAST_S;
    part("title").textContent = span.first === span.last
      ? span.first : t("course.from.to", { from: span.first, to: span.last });
    part("none").hidden = points.length > 0;
    part("minutes").disabled = part("seconds").disabled = false;
    part("seconds").hidden = this.kind === "month";
    this.tell();
  }

  // Where one is.

  /** What is known at the cursor, in words; the summary when it is nowhere. */
  tell() {
    this.course.point(this.cursor);
    const slider = part("slider");
    slider.setAttribute("aria-valuemin", this.view.from_s);
    slider.setAttribute("aria-valuemax", this.view.to_s);
    slider.setAttribute("aria-valuenow", this.cursor ?? this.view.from_s);
    const words = this.cursor === null ? t("course.nowhere") : this.words(this.cursor);
    slider.setAttribute("aria-valuetext", words);
    part("readout").textContent = words;
  }

  words(unixS) {
    const { hours } = this.span;
    const when = this.kind === "day"
      ? clock(hours, unixS, this.seconds !== null)
      : `${dateOf(hours, unixS)} ${clock(hours, unixS)}`;
    const inside = ({ from_s: from, to_s: to }) => from <= unixS && unixS < to;
    const point = this.points.find(inside);
    if (!point) return `${when} · ${this.gaps.find(inside)?.words ?? t("course.later")}`;
    const second = this.seconds === null ? undefined : levels.at(this.seconds, unixS);
    const told = [
      when,
      second !== undefined && `LAeq,1s ${level(second)}`,
      point.missing || `${point.name} ${level(point.laeq)} · LAFmax ${level(point.lafmax)}`,
      point.limit !== null && t("course.limit", { limit: point.limit }),
      point.stage > 0 && t(`stage.${point.stage}`),
      point.marks,
    ];
    return told.filter(Boolean).join(" · ");
  }

  get step() {
    if (this.kind !== "day") return 3600;
    return this.seconds === null ? 60 : 1;
  }

  /** Moves the cursor by steps; at the edge the view goes along. */
  walk(steps) {
    const { view, span } = this;
    const last = Math.min(span.to_s, span.now_s) - 1;
    const from = this.cursor ?? (steps > 0 ? view.from_s - this.step : Math.min(view.to_s, last));
    this.cursor = Math.max(span.from_s, Math.min(last, from + steps * this.step));
    const length = view.to_s - view.from_s;
    if (this.cursor < view.from_s) return this.look(this.around(this.cursor, length));
    if (this.cursor >= view.to_s) return this.look(this.around(this.cursor, length));
    return this.tell();
  }

  /** A view of some seconds about a time, inside of the span. */
  around(unixS, length) {
    const { from_s: first, to_s: last } = this.span;
    const from = Math.round(Math.max(first, Math.min(last - length, unixS - length / 2)));
    return { from_s: from, to_s: Math.min(last, from + Math.round(length)) };
  }

  zoom(factor) {
    const { view, span } = this;
    const length = Math.max(VIEW_LEAST_S, (view.to_s - view.from_s) / factor);
    const middle = this.cursor ?? (view.from_s + Math.min(view.to_s, span.now_s)) / 2;
    return this.look(this.around(middle, Math.min(length, span.to_s - span.from_s)));
  }

  whole() {
    return this.look({ from_s: this.span.from_s, to_s: this.span.to_s });
  }

  // What people do.

  listen() {
    const doing = (name, work) =>
      part(name).addEventListener("click", () => attempt(part("trouble"), work));
    doing("previous", () => this.go(this.span.previous));
    doing("following", () => this.go(this.span.following));
    doing("today", () => this.go(null));
    doing("in", () => this.zoom(ZOOM));
    doing("out", () => this.zoom(1 / ZOOM));
    doing("whole", () => this.whole());
    for (const name of ["minutes", "seconds"]) {
      doing(name, () => {
        const { from_s: from, to_s: to, first } = this.span;
        return download(
          `/boxes/${this.id}/${name}?from=${from}&to=${to}`, `${this.id}-${first}-${name}.csv`);
      });
    }
    part("date").addEventListener("change", ({ target: { value } }) => {
      if (value) this.go(value.length === 7 ? `${value}-01` : value);
    });
    for (const button of document.querySelectorAll("[data-span]")) {
      press(button, () => this.go(this.date, button.dataset.span));
    }
    new ResizeObserver(() => this.span && this.show()).observe(part("slider"));
    part("slider").addEventListener("keydown", (event) => this.key(event));
    this.listenToPointer(part("picture"));
  }

  key(event) {
    const fast = event.shiftKey ? FAST : 1;
    const keys = {
      ArrowLeft: () => this.walk(-fast), ArrowRight: () => this.walk(fast),
      PageDown: () => this.walk(-FAST), PageUp: () => this.walk(FAST),
      Home: () => this.walk(-Infinity), End: () => this.walk(Infinity),
      "+": () => this.kind === "day" && this.zoom(ZOOM), "-": () => this.zoom(1 / ZOOM),
      Escape: () => this.whole(), Enter: () => this.open(),
    };
    if (!this.span || !(event.key in keys)) return;
    event.preventDefault();
    attempt(part("trouble"), async () => keys[event.key]());
  }

  /** The day of a week or month that the cursor is in. */
  open() {
    if (this.kind === "day" || this.cursor === null) return null;
    return this.go(dateOf(this.span.hours, this.cursor), "day");
  }

  listenToPointer(picture) {
    let start = null;
    picture.addEventListener("pointerdown", (event) => {
      if (!this.span || event.button) return;
      start = event.clientX;
      picture.setPointerCapture(event.pointerId);
    });
    picture.addEventListener("pointermove", ({ clientX }) => {
      if (!this.span) return;
      this.cursor = Math.floor(this.course.at(clientX));
      if (start !== null) this.course.pick(this.course.at(start), this.course.at(clientX));
      this.tell();
    });
    picture.addEventListener("pointercancel", () => {
      start = null;
      this.course.pick(0, 0);
    });
    picture.addEventListener("pointerup", ({ clientX }) => {
      if (start === null) return;
      const [from, to] = [this.course.at(start), this.course.at(clientX)].sort((a, b) => a - b);
      const picked = Math.abs(clientX - start) >= PICK_LEAST_PX;
      start = null;
      this.course.pick(0, 0);
      attempt(part("trouble"), async () => {
        if (this.kind !== "day") await this.open();
        else if (picked) await this.look(this.around((from + to) / 2, Math.max(VIEW_LEAST_S, to - from)));
      });
    });
  }
}
