// The course of levels around an incident, with what was done marked in it by its number.

import { get } from "./api.js";
import { Course } from "./course.js";
import * as levels from "./levels.js";
import { element } from "./svg.js";
import { definitions } from "./tables.js";
import { date, dB, duration, level, percent, t, time } from "./words.js";

const BEFORE_S = 300;
const AFTER_S = 600;
const LENGTH_MOST_S = 2 * 86_400;
const SECONDS_MOST_S = 3 * 3600;
const MARK_LEAST_PX = 15;
const MINUTE_S = 60;
const HOUR_MS = 3_600_000;
const DAY_FROM_H = 6;
const DAY_TO_H = 22;

/** What belongs to an incident, as its case has it. */
function periodOf({ opened_s: from, calmed_s: calm }) {
  const now = Math.floor(Date.now() / 1000);
  const to = calm === null ? now : Math.min(now, calm + AFTER_S);
  return { from_s: from - BEFORE_S, to_s: Math.min(to, from - BEFORE_S + LENGTH_MOST_S) };
}

/** The hours that a period is in, of this computer's zone as all times of the page. */
function hoursOf({ from_s: from, to_s: to }) {
  const made = [];
  const hour = new Date(from * 1000);
  for (hour.setMinutes(0, 0, 0); hour / 1000 < to; hour.setTime(hour.getTime() + HOUR_MS)) {
    const of = hour.getHours();
    made.push({
      from_s: hour / 1000, date: date(hour / 1000), hour: of, day: of >= DAY_FROM_H && of < DAY_TO_H,
    });
  }
  return made;
}

export class IncidentLevels {
  constructor(picture, figures) {
    this.picture = picture;
    this.figures = figures;
    this.course = new Course(picture);
    new ResizeObserver(() => this.show()).observe(picture.parentElement);
  }

  /** Whether there is anything to show of an incident. */
  async read(incident) {
    if (incident.opened_s === null) return false;
    const view = periodOf(incident);
    const close = view.to_s - view.from_s <= SECONDS_MOST_S;
    const span = { ...view, span: "day", hours: hoursOf(view), now_s: Date.now() / 1000 };
    const [points, gaps, seconds] = await Promise.all([
      levels.points(incident.box, span),
      levels.gaps(incident.box, span),
      close ? levels.seconds(incident.box, view) : null,
    ]);
    this.model = { ...span, view, points, gaps, seconds };
    this.incident = incident;
    this.show();
    await this.sum();
    return points.length > 0;
  }

  /** `width`: in px, for another than it has on the page; nothing when there are no levels. */
  show(width) {
    if (!this.model) return;
    this.course.show(this.model, width);
    this.mark();
    this.picture.setAttribute("aria-label", this.words());
  }

  /** What was done, each by its number in the table; those that stand too close share one. */
  mark() {
    let last = -Infinity;
    const { view } = this.model;
    const [top, tall] = [this.course.y(this.course.high), this.course.tall];
    this.incident.interventions.forEach(({ at_s: at }, n) => {
      if (at === null || at < view.from_s || at > view.to_s) return;
      const x = this.course.x(at);
      this.picture.append(element("path", { class: "done", d: `M${x} ${top}v${tall}` }));
      if (x - last < MARK_LEAST_PX) return;
      last = x;
      this.picture.append(element("text", { class: "done-number", x, y: top + tall - 8 }, n + 1));
    });
  }

  words() {
    const { points, view } = this.model;
    const known = points.map(({ laeq }) => laeq).filter((laeq) => laeq !== null);
    return t("incident.levels.words", {
      from: time(view.from_s), to: time(view.to_s),
      high: known.length ? dB(Math.max(...known)) : "–",
    });
  }

  /** What it came to in the minutes in which the box was loud. */
  async sum() {
    const { box, opened_s: from, calmed_s: calm } = this.incident;
    const to = Math.min(calm ?? this.model.view.to_s, this.model.view.to_s);
    const { whole } = await get(`/boxes/${box}/statistics?from=${from}&to=${to + MINUTE_S}`);
    definitions(this.figures, [
      ["LAeq", level(whole.laeq)], ["LAFmax", level(whole.lafmax)],
      ["L10", level(whole.l10)], ["L90", level(whole.l90)],
      [t("incident.lasted"), duration(to - from)],
      [t("statistics.valid"), percent(whole.valid_share)],
    ]);
  }
}
