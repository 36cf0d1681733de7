// How the station itself is.

import { get } from "./api.js";
import { attempt } from "./forms.js";
import { heard } from "./heard.js";
import { follow } from "./stream.js";
import { definitions } from "./tables.js";
import { trouble as words } from "./troubles.js";
import { bytes, count, dateTime, maybe, percent, since, t } from "./words.js";

const AGAIN_EVERY_MS = 5000;

const trouble = document.getElementById("trouble");
const link = document.getElementById("link");
const part = (name) => document.querySelector(`[data-part="${name}"]`);

/** What it means and wants; below it the cause as the station found it, which is in English. */
function ill([what, why]) {
  const { name, text } = words(what);
  const made = document.createElement("li");
  made.className = "notice bad";
  made.append(Object.assign(document.createElement("strong"), { textContent: name }), " ", text ?? "");
  const cause = document.createElement("p");
  cause.className = "small";
  cause.append(`${t("trouble.detail")}: `, Object.assign(document.createElement("span"), {
    lang: "en", textContent: why,
  }));
  made.append(cause);
  return made;
}

let told;

function showTroubles({ troubles }) {
  const found = Object.entries(troubles);
  document.getElementById("fine").hidden = found.length > 0;
  if (JSON.stringify(found) === told) return; // so that it is not read out again
  told = JSON.stringify(found);
  document.getElementById("troubles").replaceChildren(...found.map(ill));
}

function counts(name, numbers) {
  const found = Object.entries(numbers);
  part(name).replaceChildren(...found.map(([of, number]) => {
    const made = document.createElement("tr");
    const head = document.createElement("th");
    head.scope = "row";
    head.textContent = maybe(`count.${of}`) ?? of;
    made.append(head);
    made.appendChild(document.createElement("td")).textContent = count(number);
    return made;
  }));
  part(name).closest("section").querySelector("[data-none]").hidden = found.length > 0;
}

function refusals(refused) {
  const found = Object.entries(refused);
  if (!found.length) return [];
  return [[t("health.refused"), found.map(([why, times]) => `${heard(why)} ${count(times)}`).join(" · ")]];
}

function broker(found) {
  if (!found) return [[t("health.connection"), "–"]];
  const own = found.own ? t("health.broker.own") : found.name;
  return [
    [t("health.where"), own],
    [t("health.connection"), t(found.connected ? "health.connected" : "health.unconnected")],
    ...(found.own ? [[t("health.connections"), count(found.boxes)]] : []),
    ...refusals(found.refused),
  ];
}

function show(found) {
  const { versions, boxes, database, disk } = found;
  showTroubles(found);
  definitions(part("station"), [
    [t("health.version"), versions.noisewarden],
    ["Python", versions.python],
    [t("health.started"), `${dateTime(found.started_s)} (${since(found.started_s)})`],
  ]);
  definitions(part("boxes"), ["online", "admitted", "revoked"]
    .map((name) => [t(`health.boxes.${name}`), count(boxes[name])]));
  definitions(part("broker"), broker(found.broker));
  definitions(part("database"), [
    [t("health.kind"), `${maybe(`database.${database.kind}`) ?? database.kind} ${database.version}`],
    [t("health.size"), bytes(database.bytes)],
    [t("health.disk"), t("health.free", { free: bytes(disk.free_bytes), all: bytes(disk.all_bytes) })],
  ]);
  document.getElementById("room").textContent =
    t("health.room", { share: percent(disk.free_bytes / disk.all_bytes) });
  counts("messages", found.messages);
  counts("records", found.records);
}

const look = () => attempt(trouble, async () => show(await get("/health")));

setInterval(() => link.dataset.state === "live" && look(), AGAIN_EVERY_MS);
follow({
  handlers: { health: showTroubles },
  look,
  link: (now) => {
    link.dataset.state = now;
    link.textContent = t(`link.${now}`);
  },
});
