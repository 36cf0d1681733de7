// Time at the place of a box, by the hours that the station has cut a span into.

const TICK_PX = 56;
const HOUR_S = 3600;
const STEPS_S = [60, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200];
const DAYS_S = 2 * 86_400;

const two = (number) => String(number).padStart(2, "0");

/** The hour that a Unix time is in, of hours in their order. */
function hourOf(hours, unixS) {
  let [low, high] = [0, hours.length - 1];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (hours[middle].from_s <= unixS) low = middle;
    else high = middle - 1;
  }
  return hours[low];
}

/** HH:MM there, with `seconds` HH:MM:SS. An hour that comes twice, when summer ends, is one of two. */
export function clock(hours, unixS, seconds = false) {
  const hour = hourOf(hours, unixS);
  const into = Math.floor(unixS - hour.from_s) % HOUR_S;
  const text = `${two(hour.hour)}:${two(Math.floor(into / 60))}`;
  return seconds ? `${text}:${two(into % 60)}` : text;
}

export const dateOf = (hours, unixS) => hourOf(hours, unixS).date;

/** Where the axis of a picture `width` wide has its times: {at_s, words}. */
export function ticks({ hours, view }, width) {
  const length = view.to_s - view.from_s;
  const most = Math.max(2, Math.floor(width / TICK_PX));
  if (length > DAYS_S) {
    const days = hours.filter(({ hour }, n) => n === 0 || hour < hours[n - 1].hour);
    const each = Math.ceil(days.length / most);
    return days.filter((_, n) => n % each === 0)
      .map(({ from_s: at, date }) => ({ at_s: at, words: date.slice(5) }));
  }
  const step = STEPS_S.find((size) => length / size <= most) ?? STEPS_S.at(-1);
  return hours.flatMap((hour, n) => {
    const end = hours[n + 1]?.from_s ?? hour.from_s + HOUR_S;
    const made = [];
    for (let at = hour.from_s; at < end; at += Math.min(step, HOUR_S)) {
      const whole = hour.hour * HOUR_S + at - hour.from_s;
      if (whole % step === 0 && at >= view.from_s && at <= view.to_s) {
        made.push({ at_s: at, words: clock(hours, at) });
      }
    }
    return made;
  });
}
