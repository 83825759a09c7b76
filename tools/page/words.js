// Numbers and names as a reader wants to see them.

// Returns seconds as "41 ms", "0.52 s", "7.7 s", "94 s" or "6 min 40 s".
export function duration(seconds) {
  if (seconds < 0.0995)
    return `${(1000 * seconds).toPrecision(2).replace(/e.*/, "")} ms`;
  if (seconds < 99.5)
    return `${seconds < 9.95 ? seconds.toPrecision(2) : Math.round(seconds)} s`;
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

// Returns a count with its noun: "1 step", "20 steps".
export function count(n, noun) {
  return `${n} ${noun}${n === 1 ? "" : "s"}`;
}

// The samplers that the page offers, in this order, with the name and what a visitor should know.
const samplers = {
  unipc: ["UniPC", "A fast solver. It adds no noise, so more steps refine the same picture."],
  dpmpp: ["DPM-Solver++", "A fast solver. It adds no noise, so more steps refine the same picture."],
  ddim: ["DDIM", "A simple solver. It adds no noise, so more steps refine the same picture."],
  ipndm: ["iPNDM", "Keeps the last predictions and extrapolates. It adds no noise."],
  ode: ["ODE, Heun", "Follows the probability flow, with two calls of the network a step. It adds no noise."],
  ddpm: ["DDPM", "The sampler of the paper. It adds noise at each step: other steps, other pictures."],
  sde: ["SDE", "The reverse process as a stochastic equation. It adds noise at each step."],
  tuned: ["Tuned", "Very few steps that were learned for this model by ddpm tune."],
};

// Returns the names of samplers that the page offers for a model.
export function samplersFor(about) {
  return Object.keys(samplers).filter((name) => name !== "tuned" || about.tuned.length);
}

export function samplerTitle(name) {
  return samplers[name] ? samplers[name][0] : name;
}

export function samplerNote(name) {
  return samplers[name] ? samplers[name][1] : "";
}
