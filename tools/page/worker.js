// The worker: runs the engine with one model.  It gets { kind, job, ... } and answers each job with one of
//   { kind: "done", job, result }      the result is what engine.js says of the job
//   { kind: "failed", job, text }      one line; the model is open still
//   { kind: "broken", job, text }      the engine cannot go on, and the worker has to be replaced
//   { kind: "stopped", job }           between two steps, as it was asked to
// A run also sends { kind: "step", job, taken, steps, t, seconds, picture } for the noise (taken is 0) and
// after each step; the picture is that of picture.js.
import { DdpmError, load, settingsOf } from "./engine/ddpm.mjs";

const NO_MEMORY = 7, WRONG_DATA = 2; // codes of ddpm.h

let engine = null;
let model = null;
let stopping = false;

class Stop extends Error {}

// Lets messages in, of which one may say stop.
const channel = new MessageChannel();
async function listen() {
  await new Promise((resolve) => {
    channel.port1.onmessage = resolve;
    channel.port2.postMessage(null);
  });
  if (stopping)
    throw new Stop();
}

async function open({ file, wasm }) {
  engine = await load(wasm);
  model = file ? engine.open(await file.arrayBuffer()) : engine.embedded();
  const { id, engine_class: engineClass, model: { net, diffusion, tuned, class_names: names } } = model.about;
  return {
    id,
    width: net.width,
    height: net.height,
    steps: diffusion.steps,
    classes: Array.from({ length: net.classes }, (_, k) => `${k} ${names?.[k] ?? ""}`.trim()),
    nullClass: Boolean(net.null_class),
    tuned: (tuned ?? []).map((solver) => solver.steps),
    info: model.report,
    engineClass,
  };
}

async function readPicture({ file }) {
  const text = settingsOf(await file.arrayBuffer());
  if (text === null)
    throw new DdpmError("holds no settings of ddpm: another program made or rewrote it", WRONG_DATA);
  const run = model.again(text);
  const { settings } = run;
  run.close();
  return settings;
}

async function run({ job, options }) {
  const images = model.run(options);
  try {
    return await takeSteps(job, images);
  } finally {
    images.close();
  }
}

async function takeSteps(job, images) {
  const { steps } = images;
  const show = (step) => postMessage({ kind: "step", job, steps, ...step, picture: images.picture() });
  show({ taken: 0 });
  while (images.left) {
    await listen();
    show(images.step());
  }
  const { calls, lost, remarks, seconds } = images;
  return { steps, calls, lost, remarks, seconds, png: images.png() };
}

const jobs = { open, readPicture, run };

onmessage = async ({ data }) => {
  const { kind, job } = data;
  if (kind === "stop") {
    stopping = true;
    return;
  }
  stopping = false;
  try {
    postMessage({ kind: "done", job, result: await jobs[kind](data) });
  } catch (error) {
    const sound = error instanceof DdpmError && error.code !== NO_MEMORY;
    if (error instanceof Stop)
      postMessage({ kind: "stopped", job });
    else
      postMessage({ kind: sound ? "failed" : "broken", job, text: error.message });
  }
};
