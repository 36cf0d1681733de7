// What a span of a box comes to, in figures; and each hour or day of it as a table.

import { get } from "./api.js";
import { definitions, row } from "./tables.js";
import { dB, level, maybe, percent, t } from "./words.js";

const NAMES = { laeq: "LAeq", lafmax: "LAFmax", l10: "L10", l50: "L50", l90: "L90" };

const part = (name) => document.querySelector(`[data-statistics="${name}"]`);

export class Statistics {
  constructor(id) {
    this.id = id;
    part("table").addEventListener("toggle", () => this.showTable());
  }

  async read(span) {
    this.span = span;
    const period = `from=${span.from_s}&to=${span.to_s}`;
    const found = await get(`/boxes/${this.id}/statistics?${period}`);
    if (span !== this.span) return; // somebody has gone on meanwhile
    this.show(found);
    await this.showTable();
  }

  show({ whole, unmarked, day, night, ldn, least_valid_share: least }) {
    definitions(part("figures"), [
      ...Object.entries(NAMES).map(([key, name]) => [name, level(whole[key])]),
      ["Ld", level(day.laeq)],
      ["Ln", level(night.laeq)],
      ["Ldn", level(ldn)],
      [t("statistics.valid"), percent(whole.valid_share)],
    ]);
    const marks = Object.entries(whole.marked_min)
      .filter(([flag, minutes]) => minutes > 0 && maybe(`flag.${flag}`))
      .map(([flag, minutes]) => t("statistics.marked", { flag: t(`flag.${flag}`), minutes }));
    const notes = [t("statistics.least", { least: percent(least) }), t("statistics.of")];
    if (unmarked.laeq !== whole.laeq && unmarked.laeq !== null) {
      notes.push(t("statistics.unmarked", { laeq: level(unmarked.laeq) }));
    }
    part("note").textContent = notes.join(" ");
    part("marks").textContent = marks.join(" · ");
    part("marks").hidden = marks.length === 0;
  }

  /** The hours of a day, the days of what is longer; they are asked for when they are wanted. */
  async showTable() {
    const { span } = this;
    const byHour = span?.span === "day";
    part("summary").textContent = t(byHour ? "statistics.hours" : "statistics.days");
    if (!span || !part("table").open) return;
    const period = `from=${span.from_s}&to=${span.to_s}`;
    const found = byHour
      ? (await get(`/boxes/${this.id}/hours?${period}`)).map((hour, n) =>
        [`${String(span.hours[n].hour).padStart(2, "0")}:00`, hour])
      : (await get(`/boxes/${this.id}/days?${period}`)).map(({ date, whole }) => [date, whole]);
    if (span !== this.span) return;
    part("rows").replaceChildren(...found.filter(([, of]) => of.from_s < span.now_s)
      .map(([when, of]) => row(
        when, ...Object.keys(NAMES).map((key) => dB(of[key])),
        percent(of.valid_share), t(`stage.${of.stage}`))));
  }
}
