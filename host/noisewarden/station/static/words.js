// The words of the page's language, and its numbers and dates.

export const language = document.documentElement.dataset.language;
const locale = document.documentElement.lang;

const answer = await fetch(`/static/words.${language}.json`);
const words = await answer.json();

/** The text of `key`, its {names} filled in; `undefined` for a key that is not there. */
export function maybe(key, values = {}) {
  return words[key]?.replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

/** The same for a key that must be there. */
export function t(key, values) {
  return maybe(key, values) ?? key;
}

// An English month is a word, since 6/7 is a day of June to some and of July to others.
const inDays = { year: "numeric", month: language === "en" ? "short" : "2-digit", day: "2-digit" };
const whenever = new Intl.DateTimeFormat(locale, {
  ...inDays, hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
});
const clock = new Intl.DateTimeFormat(locale, {
  hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
});
const day = new Intl.DateTimeFormat(locale, inDays);
const ago = new Intl.RelativeTimeFormat(locale, { numeric: "auto" });

/** A Unix time in s as date and time of this computer's zone. */
export const dateTime = (unixS) => whenever.format(unixS * 1000);
export const time = (unixS) => clock.format(unixS * 1000);
export const date = (unixS) => day.format(unixS * 1000);

/** The time alone of today, with its date of any other day. */
export const moment = (unixS) =>
  (date(unixS) === date(Date.now() / 1000) ? time(unixS) : dateTime(unixS));

/** How long ago a Unix time in s is, in the largest unit that fits. */
export function since(unixS) {
  const seconds = Math.max(0, Date.now() / 1000 - unixS);
  if (seconds < 60) return ago.format(-Math.round(seconds), "second");
  if (seconds < 3600) return ago.format(-Math.round(seconds / 60), "minute");
  if (seconds < 86400) return ago.format(-Math.round(seconds / 3600), "hour");
  return ago.format(-Math.round(seconds / 86400), "day");
}

const whole = new Intl.NumberFormat(locale, { style: "percent" });

/** A share from 0 to 1; a little less than all is not all. */
export const percent = (share) => whole.format(Math.floor(share * 100) / 100);

const plain = new Intl.NumberFormat(locale);
const short = new Intl.NumberFormat(locale, { maximumSignificantDigits: 3 });
const SIZES = ["B", "kB", "MB", "GB", "TB"];

export const count = (number) => plain.format(number);

/** Bytes in the largest unit of 1000 that they fill. */
export function bytes(number) {
  const size = Math.min(SIZES.length - 1, Math.max(0, Math.floor(Math.log10(number || 1) / 3)));
  return `${short.format(number / 1000 ** size)} ${SIZES[size]}`;
}

/** A level in dB to a tenth, a dash for none; without its unit, and with it. */
export const dB = (laeq) => (laeq === null ? "–" : laeq.toFixed(1));
export const level = (laeq) => (laeq === null ? "–" : `${dB(laeq)} dB`);

const unit = (name) =>
  new Intl.NumberFormat(locale, { style: "unit", unit: name, unitDisplay: "short" });
const units = [["day", 86_400], ["hour", 3600], ["minute", 60], ["second", 1]]
  .map(([name, seconds]) => [unit(name), seconds]);

/** Seconds as the two largest units that they fill. */
export function duration(seconds) {
  const first = units.findIndex(([, size]) => seconds >= size);
  if (first < 0) return units.at(-1)[0].format(0);
  let left = seconds;
  return units.slice(first, first + 2).map(([format, size]) => {
    const count = Math.floor(left / size);
    left -= count * size;
    return count || size === units[first][1] ? format.format(count) : "";
  }).filter(Boolean).join(" ");
}
