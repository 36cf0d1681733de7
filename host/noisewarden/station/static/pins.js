// Boxes on the picture of a place.

/** Puts an element at fractions of the picture's width and height. */
export function put(pin, { x, y }) {
  pin.style.left = `${100 * x}%`;
  pin.style.top = `${100 * y}%`;
}

/** A plan as a figure: its picture, over which pins may be laid. */
export function figure({ id, name }) {
  const made = document.getElementById("plan").content.cloneNode(true).firstElementChild;
  const picture = made.querySelector("img");
  picture.src = `/api/v1/plans/${id}/picture`;
  made.querySelector("figcaption").textContent = name;
  return made;
}

/** What a pin shows: the number and, where there is room, the name of the place. */
export function fill(pin, number, name) {
  pin.replaceChildren(...[["pin-number", number], ["pin-name", name]].map(([part, text]) => {
    const made = document.createElement("span");
    made.className = part;
    made.textContent = text;
    return made;
  }));
}
