// The page: begins the engine, makes images whenever a setting changes, and shows what they took.
import { Bars } from "./bars.js";
import { Controls } from "./controls.js";
import { find } from "./dom.js";
import { RemoteEngine, Stopped } from "./engine.js";
import { supported } from "./engine/ddpm.mjs";
import { isPicture, onDrop, saveFile } from "./files.js";
import { Gallery } from "./gallery.js";
import { Plot } from "./plot.js";
import { optionsOf, settingsOfRecipe, sizeOf } from "./recipe.js";
import { Strip } from "./strip.js";
import { count, duration, samplerTitle } from "./words.js";

const COMPARED = [4, 8, 16, 32, 64];
const COMPARED_UNASKED = 20; // seconds that a comparison may take to be made without being asked for

const gallery = new Gallery(find("gallery"), () => making || work(compare));
const controls = new Controls(() => work(makeAll));
const strip = new Strip(find("strip"));
const plot = new Plot(find("plot"), find("tried").tBodies[0]);
const bars = new Bars(find("bars"), find("bars-text"));
let engine = null;
let about = null; // the open model
let making = 0; // the number of the work that makes the images of the gallery, or 0
let made = null; // { png, name, text } of the images of the gallery, once they are made
let seconds = 0; // of a step of one image, in the last run
let works = 0; // the number of the newest work

// ---- what the page says ----

function say(text) {
  find("said").textContent = text;
}

// Shows a line of error where it is seen; '' takes it away.
function complain(id, text) {
  find(id).textContent = text;
  find(id).hidden = !text;
  if (text)
    find(id).scrollIntoView({ block: "nearest" });
}

// Shows one button to stop what is under way, or to begin.  It does not submit the form while it stops.
function showBusy(busy) {
  find("make").textContent = busy ? "Stop" : "Make images";
  find("make").type = busy ? "button" : "submit";
}

function setMade(images) {
  made = images;
  find("save").disabled = !made;
}

function showRest() {
  find("phase").textContent = made ? made.text : "Stopped";
}

function remarksOf({ lost, remarks }) {
  return [...remarks, ...(lost ? [`${count(lost, "image")} became NaN.`] : [])].join(" ");
}

function showResult(result, images) {
  find("result-time").textContent = duration(result.seconds);
  find("result-image").textContent = duration(result.seconds / images);
  find("result-calls").textContent = `${result.calls} an image`;
}

// ---- work: one thing at a time, and the newest wins ----

// Stops what is under way and does `act` instead; `tell` is given the line of an error.
async function work(act, tell = (line) => complain("notice", line)) {
  const mine = ++works;
  await engine.stop();
  if (mine !== works)
    return;
  tell("");
  showBusy(true);
  try {
    await act();
  } catch (error) {
    if (mine === works)
      showRest();
    if (!(error instanceof Stopped))
      tell(error.message);
  }
  if (mine === works)
    showBusy(false);
}

async function stop() {
  works++;
  showRest();
  showBusy(false);
  say("Stopped");
  await engine.stop();
}

async function makeAll() {
  const settings = controls.settings;
  if (!settings)
    return;
  const mine = works;
  making = mine;
  try {
    await makeImages(settings);
  } finally {
    making = making === mine ? 0 : making;
  }
  const { list, what } = comparison(settings);
  const all = list.reduce((sum, n) => sum + n, 0) * seconds;
  if (all < COMPARED_UNASKED) {
    await compare();
    return;
  }
  strip.begin(sizeOf(settings, about), list);
  find("strip-text").textContent = `${what} It takes about ${duration(all)}.`;
}

async function makeImages(settings) {
  const n = settings.indices.length;
  let spent = 0;
  setMade(null);
  gallery.begin(sizeOf(settings, about), settings.indices);
  find("progress").value = 0;
  find("phase").textContent = "Noise";
  find("clock").textContent = "";
  say(`Making ${count(n, "image")}`);

  const show = ({ taken, steps, t, seconds: took, picture }) => {
    gallery.draw(picture);
    find("progress").max = steps;
    find("progress").value = taken;
    if (taken === 0) {
      bars.begin(steps);
      return;
    }
    bars.add(took, n);
    spent += took;
    find("phase").textContent = `Step ${taken} of ${steps}, t = ${Math.round(t)}`;
    find("clock").textContent = duration(spent);
  };
  const result = await engine.run(optionsOf(settings, about), show);
  setMade({
    png: result.png,
    name: `ddpm-${settings.sampler}-seed-${settings.seed}.png`,
    text: `${count(n, "image")} in ${count(result.steps, "step")}`,
  });
  showRest();
  find("remarks").textContent = remarksOf(result);
  say(`${count(n, "image")} made in ${duration(result.seconds)}`);
  showResult(result, n);
  note(settings.sampler, result, n);
}

