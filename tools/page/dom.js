// Elements of the page.

export function find(id) {
  return document.getElementById(id);
}

// Returns a new element with a text.
export function element(name, text) {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}
