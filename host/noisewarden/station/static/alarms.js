// Alarms: an incident that comes live, or goes a stage up, calls once. History calls nobody.

import { press } from "./forms.js";
import * as said from "./incident_words.js";
import { link } from "./tables.js";
import { t } from "./words.js";

const TONE_S = 0.16;
const PAUSE_S = 0.1;
const TONE_HZ = 880;
const VOLUME = 0.25;

/** Off until somebody switches it on: a browser lets no page sound before. */
class Sound {
  constructor(button) {
    this.button = button;
    this.on = false;
    press(button, async () => {
      this.on = !this.on;
      this.context ??= new AudioContext();
      await this.context.resume();
      this.show();
      this.play(1);
    });
    this.show();
  }

  show() {
    this.button.setAttribute("aria-pressed", this.on);
    this.button.textContent = t(this.on ? "alarm.sound.on" : "alarm.sound.off");
  }

  /** As many tones as the stage is high. */
  play(times) {
    if (!this.on) return;
    for (let n = 0; n < times; n += 1) {
      const at = this.context.currentTime + n * (TONE_S + PAUSE_S);
      const tone = new OscillatorNode(this.context, { frequency: TONE_HZ });
      tone.connect(new GainNode(this.context, { gain: VOLUME })).connect(this.context.destination);
      tone.start(at);
      tone.stop(at + TONE_S);
    }
  }
}

export class Alarms {
  /** `take(incident)`: null for who may not; `place(box)`: its name. */
  constructor(list, button, { take, place }) {
    Object.assign(this, { list, take, place });
    this.sound = new Sound(button);
    this.title = document.title;
    this.stages = null;
    this.items = new Map();
  }

  /** All that want a person. What came while the stream was away calls now, but for the first. */
  look(incidents) {
    const before = this.stages;
    this.stages = new Map(incidents.map(({ id, stage }) => [id, stage]));
    for (const id of this.items.keys()) if (!this.stages.has(id)) this.drop(id);
    if (!before) return;
    for (const incident of incidents) {
      if (incident.stage > (before.get(incident.id) ?? 0)) this.call(incident);
    }
  }

  /** One of them as it is now; `alarm` when the station calls for it. */
  hear({ alarm, ...incident }) {
    if (!incident.live || incident.closed_s !== null) {
      this.stages?.delete(incident.id);
      this.drop(incident.id);
      return;
    }
    this.stages?.set(incident.id, incident.stage);
    if (alarm) this.call(incident);
    else if (incident.taken_by !== null) this.drop(incident.id);
  }

  async call(incident) {
    const words = await said.state(incident);
    if (!this.stages?.has(incident.id)) return; // it was closed meanwhile
    const item = document.createElement("li");
    const text = document.createElement("span");
    text.append(
      said.chip(incident.stage), " ",
      link(`/incidents/${incident.id}`, this.place(incident.box)), ` · ${said.began(incident)} · ${words}`,
    );
    item.append(text);
    if (this.take && incident.taken_by === null) {
      item.append(this.button(t("tile.take"), "main", () => this.take(incident)));
    }
    item.append(this.button(t("alarm.seen"), "", () => this.drop(incident.id)));
    this.items.get(incident.id)?.remove();
    this.items.set(incident.id, item);
    this.list.prepend(item);
    this.count();
    this.sound.play(incident.stage);
  }

  button(words, name, work) {
    const made = document.createElement("button");
    made.type = "button";
    made.className = name;
    made.textContent = words;
    made.addEventListener("click", work);
    return made;
  }

  drop(id) {
    this.items.get(id)?.remove();
    this.items.delete(id);
    this.count();
  }

  count() {
    const count = this.items.size;
    document.title = count ? `(${count}) ${this.title}` : this.title;
  }
}
