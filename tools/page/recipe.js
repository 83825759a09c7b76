// Settings, three ways: as the form has them, as options of ddpm sample, which the engine takes, and as the
// recipe in a picture (tools/sample/recipe.h).  The form's settings are
//   { sampler, steps, seed, class, guidance, indices, more }
// steps, seed and class are texts.  indices are those of the images.  more has the options that a picture
// came with and the form does not show; it lasts until another sampler is chosen.

const SNR_UNASKED = 0.16; // what a recipe has where nobody asked for another

// Returns the options of ddpm sample for settings of the model.
export function optionsOf(settings, about) {
  const { sampler, steps, seed, guidance, indices, more } = settings;
  const guided = guidance !== 1 && settings.class !== "none";
  return {
    sampler,
    steps,
    seed,
    index: indices.join(","),
    class: about.classes.length ? settings.class : undefined,
    guidance: guided ? guidance : undefined,
    ...more,
  };
}

// Returns the settings of a recipe that the engine has accepted and written itself.
export function settingsOfRecipe(r) {
  return {
    sampler: r.sampler,
    steps: r.steps,
    seed: r.seed,
    class: String(r.class),
    guidance: r.guidance ?? 1,
    indices: r.indices,
    more: {
      variance: r.variance,
      spacing: r.sampler === "tuned" ? undefined : r.spacing,
      eta: r.eta || undefined,
      order: r.order || undefined,
      corrector: r.corrector || undefined,
      snr: r.snr === SNR_UNASKED ? undefined : r.snr,
      clip: r.clip ? undefined : "no",
      size: r.size,
    },
  };
}

// Returns { width, height } of the images of settings.
export function sizeOf({ more }, about) {
  const [width, height] = more.size ? more.size.split("x").map(Number) : [about.width, about.height];
  return { width, height };
}

// Returns what a reader wants to know of `more`, such as "eta 0.5", or "".
export function wordsOfMore({ variance: _, spacing: __, ...rest }) {
  const said = Object.entries(rest).filter(([, value]) => value !== undefined);
  return said.map((pair) => pair.join(" ")).join(", ");
}

// Returns how many steps a text of steps has: their number, or the length of their list.
export function stepsIn(text) {
  return text.includes(",") ? text.split(",").filter(Boolean).length : Number(text);
}

// Returns whether a text is a seed: a whole number below 2^64.
export function isSeed(text) {
  return /^[0-9]{1,20}$/.test(text) && BigInt(text) < 1n << 64n;
}
