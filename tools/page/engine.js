// The engine as the page sees it: a model in a Web Worker.  A worker does one thing at a time.  One that is
// asked to stop does so between two steps; one that does not answer within a second is ended and replaced, so
// that nothing stalls the page.  Each model gets a worker of its own, because the memory of an engine never
// shrinks.

const PATIENCE = 1000; // milliseconds

// Thrown where a job was stopped.
export class Stopped extends Error {}

// Returns the error of a line of the engine, which calls any file that it opens by one name.
function refusal(line) {
  return new Error(line.replace(/^(model in memory|the picture): /, ""));
}

// A worker and its job.
class Hand {
  ended = false;
  job = null; // { id, promise, resolve, reject, onStep, unwanted }
  #worker;
  #id = 0;

  constructor(program) {
    this.#worker = new Worker(program);
    this.#worker.onmessage = ({ data }) => this.#hear(data);
    this.#worker.onerror = (event) => this.end(new Error(`the engine ended: ${event.message}`));
  }

  // Gives the worker a job.  While it has one, whoever asks for another was too late.
  ask(kind, what, onStep) {
    if (this.job)
      return Promise.reject(new Stopped());
    const job = { id: ++this.#id, onStep };
    job.promise = new Promise((resolve, reject) => Object.assign(job, { resolve, reject }));
    this.job = job;
    this.#worker.postMessage({ kind, job: job.id, ...what });
    return job.promise;
  }

  // Stops the job between two steps.  Whoever waits for it is told so even if it has just been done, and does
  // not go on.
  askToStop() {
    this.job.unwanted = true;
    this.job.onStep = () => {};
    this.#worker.postMessage({ kind: "stop" });
  }

  end(error) {
    const { job } = this;
    this.#worker.terminate();
    this.ended = true;
    this.job = null;
    job?.reject(error);
  }

  #hear(message) {
    const { job } = this;
    if (message.job !== job?.id)
      return;
    if (message.kind === "step") {
      job.onStep(message);
      return;
    }
    if (message.kind === "broken") {
      this.end(refusal(message.text));
      return;
    }
    this.job = null;
    if (job.unwanted || message.kind === "stopped")
      job.reject(new Stopped());
    else if (message.kind === "done")
      job.resolve(message.result);
    else
      job.reject(refusal(message.text));
  }
}

export class RemoteEngine {
  #program; // the address of the worker's source
  #wasm; // the compiled engine
  #hand = null;
  #opening = null; // the worker that opens another model
  #file = null; // the open model file; null: the embedded model

  constructor(source, wasm) {
    this.#program = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    this.#wasm = wasm;
  }

  // Opens a model file, or the embedded model for null, and returns
  //   { id, width, height, steps, classes, nullClass, tuned, info, engineClass }
  // steps is T, classes are their names, tuned are the numbers of steps of its solvers.  When the file is
  // refused the model that was open stays open.
  async open(file) {
    const hand = new Hand(this.#program);
    this.#opening = hand;
    try {
      const about = await hand.ask("open", { file, wasm: this.#wasm });
      this.#hand?.end(new Stopped());
      this.#hand = hand;
      this.#file = file;
      return about;
    } catch (error) {
      hand.end(error);
      throw error;
    } finally {
      this.#opening = null;
    }
  }

  // Returns the recipe in a PNG.  It is one that this model can make again.
  async read(file) {
    await this.#ready();
    return this.#hand.ask("readPicture", { file });
  }

  // Makes images by options of ddpm sample.  onStep({ taken, steps, t, seconds, picture }) is called with the
  // noise and after each step.  Returns { steps, calls, lost, remarks, seconds, png }: calls of the network
  // for each image, seconds of all steps, and the bytes of the PNG.
  async run(options, onStep) {
    await this.#ready();
    return this.#hand.ask("run", { options }, onStep);
  }

  // Stops the job under way, if there is one.  The first model is opened in any case.
  async stop() {
    const hand = this.#hand, job = hand?.job;
    if (hand)
      this.#opening?.end(new Stopped());
    if (!job)
      return;
    hand.askToStop();
    const late = new Promise((resolve) => setTimeout(resolve, PATIENCE, true));
    const ended = job.promise.then(() => false, () => false);
    if (await Promise.race([late, ended]) && hand.job === job)
      hand.end(new Stopped());
  }

  // Replaces a worker that has ended.
  async #ready() {
    if (this.#hand.ended)
      await this.open(this.#file);
  }
}
