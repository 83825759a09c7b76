// Images on canvases.  The engine gives them as one picture, { width, height, columns, data }, in rows of
// `columns` images; data is [height, width, 4].

export function gridColumns(n) {
  return Math.ceil(Math.sqrt(n));
}

// Returns a canvas for an image of { width, height }.
export function imageCanvas(size) {
  const canvas = document.createElement("canvas");
  canvas.width = size.width;
  canvas.height = size.height;
  return canvas;
}

// Draws image i of a picture on a canvas of its size.
export function paint(canvas, picture, i) {
  const left = (i % picture.columns) * canvas.width, top = Math.floor(i / picture.columns) * canvas.height;
  const all = new ImageData(picture.data, picture.width, picture.height);
  canvas.getContext("2d").putImageData(all, -left, -top, left, top, canvas.width, canvas.height);
}

// Gives the canvases below `area` the largest size, at most `most` CSS pixels wide, at which `columns` of
// them fit into it, `gap` apart, and a pixel of an image is a whole number of the screen's pixels.  Images
// that are too large for one pixel each are shrunk.
export function fit(area, size, columns, gap, most) {
  const density = window.devicePixelRatio || 1;
  const room = Math.min(most, (area.clientWidth - gap * (columns - 1)) / columns);
  const pixels = Math.floor(room * density / size.width);
  area.style.setProperty("--tile", `${pixels ? pixels * size.width / density : room}px`);
  area.style.setProperty("--columns", columns);
  area.style.setProperty("--aspect", size.height / size.width);
  for (const canvas of area.querySelectorAll("canvas"))
    canvas.classList.toggle("shrunk", !pixels);
}
