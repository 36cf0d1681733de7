// One box: what the public sees, what can be asked of it, and the course of its levels.

import { get } from "./api.js";
import { Commands } from "./commands.js";
import { Day } from "./day.js";
import { attempt } from "./forms.js";
import { Intervene } from "./intervene.js";
import { tellLink } from "./link_state.js";
import { follow } from "./stream.js";
import { Tile } from "./tile.js";

const TICK_MS = 1000;

const { id, acts } = document.getElementById("box").dataset;
const trouble = document.getElementById("trouble");
const commands = new Commands(
  id, document.getElementById("commands"), document.getElementById("no-commands"));
const intervene = acts ? new Intervene(id) : null;
const day = new Day(id);
let tile;

const look = () => attempt(trouble, async () => {
  const box = await get(`/boxes/${id}`);
  document.getElementById("place").textContent = box.place || id;
  tile = new Tile(box);
  document.getElementById("now").replaceChildren(tile.item);
  await commands.look();
  await intervene?.look();
});

setInterval(() => tile?.tick(), TICK_MS);

follow({
  handlers: {
    readings: ({ readings }) =>
      readings.filter(({ box }) => box === id).forEach((news) => tile?.heard(news)),
    state: (news) => {
      if (news.box !== id) return;
      tile?.state(news);
      attempt(trouble, async () => intervene?.look()); // its configuration may be another
    },
    command: (command) => {
      if (command.box !== id) return;
      commands.show(command);
      intervene?.asked.take(command);
    },
  },
  look,
  link: tellLink,
});
day.read();
