// The images that are being made: a grid of tiles, of which one is chosen, by a click or by the arrow keys,
// to be compared at several numbers of steps.
import { fit, gridColumns, imageCanvas, paint } from "./picture.js";

const TILE_GAP = 4; // CSS pixels between tiles, as --gap
const TILE_WIDEST = 400;

export class Gallery {
  #element;
  #size = null;
  #tiles = [];
  #chosen = 0;
  #onChoose;

  // onChoose is called when a visitor has chosen another image.
  constructor(element, onChoose) {
    this.#element = element;
    this.#onChoose = onChoose;
    element.addEventListener("keydown", (event) => this.#key(event));
    new ResizeObserver(() => this.#fit()).observe(element);
  }

  // Shows room for images of { width, height } with these indices of a seed.  Tiles that fit stay, with what
  // they show.
  begin(size, indices) {
    const same = this.#size && this.#size.width === size.width && this.#size.height === size.height &&
      this.#tiles.length === indices.length;
    this.#size = size;
    if (!same) {
      this.#tiles = indices.map((_, i) => this.#tile(i));
      this.#element.replaceChildren(...this.#tiles);
      this.#mark(0);
    }
    indices.forEach((index, i) => this.#tiles[i].setAttribute("aria-label", `Image ${index}`));
    this.#fit();
  }

  // Shows the images of a picture (picture.js).
  draw(picture) {
    this.#tiles.forEach((tile, i) => paint(tile.firstChild, picture, i));
  }

  // Returns the place of the chosen image.
  get chosen() {
    return this.#chosen;
  }

  #tile(i) {
    const tile = document.createElement("button");
    tile.type = "button";
    tile.className = "tile";
    tile.setAttribute("role", "radio");
    tile.append(imageCanvas(this.#size));
    tile.addEventListener("click", () => this.#choose(i));
    return tile;
  }

  #fit() {
    if (this.#size)
      fit(this.#element.parentElement, this.#size, gridColumns(this.#tiles.length), TILE_GAP, TILE_WIDEST);
  }

  #mark(i) {
    this.#chosen = i;
    this.#tiles.forEach((tile, k) => {
      tile.setAttribute("aria-checked", String(k === i));
      tile.tabIndex = k === i ? 0 : -1;
    });
  }

  #choose(i) {
    const changed = i !== this.#chosen;
    this.#mark(i);
    this.#tiles[i].focus();
    if (changed)
      this.#onChoose();
  }

  #key(event) {
    const columns = gridColumns(this.#tiles.length), last = this.#tiles.length - 1;
    const at = this.#chosen, to = {
      ArrowLeft: at - 1,
      ArrowRight: at + 1,
      ArrowUp: at - columns,
      ArrowDown: at + columns,
      Home: 0,
      End: last,
    }[event.key];
    if (to === undefined || event.ctrlKey || event.altKey || event.metaKey)
      return;

    event.preventDefault();
    if (to >= 0 && to <= last)
      this.#choose(to);
  }
}
