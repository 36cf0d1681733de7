// The plans on the square: where each box stands, and what it shows now.

import { get } from "./api.js";
import { figure, fill, put } from "./pins.js";

export class PlanOverview {
  constructor(section) {
    this.section = section;
    this.pins = new Map();
  }

  async look(tiles) {
    const plans = (await get("/plans")).filter(({ boxes }) => boxes.some(({ box }) => tiles.has(box)));
    this.section.hidden = plans.length === 0;
    this.pins.clear();
    this.section.querySelector("[data-plans]").replaceChildren(...plans.map((plan) => {
      const made = figure(plan);
      for (const spot of plan.boxes.filter(({ box }) => tiles.has(box))) {
        const pin = document.createElement("a");
        pin.className = "pin";
        pin.href = `/boxes/${spot.box}`;
        put(pin, spot);
        made.querySelector(".ground").append(pin);
        this.pins.set(spot.box, pin);
      }
      return made;
    }));
    this.show(tiles);
  }

  /** As the tiles have it. */
  show(tiles) {
    for (const [box, pin] of this.pins) {
      const tile = tiles.get(box);
      const { place } = tile.box;
      const words = tile.part.matrix.getAttribute("aria-label");
      pin.dataset.at = tile.stage;
      pin.dataset.level = tile.item.dataset.level;
      if (pin.dataset.words === words) continue;
      pin.dataset.words = words;
      pin.setAttribute("aria-label", `${place || box}: ${words}`);
      fill(pin, tile.reading?.shown || "--", place || box);
    }
  }
}
