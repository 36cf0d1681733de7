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

/** A table of what the configuration `before` and `config` would have done. */
export async function outcome(id, config, before) {
  const day = await yesterday(id);
  const path = `/boxes/${id}/what-if?from=${day.from_s}&to=${day.to_s}`;
  const found = [];
  for (const each of [before, config]) found.push(await post(path, { config: each }));
  if (!found.at(-1).seconds) return t("whatif.nothing", { date: day.first });
  const table = document.createElement("table");
  table.className = "list outcome";
  table.createCaption().textContent = t("whatif.caption", {
    date: day.first, heard: duration(found.at(-1).seconds),
  });
  const head = table.createTHead().insertRow();
  head.insertCell();
  for (const words of ["whatif.before", "whatif.after"]) {
    const cell = document.createElement("th");
    cell.scope = "col";
    cell.textContent = t(words);
    head.append(cell);
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
