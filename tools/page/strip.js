// One image from the same noise at several numbers of steps, side by side, with their times.
import { element } from "./dom.js";
import { fit, imageCanvas, paint } from "./picture.js";
import { count } from "./words.js";

const FIGURE_WIDEST = 192, FIGURE_NARROWEST = 96, FIGURE_GAP = 19; // CSS pixels

export class Strip {
  #element;
  #size = null;
  #figures = [];

  constructor(element) {
    this.#element = element;
    new ResizeObserver(() => this.#fit()).observe(element);
  }

  clear() {
    this.#figures = [];
    this.#element.replaceChildren();
  }

  // Shows room for an image of each number of steps.
  begin(size, steps) {
    this.#size = size;
    this.#figures = steps.map((n) => {
      const figure = element("figure", ""), caption = element("figcaption", count(n, "step"));
      const canvas = imageCanvas(size);
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", `The image after ${count(n, "step")}`);
      caption.append(element("span", "–"));
      figure.append(canvas, caption);
      return figure;
    });
    this.#element.replaceChildren(...this.#figures);
    this.#fit();
  }

  // Shows a picture of a single image in place i.
  draw(i, picture) {
    paint(this.#figures[i].firstChild, picture, 0);
  }

  // Writes under image i how far it is, or what it took.
  note(i, text) {
    this.#figures[i].querySelector("span").textContent = text;
  }

  #fit() {
    if (!this.#size)
      return;
    const columns = Math.max(1, Math.min(this.#figures.length,
      Math.floor((this.#element.clientWidth + FIGURE_GAP) / (FIGURE_NARROWEST + FIGURE_GAP))));
    fit(this.#element, this.#size, columns, FIGURE_GAP, FIGURE_WIDEST);
  }
}
