// What another configuration would have done yesterday, beside the one that there is.

import { get, post } from "./api.js";
import { duration, t } from "./words.js";

const SHOWN = {
  over_s: duration, incidents: String, reminders: String, lamp_s: duration, referrals: String,
};

async function yesterday(id) {
  const { previous } = await get(`/boxes/${id}/span`);
  return get(`/boxes/${id}/span?date=${previous}`);
}

/** A table of what `config` would have done, and `before` when it is given. */
export async function outcome(id, config, before = null) {
  const day = await yesterday(id);
  const path = `/boxes/${id}/what-if?from=${day.from_s}&to=${day.to_s}`;
  const configs = before ? [before, config] : [config];
  const found = [];
  for (const each of configs) found.push(await post(path, { config: each }));
  if (!found.at(-1).seconds) return t("whatif.nothing", { date: day.first });
  const table = document.createElement("table");
  table.className = "list outcome";
  table.createCaption().textContent = t("whatif.caption", {
    date: day.first, heard: duration(found.at(-1).seconds),
  });
  if (before) {
    const head = table.createTHead().insertRow();
    for (const words of ["", t("whatif.before"), t("whatif.after")]) {
      const cell = document.createElement(words ? "th" : "td");
      if (words) cell.scope = "col";
      cell.textContent = words;
      head.append(cell);
    }
  }
  const body = table.createTBody();
  for (const [name, words] of Object.entries(SHOWN)) {
    const line = body.insertRow();
    const title = document.createElement("th");
    title.scope = "row";
    title.textContent = t(`whatif.${name}`);
    line.append(title);
    for (const each of found) line.insertCell().textContent = words(each[name]);
  }
  return table;
}
