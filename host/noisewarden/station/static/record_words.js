// Records of a box's journal, in words.

import { heard } from "./heard.js";
import { dateTime, duration, level, maybe, t } from "./words.js";

const flags = (names) => names.map((name) => maybe(`flag.${name}`) ?? name).join(", ");
const stage = (number) => t(`stage.${number}`);

/** "done", or "refused: " and why. */
function answer(outcome) {
  const [status, ...why] = outcome.split(": ");
  return [maybe(`status.${status}`) ?? status, heard(why.join(": "))].filter(Boolean).join(" · ");
}

const WORDS = {
  minute: ({ laeq, lafmax, valid_s: valid, limit, flags: names }) => [
    `LAeq ${level(laeq)}`, `LAFmax ${level(lafmax)}`, t("course.limit", { limit }),
    valid < 60 && t("record.valid", { valid }), flags(names),
  ],
  stage: ({ previous, stage: to, laeq10, limit, flags: names }) => [
    `${stage(previous)} → ${stage(to)}`, t("incident.level", { level: level(laeq10), limit }), flags(names),
  ],
  boot: ({ cause, firmware, micropython, board }) => [
    maybe(`reset.${cause}`) ?? cause, `${t("state.firmware")} ${firmware}`,
    `MicroPython ${micropython}`, board,
  ],
  config: ({ change, digest }) => [heard(change), `SHA-256 ${digest.slice(0, 12)}…`],
  calibration: ({ offset_mdb: offset, expires, by }) => [
    t("record.calibrated", { offset: signed(offset), expires }), by,
  ],
  command: ({ action, by, outcome }) => [maybe(`action.${action}`) ?? action, by, answer(outcome)],
  fault: ({ text }) => [heard(text)],
  overwritten: ({ first, last }) => [t("record.overwritten", { first, last })],
};

/** Thousandths of a dB, with their sign. */
export const signed = (mdB) => `${mdB < 0 ? "−" : "+"}${(Math.abs(mdB) / 1000).toFixed(2)}`;

export function detail({ kind, fields, unreadable }) {
  if (unreadable) return t("record.unreadable", { why: unreadable });
  return (WORDS[kind]?.(fields) ?? [JSON.stringify(fields)]).filter(Boolean).join(" · ");
}

/** When it was, and how that is known where it is not beyond doubt. */
export function when({ unix_s: at, clock, boot, uptime_ms: uptime }) {
  if (at === null) return t("record.timeless", { boot, uptime: duration(uptime / 1000) });
  const doubt = maybe(`record.clock.${clock}`);
  return dateTime(at) + (doubt ? ` (${doubt})` : "");
}

/** What its chain says, as a mark. */
export function chain({ chain: state }) {
  const made = document.createElement("span");
  made.className = "chain";
  made.dataset.chain = state;
  made.textContent = t(`chain.${state}`);
  return made;
}
