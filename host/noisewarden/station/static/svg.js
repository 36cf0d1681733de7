// Small pictures, element by element.

const SVG = "http://www.w3.org/2000/svg";

export function element(name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

/** Replaces what is in a picture; `label` is what it says to whoever does not see it. */
export function draw(picture, label, ...elements) {
  picture.setAttribute("aria-label", label);
  picture.replaceChildren(...elements);
}
