// The form: steps, sampler, seed, class and guidance, as the settings that recipe.js describes.
import { element, find } from "./dom.js";
import { isSeed, stepsIn, wordsOfMore } from "./recipe.js";
import { samplerNote, samplersFor, samplerTitle } from "./words.js";

const SETTLE = 250; // milliseconds without a change after which settings are taken
const STEPS_FIRST = 20, SAMPLER_FIRST = "unipc", SEED_FIRST = "0", IMAGES = 16;
const STEPS_MOST = 1000;
const STOPS = [
  1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 16, 18, 20, 24, 28, 32, 40, 50, 64, 80, 100, 128, 160, 200, 250, 320,
  400, 500, 640, 800, STEPS_MOST,
]; // of the slider

function option(value, text) {
  const made = element("option", text);
  made.value = value;
  return made;
}

export class Controls {
  #about = null;
  #settings = null;
  #timer = 0;
  #onChange;

  // onChange is called a moment after a visitor has changed a setting, when all are right.
  constructor(onChange) {
    this.#onChange = onChange;
    const on = (id, act) => find(id).addEventListener("input", act);
    on("steps", () => this.#change({ steps: String(this.stops()[find("steps").value]) }));
    on("steps-number", () => this.#change({ steps: find("steps-number").value.trim() }));
    on("sampler", () => this.#changeSampler(find("sampler").value));
    on("seed", () => this.#change({ seed: find("seed").value.trim() }));
    on("class", () => this.#change({ class: find("class").value }));
    on("guidance", () => this.#change({ guidance: Number(find("guidance").value) }));
    find("new-seed").addEventListener("click", () => {
      this.#change({ seed: String(crypto.getRandomValues(new Uint32Array(1))[0] % 1000000) });
    });
  }

  // Shows what a model offers, and the settings to begin with.
  setModel(about) {
    this.#about = about;
    const classes = find("class");
    classes.replaceChildren(option("all", "all in turn"));
    if (about.nullClass)
      classes.append(option("none", "no class"));
    about.classes.forEach((name, k) => classes.append(option(String(k), name)));
    find("class-field").hidden = !about.classes.length;
    find("guidance-field").hidden = !about.nullClass;
    find("sampler").replaceChildren(...samplersFor(about).map((name) => option(name, samplerTitle(name))));
    this.reset();
  }

  reset() {
    this.set({
      sampler: SAMPLER_FIRST,
      steps: String(Math.min(STEPS_FIRST, this.#about.steps)),
      seed: SEED_FIRST,
      class: this.#about.classes.length ? "all" : "none",
      guidance: 1,
      indices: Array.from({ length: IMAGES }, (_, i) => i),
      more: {},
    });
  }

  // Shows these settings.
  set(settings) {
    this.#settings = settings;
    const select = find("sampler");
    if (![...select.options].some((o) => o.value === settings.sampler))
      select.append(option(settings.sampler, samplerTitle(settings.sampler)));
    this.#show();
  }

  // Returns the settings, or null while one of them is wrong.
  get settings() {
    return this.#wrong() ? null : { ...this.#settings };
  }

  // Returns the numbers of steps that the sampler of the settings can take and the slider stops at.
  stops(sampler = this.#settings.sampler) {
    if (sampler === "tuned")
      return this.#about.tuned;
    const most = Math.min(this.#about.steps, STEPS_MOST);
    return [...STOPS.filter((n) => n < most), most];
  }

  // Returns the id of the field that is wrong, or null.
  #wrong() {
    const steps = this.#settings.steps, most = Math.min(this.#about.steps, STEPS_MOST);
    const whole = /^[0-9]{1,4}$/.test(steps) && Number(steps) >= 1 && Number(steps) <= most;
    if (!steps.includes(",") && !whole)
      return "steps-number";
    return isSeed(this.#settings.seed) ? null : "seed";
  }

  #changeSampler(sampler) {
    const stops = this.stops(sampler), now = stepsIn(this.#settings.steps);
    const near = stops.reduce((a, b) => (Math.abs(b - now) < Math.abs(a - now) ? b : a));
    this.#change({ sampler, steps: sampler === "tuned" ? String(near) : String(now), more: {} });
  }

  #change(what) {
    this.#settings = { ...this.#settings, ...what };
    this.#show();
    clearTimeout(this.#timer);
    if (!this.#wrong())
      this.#timer = setTimeout(this.#onChange, SETTLE);
  }

  // Writes a field, unless it says so already: a visitor may be typing in it.
  #write(id, value) {
    if (find(id).value !== value)
      find(id).value = value;
  }

  #show() {
    const s = this.#settings, stops = this.stops(), n = stepsIn(this.#settings.steps), wrong = this.#wrong();
    const near = stops.reduce((best, v, i) => (Math.abs(v - n) < Math.abs(stops[best] - n) ? i : best), 0);
    const slider = find("steps");
    slider.max = stops.length - 1;
    this.#write("steps", String(near));
    slider.setAttribute("aria-valuetext", `${n} steps`);
    this.#write("steps-number", wrong === "steps-number" ? s.steps : String(n));
    find("steps-note").textContent = this.#stepsNote(wrong);

    this.#write("sampler", s.sampler);
    const more = wordsOfMore(s.more);
    find("sampler-note").textContent = samplerNote(s.sampler) + (more && ` From the picture: ${more}.`);
    this.#write("seed", s.seed);
    this.#write("class", s.class);
    this.#write("guidance", String(s.guidance));
    find("guidance").disabled = s.class === "none";
    find("guidance-note").textContent = s.guidance;
    for (const id of ["steps-number", "seed"])
      find(id).setAttribute("aria-invalid", String(wrong === id));
  }

  #stepsNote(wrong) {
    if (wrong === "steps-number")
      return `a whole number from 1 to ${Math.min(this.#about.steps, STEPS_MOST)}`;
    if (this.#settings.sampler === "tuned")
      return `of ${this.#about.tuned.join(", ")}`;
    return `of ${this.#about.steps}`;
  }
}