// Adds a run to the plot.
function note(sampler, { steps, calls, seconds: all }, images) {
  seconds = all / images / steps;
  plot.add({ sampler, steps, calls, seconds: all / images });
}

// Returns what is to be compared: the index of the image, the numbers of steps, and these in words.
function comparison(settings) {
  const offered = controls.stops(), tuned = settings.sampler === "tuned";
  const list = tuned ? offered : COMPARED.filter((n) => n <= offered[offered.length - 1]);
  const index = settings.indices[gallery.chosen], sampler = samplerTitle(settings.sampler);
  const what = `Image ${index} of seed ${settings.seed}, by ${sampler}, from the same noise.`;
  return { index, list, what: `${what} Choose another image above.` };
}

// Makes the chosen image at several numbers of steps.
async function compare() {
  const settings = controls.settings;
  if (!settings)
    return;
  const { index, list, what } = comparison(settings);
  find("strip-text").textContent = what;
  strip.begin(sizeOf(settings, about), list);

  for (const [i, steps] of list.entries()) {
    const one = optionsOf({ ...settings, steps: String(steps), indices: [index] }, about);
    const result = await engine.run(one, ({ taken, picture }) => {
      strip.draw(i, picture);
      strip.note(i, `step ${taken}`);
    });
    strip.note(i, duration(result.seconds));
    note(settings.sampler, result, 1);
  }
}

// ---- files ----

// Takes a file: a model, or a picture for its settings.
function take(file) {
  const open = async () => {
    if (await isPicture(file))
      controls.set(settingsOfRecipe(await engine.read(file)));
    else
      await openModel(file);
    find("work").scrollIntoView();
    await makeAll();
  };
  return work(open, (line) => complain("file-error", line && `${file.name}: ${line}`));
}

// Opens a model file; null: the embedded model.
async function openModel(file) {
  find("phase").textContent = file ? `Opening ${file.name}` : "Starting";
  about = await engine.open(file);
  find("info").textContent = about.info;
  find("version").textContent = `Engine: ${about.engineClass}.`;
  find("embedded").hidden = !file;
  find("controls").inert = false;
  plot.clear();
  strip.clear();
  find("strip-text").textContent = "";
  controls.setModel(about);
}

async function makeOfEmbedded() {
  await openModel(null);
  await makeAll();
}

// ---- the beginning ----

function listen() {
  find("controls").addEventListener("submit", (event) => {
    event.preventDefault();
    work(makeAll);
  });
  find("make").addEventListener("click", (event) => {
    if (find("make").type === "button") {
      event.preventDefault();
      stop();
    }
  });
  find("reset").addEventListener("click", () => {
    controls.reset();
    work(makeAll);
  });
  find("save").addEventListener("click", () => saveFile(made.png, "image/png", made.name));
  find("compare").addEventListener("click", () => work(compare));
  find("open").addEventListener("click", () => find("file").click());
  find("file").addEventListener("change", () => {
    if (find("file").files.length)
      take(find("file").files[0]);
    find("file").value = "";
  });
  find("embedded").addEventListener("click", () => work(makeOfEmbedded));
  addEventListener("keydown", (event) => {
    if (event.key === "Escape" && find("make").type === "button")
      stop();
  });
  onDrop(find("drop"), take);
}

function bytesOf(id) {
  return Uint8Array.from(atob(find(id).textContent), (c) => c.charCodeAt(0));
}

async function begin() {
  if (!supported()) {
    complain("notice", "This browser lacks WebAssembly SIMD, which the engine needs: " +
      "Chrome, Edge, Firefox and Safari of 2023 or later have it.");
    find("phase").textContent = "No images";
    return;
  }
  engine = new RemoteEngine(find("worker").textContent, await WebAssembly.compile(bytesOf("engine")));
  listen();
  await work(makeOfEmbedded);
}

begin().catch((error) => complain("notice", error.message));
