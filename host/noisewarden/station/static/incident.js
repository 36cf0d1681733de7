// One incident: the levels around it, who did what, and what came of it.

import { get, patch, post } from "./api.js";
import { attempt, handle, press } from "./forms.js";
import { IncidentLevels } from "./incident_levels.js";
import * as said from "./incident_words.js";
import { follow } from "./stream.js";
import { row } from "./tables.js";
import { dateTime, level, t } from "./words.js";

const AGAIN_EVERY_MS = 30_000;
/** How wide the course is on A4. */
const PRINTED_PX = 660;

const page = document.getElementById("incident");
const trouble = document.getElementById("trouble");
const path = `/incidents/${page.dataset.incident}`;
const me = Number(page.dataset.me);
const acts = Boolean(page.dataset.acts);
const part = (name) => page.querySelector(`[data-${name}]`);
const forms = { intervene: document.getElementById("intervene"), close: document.getElementById("close") };
const levels = new IncidentLevels(part("picture"), part("figures"));
let incident;

async function line(done, n) {
  const record = incident.course.find(({ seq }) => seq === done.seq);
  const measured = record && record.laeq10 !== null
    ? t("incident.level", { level: level(record.laeq10), limit: record.limit }) : "";
  const number = document.createElement("span");
  number.className = "number";
  number.textContent = n + 1;
  return row(
    number,
    done.at_s === null ? t("incident.unknown") : dateTime(done.at_s),
    done.person === null ? t("incident.box.itself") : await said.name(done.person),
    t(`kind.${done.kind}`),
    done.note || measured,
    done.outcome,
  );
}

/** What the box had last been calibrated with when it began, as its journal has it. */
async function calibration() {
  const records = await get(`/boxes/${incident.box}/records?kind=calibration`);
  const last = records.find(({ seq }) => seq < incident.opened_seq);
  if (!last || last.unreadable) return t("incident.calibration.none");
  const { uncertainty_mdb: uncertainty, ...of } = last.fields;
  return t("incident.calibration.of", { ...of, uncertainty: (uncertainty / 1000).toFixed(2) });
}

/** How far the records of its stages can be trusted. */
function chain() {
  const states = incident.course.map(({ chain: state }) => state);
  const worst = ["broken", "unverified", "verified"].find((state) => states.includes(state));
  const wrong = states.filter((state) => state === worst).length;
  part("chain").dataset.verdict = worst;
  part("chain").textContent = worst
    ? t(`incident.chain.${worst}`, { count: states.length, wrong }) : "";
}

function showForms() {
  const { live, taken_by: owner, closed_s: closed } = incident;
  forms.intervene.hidden = false;
  for (const option of forms.intervene.elements.kind.options) {
    option.disabled = option.value !== "note" && (closed !== null || owner !== me);
  }
  if (forms.intervene.elements.kind.selectedOptions[0].disabled) {
    forms.intervene.elements.kind.value = "note";
  }
  forms.close.hidden = closed !== null || (live && owner !== me);
}

async function show() {
  const { live, taken_by: owner, closed_s: closed } = incident;
  const highest = said.chip(incident.stage);
  highest.dataset.highest = "";
  part("highest").replaceWith(highest);
  part("opened").textContent = said.opened(incident);
  part("lasted").textContent = said.lasted(incident);
  part("state").textContent = await said.state(incident);
  part("outcome").textContent = incident.outcome;
  part("outcome").parentElement.hidden = !incident.outcome;
  part("course").replaceChildren(...await Promise.all(incident.interventions.map(line)));
  const take = part("take");
  take.hidden = !acts || !live || closed !== null || owner === me;
  take.textContent = owner === null
    ? t("incident.take") : t("incident.takeover", { name: await said.name(owner) });
  chain();
  if (acts) showForms();
}

const showLevels = () => attempt(trouble, async () => {
  part("levels").hidden = false; // a picture that is hidden has no width to draw in
  const found = await levels.read(incident);
  part("levels").hidden = !found;
  part("unknown").hidden = found;
});

const look = () => attempt(trouble, async () => {
  incident = await get(path);
  const { place, serial } = await get(`/boxes/${incident.box}`);
  part("box").textContent = place || incident.box;
  part("box").href = `/boxes/${incident.box}`;
  part("id").textContent = incident.box;
  part("serial").textContent = serial || "–";
  part("calibration").textContent = await calibration();
  await show();
  await showLevels();
});

// What people do.

press(part("take"), () => attempt(trouble, async () => {
  await patch(path, { take: true, instead_of: incident.taken_by });
  await look();
}));

press(part("print"), () => print());
addEventListener("beforeprint", () => {
  levels.show(PRINTED_PX);
  page.querySelector(".quantities").open = true;
  part("printed").textContent = t("incident.printed", {
    when: dateTime(Date.now() / 1000), name: page.dataset.name,
  });
  part("zone").textContent = t("incident.zone", {
    zone: Intl.DateTimeFormat().resolvedOptions().timeZone,
  });
});
addEventListener("afterprint", () => levels.show());

if (acts) {
  handle(forms.intervene, async ({ kind, note, outcome }) => {
    await post(`${path}/interventions`, { kind, note, outcome });
    forms.intervene.reset();
    await look();
  });
  handle(forms.close, async ({ outcome }) => {
    await patch(path, { outcome });
    await look();
  });
}

/** Its end moves on with the time, and minutes come up to five minutes late. */
setInterval(() => incident?.ended_s === null && showLevels(), AGAIN_EVERY_MS);

follow({
  handlers: { incident: (news) => news.id === incident?.id && look() },
  look,
  link: () => null,
});
