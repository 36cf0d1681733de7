// A configuration as a form: docs/protocol.md has its keys, the box's own rules judge it.

import { t } from "./words.js";

const LISTS = ["schedule.rows", "schedule.exceptions"];
const NUMBERS = ["number", "range"];

// What a box says of a value that it does not take, and the words for it here.
const CAUSES = [
  [/is not a whole number(?: of dB,| from) (-?\d+),? to (\d+)/, (low, high) => t("wrong.whole", { low, high })],
  [/is not a text of at most (\d+)/, (most) => t("wrong.text", { most })],
  [/is not a time HH:MM/, () => t("wrong.time")],
  [/is not a date YYYY-MM-DD/, () => t("wrong.date")],
  [/is not a POSIX time zone/, () => t("wrong.zone")],
  [/is not weekdays/, () => t("wrong.weekdays")],
  [/is before from_date/, () => t("wrong.before")],
  [/is not a list of (\d+) at most/, (most) => t("wrong.many", { most })],
  [/is empty/, () => t("wrong.empty")],
  [/is more than (\w+)/, (other) => t("wrong.more", { other: t(`config.stages.${other}`) })],
  [/no limit from (\w+) (\S+) to (\w+) (\S+)/, (day, from, next, to) =>
    t("wrong.gap", { from: `${weekday(day)} ${from}`, to: `${weekday(next)} ${to}` })],
  [/two limits at (\w+) (\S+)/, (day, at) => t("wrong.two", { at: `${weekday(day)} ${at}` })],
];
const WEEKDAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

const weekday = (english) => t(`weekday.${WEEKDAYS.indexOf(english) + 1}`);

/** What is wrong with a value, in the language of the page where there are words for it. */
export function cause(text) {
  for (const [pattern, words] of CAUSES) {
    const found = pattern.exec(text);
    if (found) return words(...found.slice(1));
  }
  return text;
}

const sorted = (_, value) => (value && typeof value === "object" && !Array.isArray(value)
  ? Object.fromEntries(Object.entries(value).sort()) : value);

/** Whether two configurations say the same, whatever the order of their keys. */
export const same = (one, other) => JSON.stringify(one, sorted) === JSON.stringify(other, sorted);

function value(input) {
  if (input.type === "checkbox") return input.checked;
  if (!NUMBERS.includes(input.type)) return input.value;
  return input.value === "" ? null : Number(input.value);
}

function put(input, given) {
  if (input.type === "checkbox") input.checked = given;
  else input.value = given;
}

export class ConfigurationForm {
  /** `changed()` is called whenever somebody has changed it. */
  constructor(form, changed) {
    this.form = form;
    form.addEventListener("input", changed);
    for (const name of LISTS) {
      this.list(name).querySelector("[data-add]").addEventListener("click", () => {
        this.add(name).querySelector("input").focus();
        changed();
      });
      this.list(name).addEventListener("click", ({ target }) => {
        if (!target.matches("[data-remove]")) return;
        target.closest("li").remove();
        this.list(name).querySelector("[data-add]").focus();
        changed();
      });
    }
  }

  list(name) {
    return this.form.querySelector(`[data-list="${name}"]`);
  }

  rows(name) {
    return [...this.list(name).querySelectorAll(".rows > li")];
  }

  fields() {
    return [...this.form.querySelectorAll("[data-path]")];
  }

  /** A configuration that is whole. */
  fill(config) {
    this.config = config;
    for (const input of this.fields()) {
      const [section, key] = input.dataset.path.split(".");
      put(input, key === undefined ? config[section] : config[section][key]);
    }
    for (const name of LISTS) {
      this.list(name).querySelector(".rows").replaceChildren();
      const [section, key] = name.split(".");
      for (const row of config[section][key]) this.add(name, row);
    }
  }

  add(name, row = {}) {
    const made = document.querySelector(`template[data-row="${name}"]`)
      .content.cloneNode(true).firstElementChild;
    for (const input of made.querySelectorAll("[data-key]")) put(input, row[input.dataset.key] ?? "");
    for (const box of made.querySelectorAll("[data-day]")) {
      box.checked = (row.days ?? "").includes(box.dataset.day);
    }
    this.list(name).querySelector(".rows").append(made);
    return made;
  }

  /** As it stands there, good or not. */
  read() {
    const made = structuredClone(this.config);
    for (const input of this.fields()) {
      const [section, key] = input.dataset.path.split(".");
      if (key === undefined) made[section] = value(input);
      else made[section][key] = value(input);
    }
    for (const name of LISTS) {
      const [section, key] = name.split(".");
      made[section][key] = this.rows(name).map((row) => this.readRow(row));
    }
    return made;
  }

  readRow(row) {
    const inputs = [...row.querySelectorAll("[data-key]")];
    const made = Object.fromEntries(inputs.map((input) => [input.dataset.key, value(input)]));
    const days = [...row.querySelectorAll("[data-day]")];
    if (days.length) {
      made.days = days.filter((box) => box.checked).map((box) => box.dataset.day).join("");
    }
    return made;
  }

  /** Problems {field, text}, each beside its field; those of before go. */
  complain(problems) {
    for (const place of this.form.querySelectorAll(".problem")) {
      place.textContent = "";
      place.hidden = true;
    }
    for (const input of this.form.querySelectorAll("[aria-invalid]")) input.removeAttribute("aria-invalid");
    for (const { field, text } of problems) {
      const { place, input } = this.where(field);
      place.textContent = [place.textContent, cause(text)].filter(Boolean).join(" ");
      place.hidden = false;
      input?.setAttribute("aria-invalid", "true");
    }
  }

  where(field) {
    const row = /^(\w+\.\w+)\[(\d+)\](?:\.(\w+))?$/.exec(field);
    const line = row && this.rows(row[1])[Number(row[2])];
    if (line) {
      return {
        place: line.querySelector(":scope > .problem"),
        input: line.querySelector(`[data-key="${row[3]}"]`),
      };
    }
    const own = this.form.querySelector(`[data-problem="${field}"]`);
    return {
      place: own ?? this.form.querySelector('[data-problem=""]'),
      input: this.form.querySelector(`[data-path="${field}"]`),
    };
  }
}
