// Files that a visitor opens or drops on the page, and those that it gives to the visitor.

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]; // of a PNG
const MODEL_MOST = 200e6, PICTURE_MOST = 50e6;

// Returns whether a file is a PNG; otherwise it may be a model.  Throws an Error when it is too large.
export async function isPicture(file) {
  const begin = new Uint8Array(await file.slice(0, SIGNATURE.length).arrayBuffer());
  const picture = SIGNATURE.every((byte, i) => begin[i] === byte);
  const most = picture ? PICTURE_MOST : MODEL_MOST;
  if (file.size > most)
    throw new Error(`has ${Math.ceil(file.size / 1e6)} MB, and the page opens at most ${most / 1e6}`);
  return picture;
}

// Calls take(file) for a file that is dropped on the page; `sign` is shown while one is above it.
export function onDrop(sign, take) {
  const carries = (event) => event.dataTransfer?.types.includes("Files");
  addEventListener("dragover", (event) => {
    if (!carries(event))
      return;
    event.preventDefault();
    sign.hidden = false;
  });
  addEventListener("dragleave", (event) => {
    if (!event.relatedTarget)
      sign.hidden = true;
  });
  addEventListener("drop", (event) => {
    sign.hidden = true;
    if (!carries(event))
      return;
    event.preventDefault();
    if (event.dataTransfer.files.length)
      take(event.dataTransfer.files[0]);
  });
}

// Gives bytes to the visitor as a file of this name.
export function saveFile(bytes, type, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([bytes], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}
