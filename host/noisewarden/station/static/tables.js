// Rows of tables.

/** A row of cells, each a text or an element. */
export function row(...cells) {
  const made = document.createElement("tr");
  for (const content of cells) {
    const cell = document.createElement("td");
    cell.append(content);
    made.append(cell);
  }
  return made;
}

export function link(href, text) {
  const made = document.createElement("a");
  made.href = href;
  made.textContent = text;
  return made;
}

/** Pairs of a name and a value, as a list of definitions takes them. */
export function definitions(list, pairs) {
  list.replaceChildren(...pairs.map(([name, value]) => {
    const made = document.createElement("div");
    for (const [tag, text] of [["dt", name], ["dd", value]]) {
      made.appendChild(document.createElement(tag)).textContent = text;
    }
    return made;
  }));
}
