// What boxes answer and record, which is English, in the words of the page where it has some.

import { maybe } from "./words.js";

const NUMBER = /-?\d+/g;

/** Numbers are those of the text; its words are kept with # in their place. */
function known(text) {
  const numbers = text.match(NUMBER) ?? [];
  return maybe(`heard.${text.replace(NUMBER, "#")}`)?.replace(/#/g, () => numbers.shift());
}

/** The whole of it, or each part between commas. */
export function heard(text) {
  return known(text) ?? text.split(", ").map((part) => known(part) ?? part).join(" · ");
}
