// All boxes as the public sees them; what needs a person stands first.

import { Alarms } from "./alarms.js";
import { get, patch } from "./api.js";
import { attempt } from "./forms.js";
import { wanting as wantingPeople } from "./incident_words.js";
import { PlanOverview } from "./plan_overview.js";
import { follow } from "./stream.js";
import { Tile } from "./tile.js";
import { trouble as words } from "./troubles.js";
import { t } from "./words.js";

const TICK_MS = 1000;

const groups = Object.fromEntries(
  [...document.querySelectorAll("[data-group]")].map((group) => [group.dataset.group, group]));
const announcer = document.getElementById("announcer");
const trouble = document.getElementById("trouble");
const link = document.getElementById("link");
const acts = document.getElementById("square").dataset.acts === "yes";
let tiles = new Map();

const take = (incident) => attempt(trouble, () =>
  patch(`/incidents/${incident.id}`, { take: true }).then(handled));

const plans = new PlanOverview(document.getElementById("plans"));
const alarms = new Alarms(document.getElementById("alarms"), document.getElementById("sound"), {
  take: acts ? take : null,
  place: (box) => tiles.get(box)?.box.place || box,
});

/** An incident, as it is now; one that nobody has to see to any more leaves its tile. */
async function handled(incident) {
  alarms.hear(incident);
  const tile = tiles.get(incident.box);
  const wanted = incident.live && incident.closed_s === null;
  if (!tile || (!wanted && tile.incident?.id !== incident.id)) return;
  await tile.handle(wanted ? incident : null, acts ? take : null);
  arrange();
}

async function look() {
  await attempt(trouble, async () => {
    const boxes = (await get("/boxes")).filter((box) => !box.revoked);
    tiles = new Map(boxes.map((box) => [box.box, new Tile(box)]));
    document.getElementById("loading").hidden = true;
    document.getElementById("none").hidden = boxes.length > 0;
    for (const group of Object.values(groups)) group.querySelector("ul").replaceChildren();
    const wanting = await wantingPeople();
    alarms.look(wanting);
    for (const incident of wanting.reverse()) await handled(incident);
    await plans.look(tiles);
    arrange();
    ail(await get("/health"));
  });
}

/** Puts each tile into its group and place; those that are there already are not touched. */
function arrange() {
  for (const [need, group] of Object.entries(groups)) {
    const wanted = [...tiles.values()]
      .filter((tile) => tile.need === need)
      .sort((one, other) => one.before(other));
    const list = group.querySelector("ul");
    wanted.forEach(({ item }, n) => {
      if (list.children[n] !== item) list.insertBefore(item, list.children[n] ?? null);
    });
    while (list.children.length > wanted.length) list.lastElementChild.remove();
    group.querySelector("[data-count]").textContent = wanted.length;
    group.hidden = tiles.size === 0 || (wanted.length === 0 && need !== "act");
    const empty = group.querySelector("[data-empty]");
    if (empty) empty.hidden = wanted.length > 0;
  }
  plans.show(tiles);
}

/** What the station itself suffers from. */
function ail({ troubles }) {
  const place = document.getElementById("ailing");
  place.hidden = Object.keys(troubles).length === 0;
  place.querySelector("span").textContent = Object.entries(troubles)
    .map(([what, why]) => words(what).text ?? why).join(" ");
}

function announce(tile, before) {
  if (tile.stage === before) return;
  announcer.textContent = t("tile.announce", {
    place: tile.box.place || tile.box.box, stage: t(`stage.${tile.stage}`),
  });
}

function heard(news, take) {
  const tile = tiles.get(news.box);
  if (!tile) return false;
  const before = tile.stage;
  take(tile);
  announce(tile, before);
  return true;
}

function readings({ readings: all }) {
  for (const news of all) heard(news, (tile) => tile.heard(news));
  arrange();
}

function state(news) {
  if (!heard(news, (tile) => tile.state(news))) look(); // a box that is new here
  arrange();
}

function tell(now) {
  link.dataset.state = now;
  link.textContent = t(`link.${now}`);
}

setInterval(() => {
  for (const tile of tiles.values()) tile.tick();
  arrange();
}, TICK_MS);

const handlers = { readings, state, incident: handled, health: ail };
follow({ handlers, look, link: tell, calls: true });
