// Incidents: those that want a person first, each as a card; then what is over.

import { get, patch } from "./api.js";
import { attempt } from "./forms.js";
import * as said from "./incident_words.js";
import { follow } from "./stream.js";
import { link, row } from "./tables.js";
import { t } from "./words.js";

const TICK_MS = 5000;

const trouble = document.getElementById("trouble");
const more = document.getElementById("more");
const places = document.getElementById("places");
const open = document.querySelector('[data-part="open"]');
const rest = document.querySelector('[data-part="rest"]');
const names = new Map();
let wanting = [];
let oldest;

const wants = ({ live, closed_s: closed }) => live && closed === null;
const name = (box) => names.get(box) || box;

// Those that want a person.

/** Who has nobody yet goes first, then the higher stage, then who waits longer. */
const urgency = (one, other) =>
  (one.taken_by !== null) - (other.taken_by !== null) || other.stage - one.stage || one.id - other.id;

async function card(incident) {
  const made = document.getElementById("case").content.cloneNode(true).firstElementChild;
  const part = (which) => made.querySelector(`[data-${which}]`);
  made.dataset.at = incident.stage;
  part("link").href = `/incidents/${incident.id}`;
  part("link").textContent = name(incident.box);
  part("stage").replaceWith(said.chip(incident.stage));
  part("times").textContent = said.times(incident);
  part("state").textContent = await said.state(incident);
  part("take").parentElement.hidden = !open.dataset.acts || incident.taken_by !== null;
  part("take").addEventListener("click", () =>
    attempt(trouble, () => patch(`/incidents/${incident.id}`, { take: true })).then(look));
  return made;
}

async function showOpen() {
  wanting.sort(urgency);
  open.querySelector(".cases").replaceChildren(...await Promise.all(wanting.map(card)));
  open.querySelector("[data-none]").hidden = wanting.length > 0;
  open.querySelector("[data-count]").textContent = wanting.length;
}

/** How long it has lasted goes on; the cards stay, so that nobody's focus is lost. */
function tick() {
  [...open.querySelectorAll(".case [data-times]")].forEach((place, n) => {
    place.textContent = said.times(wanting[n]);
  });
}

// What is over.

const line = async (incident) => row(
  link(`/incidents/${incident.id}`, incident.id),
  name(incident.box),
  said.opened(incident),
  said.lasted(incident),
  said.chip(incident.stage),
  await said.state(incident),
  incident.outcome,
);

async function showRest(further) {
  const asked = new URLSearchParams();
  if (places.value) asked.set("box", places.value);
  if (further) asked.set("before", oldest);
  const listed = await get(`/incidents?${asked}`);
  oldest = listed.at(-1)?.id;
  more.hidden = listed.length < said.PAGE;
  const body = rest.querySelector("tbody");
  const lines = await Promise.all(listed.filter((incident) => !wants(incident)).map(line));
  if (further) body.append(...lines);
  else body.replaceChildren(...lines);
  const none = body.children.length === 0;
  rest.querySelector("[data-none]").hidden = !none;
  rest.querySelector(".scroll").hidden = none;
}

const look = () => attempt(trouble, async () => {
  for (const { box, place } of await get("/boxes")) {
    if (!names.has(box)) places.append(new Option(place || box, box));
    names.set(box, place);
  }
  wanting = await said.wanting();
  await showOpen();
  await showRest(false);
});

places.addEventListener("change", () => attempt(trouble, () => showRest(false)));
more.addEventListener("click", () => attempt(trouble, () => showRest(true)));
setInterval(tick, TICK_MS);
follow({ handlers: { incident: look }, look, link: () => null });
