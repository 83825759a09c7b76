// The seconds of an image against steps, of all runs with a model: a plot with logarithmic axes, and a table.
import { element } from "./dom.js";
import { duration, samplerTitle } from "./words.js";

const HEIGHT = 320, LEFT = 58, RIGHT = 110, TOP = 12, BOTTOM = 46; // CSS pixels
const HUES = 8, NAME_HEIGHT = 17;

function shape(name, attributes, text) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes))
    made.setAttribute(key, value);
  if (text !== undefined)
    made.textContent = text;
  return made;
}

// Returns the powers of ten and, with `between`, their double and fivefold from low to high.
function ticks(low, high, between) {
  const list = [];
  for (let e = Math.floor(Math.log10(low)) - 1; e <= Math.ceil(Math.log10(high)); e++)
    for (const m of between ? [1, 2, 5] : [1])
      list.push(m * 10 ** e);
  return list.filter((v) => v >= low * 0.999 && v <= high * 1.001);
}

export class Plot {
  #figure;
  #body;
  #runs = new Map(); // "sampler steps": the last run of them
  #hues = new Map(); // the place of each sampler among those that were tried
  #width = 0;

  // figure holds the plot, body the rows of the table.
  constructor(figure, body) {
    this.#figure = figure;
    this.#body = body;
    new ResizeObserver(() => {
      if (this.#width !== figure.clientWidth)
        this.#draw();
    }).observe(figure);
  }

  clear() {
    this.#runs.clear();
    this.#hues.clear();
    this.#draw();
  }

  // Adds a run: { sampler, steps, calls, seconds }, the seconds and calls of one image.
  add(run) {
    const key = `${run.sampler} ${run.steps}`;
    if (!this.#hues.has(run.sampler))
      this.#hues.set(run.sampler, this.#hues.size);
    this.#runs.delete(key);
    this.#runs.set(key, run);
    this.#draw();
  }

  // Returns the runs by sampler, in order of steps.
  #series() {
    return [...this.#hues.keys()].map((sampler) => [...this.#runs.values()]
      .filter((run) => run.sampler === sampler).sort((a, b) => a.steps - b.steps));
  }

  #draw() {
    const runs = [...this.#runs.values()], seconds = runs.map((run) => run.seconds);
    const low = 10 ** Math.floor(Math.log10(Math.min(...seconds, 0.1)));
    const high = 10 ** Math.ceil(Math.log10(Math.max(...seconds, 1) * 1.001));
    const most = Math.max(100, 10 ** Math.ceil(Math.log10(Math.max(...runs.map((run) => run.steps), 1))));
    this.#width = this.#figure.clientWidth;
    const scale = {
      x: (v) => LEFT + (this.#width - LEFT - RIGHT) * Math.log10(v) / Math.log10(most),
      y: (v) => TOP + (HEIGHT - TOP - BOTTOM) * Math.log10(high / v) / Math.log10(high / low),
    };
    const svg = shape("svg", { width: this.#width, height: HEIGHT, role: "img" });
    svg.setAttribute("aria-label", `Seconds of an image against steps, ${runs.length} runs, as in the table`);

    this.#axes(svg, scale, low, high, most);
    this.#points(svg, scale);
    this.#figure.replaceChildren(svg);
    this.#table();
  }

  #axes(svg, { x, y }, low, high, most) {
    const bottom = HEIGHT - BOTTOM, right = this.#width - RIGHT;
    for (const v of ticks(low, high, false)) {
      svg.append(shape("path", { class: "grid", d: `M${LEFT} ${y(v)}H${right}` }));
      svg.append(shape("text", { x: LEFT - 8, y: y(v) + 4, "text-anchor": "end" },
        v < 1 ? `${+(1000 * v).toPrecision(1)} ms` : `${v} s`));
    }
    svg.append(shape("path", { class: "axis", d: `M${LEFT} ${bottom}H${right}` }));
    for (const v of ticks(1, most, true)) {
      svg.append(shape("path", { class: "axis", d: `M${x(v)} ${bottom}v5` }));
      svg.append(shape("text", { x: x(v), y: bottom + 19, "text-anchor": "middle" }, v));
    }
    svg.append(shape("text", { x: (LEFT + right) / 2, y: HEIGHT - 6, "text-anchor": "middle" }, "steps"));
  }

  #points(svg, { x, y }) {
    const last = [...this.#runs.values()].pop(), names = [];
    this.#series().forEach((series, hue) => {
      const group = shape("g", { class: `hue-${hue % HUES + 1}` });
      const title = samplerTitle(series[0].sampler);
      const places = series.map((run) => ({ run, cx: x(run.steps), cy: y(run.seconds) }));
      const end = places[places.length - 1];
      const line = places.map(({ cx, cy }) => `${cx} ${cy}`).join("L");
      group.append(shape("path", { class: "line", d: `M${line}` }));

      for (const { run, cx, cy } of places) {
        const mark = shape("circle", { class: "mark", cx, cy, r: 4.5 });
        mark.append(shape("title", {}, `${title}, ${run.steps} steps: ${duration(run.seconds)}`));
        group.append(mark);
        if (run === last)
          group.append(shape("circle", { class: "last", cx, cy, r: 7.5 }));
      }
      const name = shape("text", { class: "name", x: end.cx + 13, y: end.cy + 4 }, title);
      names.push(name);
      group.append(name);
      svg.append(group);
    });
    this.#spread(names);
  }

  // Moves names down until none covers another.
  #spread(names) {
    let above = -Infinity;
    for (const name of names.sort((a, b) => a.getAttribute("y") - b.getAttribute("y"))) {
      above = Math.max(above + NAME_HEIGHT, Number(name.getAttribute("y")));
      name.setAttribute("y", above);
    }
  }

  #table() {
    const rows = this.#series().flat().map((run) => {
      const row = element("tr", "");
      const cells = [samplerTitle(run.sampler), run.steps, run.calls, duration(run.seconds)];
      row.append(...cells.map((text) => element("td", text)));
      return row;
    });
    this.#body.replaceChildren(...rows);
  }
}
