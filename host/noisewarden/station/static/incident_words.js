// What an incident is, in words.

import { get } from "./api.js";
import { dateTime, duration, moment, t } from "./words.js";

let names = {};

/** Whom the numbers of people stand for; asked again when there is a new one. */
export async function name(person) {
  if (person === null) return "";
  if (!(person in names)) names = await get("/people/names");
  return names[person] ?? String(person);
}

/** The API answers so many incidents at a time. */
export const PAGE = 50;

/** All incidents that want a person: the oldest too, which nobody may have closed for weeks. */
export async function wanting() {
  const found = [];
  let page;
  do {
    const before = found.length ? `&before=${found.at(-1).id}` : "";
    page = await get(`/incidents?wanting=true${before}`);
    found.push(...page);
  } while (page.length === PAGE);
  return found;
}

export async function state(incident) {
  if (incident.closed_s !== null) {
    return t("incident.state.closed", { name: await name(incident.closed_by) });
  }
  if (!incident.live) return t("incident.state.history");
  if (incident.taken_by === null) return t("incident.state.open");
  return t("incident.state.taken", { name: await name(incident.taken_by) });
}

export const began = ({ opened_s: at }) => (at === null ? t("incident.unknown") : moment(at));

export const opened = ({ opened_s: at }) => (at === null ? t("incident.unknown") : dateTime(at));

export function lasted({ opened_s: from, calmed_s: to }) {
  if (to === null && from === null) return t("incident.going");
  if (to === null) return t("incident.going.for", { for: duration(Math.max(0, Date.now() / 1000 - from)) });
  return from === null ? "" : duration(to - from);
}

/** When it began and how long it has lasted. */
export function times(incident) {
  const calm = incident.calmed_s === null
    ? "" : t("incident.calm", { when: moment(incident.calmed_s) });
  return [began(incident), lasted(incident), calm].filter(Boolean).join(" · ");
}

/** The stage as a mark; its colour says no more than its text. */
export function chip(stage) {
  const made = document.createElement("span");
  made.className = "stage";
  made.dataset.at = stage;
  made.textContent = t(`stage.${stage}`);
  return made;
}
