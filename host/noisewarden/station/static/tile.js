// A box on the square: the number as the public sees it, and what stands behind it.

import * as matrix from "./matrix.js";
import { Trend } from "./trend.js";
import { name } from "./incident_words.js";
import { level, maybe, since, t } from "./words.js";

const STALE_MS = 6000;
const NEEDS_A_TECHNICIAN = ["dead", "slot", "uncalibrated", "clock"];
const REFERRAL = 3;

export class Tile {
  /** `box`: as /api/v1/boxes has it. */
  constructor(box) {
    this.box = box;
    this.trend = new Trend(box.trend);
    this.item = document.getElementById("tile").content.cloneNode(true).firstElementChild;
    this.part = Object.fromEntries(
      [...this.item.querySelectorAll("*")].flatMap((part) =>
        Object.keys(part.dataset).map((name) => [name, part])));
    this.part.place.textContent = box.place || box.box;
    this.part.link.href = `/boxes/${box.box}`;
    this.part.box.textContent = box.box;
    this.incident = null;
    this.heard(box);
    this.trend.show(this.part.trend, this.limit);
  }

  heard({ reading, reason }) {
    this.at = performance.now();
    this.reading = reading;
    this.reason = reason;
    if (reading) {
      this.trend.add(reading.laeq);
      this.limit = reading.limit;
    }
    this.show();
  }

  state(box) {
    Object.assign(this.box, box);
    this.heard(box);
  }

  /** Once a second: a level that nobody confirms is none, and the trend moves on. */
  tick() {
    if (this.reading && performance.now() - this.at > STALE_MS) {
      this.heard({ reading: null, reason: "stale" });
    }
    if (this.trend.advance()) this.trend.show(this.part.trend, this.limit);
    if (!this.reading) this.showReason();
  }

  get stage() {
    return this.reading?.stage ?? 0;
  }

  /** The incident of this box that wants a person, null for none. `take` is what a button does. */
  async handle(incident, take) {
    this.incident = incident;
    const { incident: place, taken, take: button, case: link } = this.part;
    place.hidden = !incident;
    if (!incident) return;
    link.href = `/incidents/${incident.id}`;
    button.hidden = incident.taken_by !== null || !take;
    button.onclick = () => take?.(incident);
    taken.hidden = incident.taken_by === null;
    taken.textContent = taken.hidden
      ? "" : t("tile.taken", { name: await name(incident.taken_by) });
  }

  /** Whether it wants an officer who is not there yet. */
  get wants() {
    if (this.incident) return this.incident.taken_by === null && this.incident.stage >= REFERRAL;
    return this.stage >= REFERRAL;
  }

  get flags() {
    return this.reading?.flags ?? [];
  }

  /** Which group it belongs to: act (an officer), look (anybody), calm. */
  get need() {
    if (this.wants) return "act";
    const fault = !this.reading || this.flags.some((flag) => NEEDS_A_TECHNICIAN.includes(flag));
    return this.incident || this.stage > 0 || fault ? "look" : "calm";
  }

  /** Within a group the higher stage goes first, then what gives no level, then by place. */
  before(other) {
    const rank = (tile) => [-tile.stage, tile.reading ? 1 : 0];
    const [mine, its] = [rank(this), rank(other)];
    if (mine[0] !== its[0]) return mine[0] - its[0];
    if (mine[1] !== its[1]) return mine[1] - its[1];
    return this.box.box < other.box.box ? -1 : 1;
  }

  show() {
    const { part, reading } = this;
    const why = t(`reason.${this.reason}`);
    matrix.show(part.matrix, reading, why);
    part.levels.hidden = !reading;
    if (reading) {
      part.laeq.textContent = level(reading.laeq);
      part.lafmax.textContent = level(reading.lafmax);
      part.limit.textContent = `${reading.limit} dB`;
    }
    // Without a level, "within" would be a claim; a stage that is held is none.
    part.stage.hidden = !reading || (reading.laeq === null && this.stage === 0);
    part.stage.textContent = t(`stage.${this.stage}`);
    this.item.dataset.at = this.stage;
    this.item.dataset.level = reading?.laeq == null ? "none" : reading.colour;
    this.showReason();
    this.showMarks();
  }

  showReason() {
    const { reason, part, box } = this;
    part.reason.hidden = !reason;
    if (!reason) return;
    const when = box.seen_s ? t("tile.seen", { when: since(box.seen_s) }) : t("tile.never");
    const away = this.reading ? "" : ` · ${when}`;
    part.reason.textContent = t("tile.none", { reason: t(`reason.${reason}`) }) + away;
  }

  showMarks() {
    const marks = this.flags
      .map((flag) => [flag, maybe(`flag.${flag}`)])
      .filter(([, words]) => words);
    if (this.reading?.spotlight) marks.unshift(["lamp", t("tile.lamp")]);
    const told = marks.map(([name]) => name).join();
    if (told === this.told) return;
    this.told = told;
    this.part.marks.replaceChildren(...marks.map(([name, words]) => {
      const mark = document.createElement("li");
      mark.dataset.mark = name;
      mark.textContent = words;
      return mark;
    }));
  }
}
