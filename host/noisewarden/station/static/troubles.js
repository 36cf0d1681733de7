// What the station itself suffers from, in the language of the page.

import { maybe } from "./words.js";

/**
 * `what`: the kind of trouble and, after it, whose it is: "usb /dev/ttyUSB0", "journal of b-1".
 * Its name, and what it means and wants; `text` is null for a kind that has no words here.
 */
export function trouble(what) {
  const [kind, ...rest] = what.split(" ");
  const which = rest.filter((word) => word !== "of").join(" ");
  return {
    name: [maybe(`trouble.${kind}`) ?? kind, which].filter(Boolean).join(" "),
    text: maybe(`trouble.${kind}.text`, { which }) ?? null,
  };
}
