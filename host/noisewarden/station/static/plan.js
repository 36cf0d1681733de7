// Plans: a picture each, onto which the boxes are dragged, or moved with the arrow keys.

import { get, put as save, remove, upload } from "./api.js";
import { attempt, handle } from "./forms.js";
import { figure, fill, put } from "./pins.js";
import { t } from "./words.js";

const STEP = 0.01;
const FAR = 5;
const SAVE_AFTER_MS = 400;
const PICTURE_MOST_BYTES = 10 * 1024 * 1024;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

const trouble = document.getElementById("trouble");
const announcer = document.getElementById("announcer");
let names = new Map();

const inside = (share) => Math.min(1, Math.max(0, share));
const hundredths = (share) => Math.round(100 * share);

class Editor {
  constructor(plan) {
    this.plan = plan;
    this.section = document.getElementById("editor").content.cloneNode(true).firstElementChild;
    this.part = (name) => this.section.querySelector(`[data-${name}]`);
    this.part("name").textContent = plan.name;
    this.part("remove").setAttribute("aria-label", `${t("plan.remove")}: ${plan.name}`);
    this.part("remove").addEventListener("click", () => {
      if (!confirm(t("plan.remove.ask", { name: plan.name }))) return;
      attempt(trouble, () => remove(`/plans/${plan.id}`)).then(look);
    });
    const made = figure(plan);
    this.ground = made.querySelector(".ground");
    this.part("place").append(made);
    for (const spot of plan.boxes) this.ground.append(this.pin(spot));
  }

  path(box) {
    return `/plans/${this.plan.id}/boxes/${box}`;
  }

  // Boxes that stand nowhere yet.

  offer(boxes) {
    this.part("tray").replaceChildren(...boxes.map((box) => {
      const made = document.createElement("button");
      made.type = "button";
      made.textContent = names.get(box);
      made.setAttribute("aria-label", t("plan.put", { box: names.get(box) }));
      made.addEventListener("click", () => this.add(box));
      return made;
    }));
    this.part("tray").hidden = boxes.length === 0;
    this.part("help").hidden = boxes.length === 0 && this.plan.boxes.length === 0;
  }

  async add(box) {
    const middle = { box, x: 0.5, y: 0.5 };
    if (!await attempt(trouble, () => save(this.path(box), { x: middle.x, y: middle.y }))) return;
    await look();
    document.querySelector(`[data-pin="${box}"]`)?.focus();
    this.tell(middle);
  }

  // Those that stand on it.

  pin(spot) {
    const made = document.createElement("button");
    made.type = "button";
    made.className = "pin";
    made.dataset.pin = spot.box;
    fill(made, "●", names.get(spot.box) ?? spot.box);
    const here = { ...spot };
    const show = () => {
      put(made, here);
      made.setAttribute("aria-label", this.words(here));
    };
    const move = (x, y) => {
      Object.assign(here, { x: inside(x), y: inside(y) });
      show();
    };
    show();
    this.listenToPointer(made, here, move);
    this.listenToKeys(made, here, move);
    return made;
  }

  listenToPointer(pin, here, move) {
    pin.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      pin.setPointerCapture(event.pointerId);
      pin.dataset.held = "";
    });
    pin.addEventListener("pointermove", ({ clientX, clientY }) => {
      if (!("held" in pin.dataset)) return;
      const { left, top, width, height } = this.ground.getBoundingClientRect();
      move((clientX - left) / width, (clientY - top) / height);
    });
    for (const end of ["pointerup", "pointercancel"]) {
      pin.addEventListener(end, () => {
        if (!("held" in pin.dataset)) return;
        delete pin.dataset.held;
        this.keep(here);
      });
    }
  }

  listenToKeys(pin, here, move) {
    let timer;
    pin.addEventListener("keydown", (event) => {
      if (event.key === "Delete" || event.key === "Backspace") {
        clearTimeout(timer);
        attempt(trouble, () => remove(this.path(here.box))).then(look);
        announcer.textContent = t("plan.off", { box: names.get(here.box) });
      } else if (event.key in ARROWS) {
        const [right, down] = ARROWS[event.key].map((way) => way * STEP * (event.shiftKey ? FAR : 1));
        move(here.x + right, here.y + down);
        clearTimeout(timer);
        timer = setTimeout(() => this.keep(here), SAVE_AFTER_MS);
      } else {
        return;
      }
      event.preventDefault();
    });
  }

  keep({ box, x, y }) {
    this.tell({ box, x, y });
    return attempt(trouble, () => save(this.path(box), { x, y }));
  }

  words({ box, x, y }) {
    return t("plan.at", { box: names.get(box) ?? box, x: hundredths(x), y: hundredths(y) });
  }

  tell(spot) {
    announcer.textContent = this.words(spot);
  }
}

const look = () => attempt(trouble, async () => {
  const [boxes, plans] = await Promise.all([get("/boxes"), get("/plans")]);
  names = new Map(boxes.map(({ box, place }) => [box, place || box]));
  const placed = new Set(plans.flatMap((plan) => plan.boxes.map(({ box }) => box)));
  const free = boxes.filter(({ box, revoked }) => !revoked && !placed.has(box)).map(({ box }) => box);
  document.getElementById("none").hidden = plans.length > 0;
  document.getElementById("plans").replaceChildren(...plans.map((plan) => {
    const editor = new Editor(plan);
    editor.offer(free);
    return editor.section;
  }));
});

const form = document.getElementById("add");
handle(form, async ({ name, picture }) => {
  if (picture.size > PICTURE_MOST_BYTES) throw new Error(t("plan.too.large"));
  await upload(`/plans?name=${encodeURIComponent(name)}`, picture);
  form.reset();
  await look();
});

await look();
