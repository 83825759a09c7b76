// The time of each step of a run, as a row of bars that grows.
import { count, duration } from "./words.js";

export class Bars {
  #svg;
  #caption;
  #seconds = [];
  #steps = 1;

  constructor(svg, caption) {
    this.#svg = svg;
    this.#caption = caption;
  }

  begin(steps) {
    this.#steps = steps;
    this.#seconds = [];
    this.#draw();
    this.#caption.textContent = "Time of each step";
  }

  // Adds the seconds of a step; it took `images` images along.
  add(seconds, images) {
    const sorted = [...this.#seconds, seconds].sort((a, b) => a - b);
    this.#seconds.push(seconds);
    this.#draw();
    const middle = sorted[sorted.length >> 1], slowest = sorted[sorted.length - 1];
    this.#caption.textContent = `A step of ${count(images, "image")} takes ${duration(middle)}, ` +
      `the slowest took ${duration(slowest)}`;
  }

  #draw() {
    const most = Math.max(...this.#seconds, 1e-9), width = this.#steps > 200 ? 1 : 0.8;
    const bars = this.#seconds.map((s, k) => `M${k} 1V${(1 - s / most).toFixed(4)}h${width}V1z`);
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    path.setAttribute("d", bars.join(""));
    path.setAttribute("fill", "currentColor");
    this.#svg.setAttribute("viewBox", `0 0 ${this.#steps} 1`);
    this.#svg.replaceChildren(path);
  }
}
