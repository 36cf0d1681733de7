// What the API says of a span of levels, as the course draws it.

import { get } from "./api.js";
import { maybe, t } from "./words.js";

const LATE_S = 360;
const NO_LEVEL = ["dead", "slot", "warmup"];

const period = ({ from_s: from, to_s: to }) => `from=${Math.floor(from)}&to=${Math.ceil(to)}`;

const names = (flags) => flags.map((flag) => maybe(`flag.${flag}`)).filter(Boolean).join(", ");

/** Over, as the matrix shows it: in whole dB. */
export const isOver = (level, limit) => Math.floor(level + 0.5) > limit;

/** Minutes of a day; hours of what is longer. */
export function points(id, span) {
  return span.span === "day" ? minutes(id, span) : hours(id, span);
}

async function minutes(id, span) {
  const { columns, flag_names: flags } = await get(`/boxes/${id}/minutes?${period(span)}`);
  return columns.from_s.map((from, n) => {
    const carried = flags.filter((_, bit) => (columns.flags[n] >> bit) & 1);
    const laeq = columns.laeq[n];
    const why = NO_LEVEL.find((flag) => carried.includes(flag)) ?? "dead";
    return {
      name: "LAeq,1min", from_s: from, to_s: columns.to_s[n], laeq, lafmax: columns.lafmax[n],
      limit: columns.limit[n], stage: columns.stage[n],
      missing: laeq === null ? t("course.missing", { reason: t(`reason.${why}`) }) : "",
      marks: names(carried.filter((flag) => flag !== "underrange")),
    };
  });
}

async function hours(id, span) {
  const found = await get(`/boxes/${id}/hours?${period(span)}`);
  // One without a record is in a gap; one whose records have no level is not.
  return found.map((hour) => ({ ...hour, carried: Object.keys(hour.marked_min) }))
    .filter(({ valid_s: valid, carried }) => valid > 0 || carried.length > 0)
    .map((hour) => ({
      name: "LAeq,1h", from_s: hour.from_s, to_s: hour.to_s, laeq: hour.laeq,
      lafmax: hour.lafmax, limit: null, stage: hour.stage,
      missing: hour.laeq === null ? t("course.little") : "",
      marks: names(hour.carried.filter((flag) => flag !== "underrange")),
    }));
}

/** Where nothing is known. The newest minutes are under way: they are no gap. */
export async function gaps(id, span) {
  const found = await get(`/boxes/${id}/gaps?${period(span)}`);
  const isLate = ({ from_s: from, to_s: to }) => to >= span.now_s - LATE_S && from >= to - LATE_S;
  return found.filter((gap) => !isLate(gap))
    .map((gap) => ({ ...gap, words: t(`course.gap.${gap.why}`) }));
}

/** LAeq,1s in stretches. */
export const seconds = (id, view) => get(`/boxes/${id}/seconds?${period(view)}`);

/** That of a Unix time, null for none; undefined when nothing is known. */
export function at(stretches, unixS) {
  const inside = ({ from_s: from, levels }) => from <= unixS && unixS < from + levels.length;
  const stretch = stretches.find(inside);
  return stretch?.levels[Math.floor(unixS - stretch.from_s)];
}
