// How a box is, how it was calibrated, and its journal: the evidence, record by record.

import { get } from "./api.js";
import { attempt } from "./forms.js";
import { tellLink } from "./link_state.js";
import { chain, detail, signed, when } from "./record_words.js";
import { follow } from "./stream.js";
import { definitions, row } from "./tables.js";
import { date, dateTime, duration, maybe, t } from "./words.js";

const PAGE = 50;
const FOR_EVER_S = 0xffffffff;
const WEEK_S = 7 * 86_400;

const { id } = document.getElementById("box").dataset;
const part = (name) => document.getElementById(name);
const trouble = part("trouble");

// How it is.

const kilobytes = (bytes) => `${Math.round(bytes / 1024)} KB`;
const STATE = {
  firmware: String,
  micropython: String,
  board: String,
  reset: (cause) => maybe(`reset.${cause}`) ?? cause,
  boot: String,
  uptime_s: duration,
  clock: (quality) => t(`clock.${quality}`),
  restarts: String,
  heap_free: kilobytes,
  idf_heap_free: kilobytes,
  signal: (dBm) => `${dBm} dBm`,
  outages: String,
  address: String,
  offset_db: (offset) => `${signed(1000 * offset)} dB`,
};

function showState({ state, seen_s: seen }) {
  const pairs = Object.entries(STATE)
    .filter(([name]) => name in state && state[name] !== null)
    .map(([name, words]) => [t(`state.${name}`), words(state[name])]);
  if (seen) pairs.push([t("state.seen"), dateTime(seen)]);
  definitions(part("state"), [...pairs, ...starts]);
  part("no-state").hidden = pairs.length > 0;
  part("calibrated").textContent = calibrated(state);
}

let starts = [];

/** How often it began anew of late, as its journal has it. */
async function readStarts() {
  const since = Date.now() / 1000 - WEEK_S;
  const boots = await get(`/boxes/${id}/records?kind=boot`);
  const recent = boots.filter(({ unix_s: at }) => at === null || at > since).length;
  starts = [[t("state.starts"), recent === PAGE ? `≥ ${recent}` : recent]];
}

function calibrated({ void: why, calibrated_until: until }) {
  if (why) return t("calibration.void", { why });
  if (!Number.isInteger(until) || until > FOR_EVER_S) return t("calibration.unknown");
  if (until === FOR_EVER_S) return t("calibration.virtual");
  if (!until) return t("calibration.never");
  const day = date(until - 1);
  return t(until * 1000 > Date.now() ? "calibration.valid" : "calibration.over", { date: day });
}

// How it was calibrated.

async function readCalibrations() {
  const records = await get(`/boxes/${id}/records?kind=calibration`);
  part("calibration").replaceChildren(...records.map((record) => {
    const { date: day, expires, offset_mdb: offset, uncertainty_mdb: uncertainty, ...by } = record.fields;
    return row(
      when(record), day, expires, `${signed(offset)} dB`, `± ${(uncertainty / 1000).toFixed(2)} dB`,
      by.meter, by.certificate, by.by, chain(record));
  }));
}

// Its journal.

let before = null;

async function readRecords(more) {
  const kind = part("kind").value;
  const older = more ? `&before=${before}` : "";
  const records = await get(`/boxes/${id}/records?kind=${kind}${older}`);
  const rows = records.map((record) => row(
    record.seq, when(record), maybe(`record.kind.${record.kind}`) ?? record.kind,
    detail(record), chain(record)));
  if (more) part("journal").append(...rows);
  else part("journal").replaceChildren(...rows);
  before = records.at(-1)?.seq ?? before;
  part("more").hidden = records.length < PAGE;
  part("no-records").hidden = part("journal").rows.length > 0;
}

async function readChain() {
  const { gaps, conflicts, held, ...counts } = await get(`/boxes/${id}/chain`);
  definitions(part("chain"), [
    ...["verified", "broken", "unverified"].map((state) => [t(`chain.${state}`), counts[state]]),
    [t("chain.held"), held],
  ]);
  const missing = [
    ...gaps.map((gap) => t(gap.gone ? "chain.gone" : "chain.waiting", gap)),
    ...(conflicts.length ? [t("chain.conflicts", { numbers: conflicts.join(", ") })] : []),
  ];
  part("missing").textContent = missing.join(" ");
  part("missing").hidden = missing.length === 0;
}

part("kind").addEventListener("change", () => attempt(trouble, () => readRecords(false)));
part("more").addEventListener("click", () => attempt(trouble, () => readRecords(true)));

follow({
  handlers: { state: (news) => news.box === id && showState(news) },
  look: () => attempt(trouble, async () => {
    const box = await get(`/boxes/${id}`);
    part("place").textContent = box.place || id;
    await readStarts();
    showState(box);
    await Promise.all([readCalibrations(), readRecords(false), readChain()]);
  }),
  link: tellLink,
});
