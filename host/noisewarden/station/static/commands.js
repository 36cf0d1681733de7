// What was asked of a box: by whom, and how far it has come.

import { get } from "./api.js";
import { heard } from "./heard.js";
import { name } from "./incident_words.js";
import { row } from "./tables.js";
import { dateTime, duration, maybe, t, time } from "./words.js";

/** A command in words. */
export function describe({ action, arguments: given }) {
  const details = [given.text && `“${given.text}”`, given.seconds && duration(given.seconds)];
  const exception = given.config?.schedule?.exceptions?.at(-1);
  if (exception && exception.from_date === exception.to_date) {
    details.push(t("command.exception", {
      date: exception.from_date, from: exception.from, to: exception.to, limit: exception.limit,
    }));
  }
  return [maybe(`action.${action}`) ?? action, ...details.filter(Boolean)].join(" · ");
}

export const by = async ({ asked_by: person }) =>
  (person === null ? t("command.station") : await name(person));

/** asked → sent → done, or refused, or timed out; each with its time. */
export function trail(command) {
  const made = document.createElement("ol");
  made.className = "trail";
  const ends = { done: command.answered_s, refused: command.answered_s, timed_out: command.expires_s };
  const steps = [["asked", command.asked_s]];
  if (command.sent_s !== null) steps.push(["sent", command.sent_s]);
  if (command.status in ends) steps.push([command.status, ends[command.status]]);
  for (const [status, at] of steps) {
    const step = document.createElement("li");
    step.className = "status";
    step.dataset.status = status;
    step.textContent = t(`status.${status}`);
    if (at !== null) step.append(" ", Object.assign(document.createElement("time"), { textContent: time(at) }));
    made.append(step);
  }
  return made;
}

/** The latest commands of a box as rows, the newest first. */
export class Commands {
  constructor(id, body, none) {
    Object.assign(this, { id, body, none, rows: new Map() });
  }

  async look() {
    const recent = await get(`/boxes/${this.id}/commands`);
    this.rows.clear();
    this.body.replaceChildren();
    this.none.hidden = recent.length > 0;
    for (const command of recent.reverse()) await this.show(command);
  }

  /** A command as it is now. */
  async show(command) {
    const made = row(
      dateTime(command.asked_s), await by(command), describe(command), trail(command),
      heard(command.detail));
    const before = this.rows.get(command.id);
    if (before) before.replaceWith(made);
    else this.body.prepend(made);
    this.rows.set(command.id, made);
    this.none.hidden = true;
  }
}

/** The command that somebody has asked for on this page, and what comes of it. */
export class Asked {
  constructor(place) {
    this.place = place;
    this.heard = new Map();
  }

  /** The answer of the API to a request; news of it may have come before. */
  show(command) {
    this.id = command.id;
    this.take(this.heard.get(command.id) ?? command);
  }

  /** News of any command; whether it is of this one. */
  take(command) {
    this.heard.set(command.id, command);
    if (command.id !== this.id) return false;
    this.place.replaceChildren(describe(command), trail(command), heard(command.detail));
    return true;
  }
}
