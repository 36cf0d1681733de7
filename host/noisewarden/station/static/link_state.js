// Whether what a page shows is live, in its bar.

import { t } from "./words.js";

const place = document.getElementById("link");

/** `state`: connecting, live or lost. */
export function tellLink(state) {
  place.dataset.state = state;
  place.textContent = t(`link.${state}`);
}
