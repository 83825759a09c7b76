/* ddpm.mjs: the engine of ddpm in a browser, a Web Worker or Node.

   The module loads ddpm.wasm, which is the program's library, samplers and embedded model compiled for
   WebAssembly with SIMD.  Everything is synchronous after load(): in a page use it in a worker.

       import { load } from './ddpm.mjs';
       const engine = await load();                       // ddpm.wasm beside this file
       const model = engine.embedded();                   // or engine.open(await file.arrayBuffer())
       const run = model.run({ steps: 20, seed: 7, images: 16, sampler: 'ddim' });
       while (run.left) {
           const { taken, t, calls, seconds } = run.step();
           const { width, height, data } = run.picture(); // for new ImageData(data, width, height)
       }
       const png = run.png();                             // Uint8Array, with its settings in it
       run.close();
       model.close();

   Errors.  What the program refuses is thrown as a DdpmError: its message is the one line that the program
   prints, its code that of ddpm.h (2: wrong data, 7: out of memory, ...).  The engine can go on after it.

   Memory.  A model and a run hold memory of the engine until close(); closing the model of an open run, or
   using what is closed, throws.  An engine's memory never shrinks, so a page that has closed a large model
   gets its memory back by dropping the engine (or its worker) and loading another. */

/** An error of the engine: one line, and the code of ddpm.h. */
export class DdpmError extends Error {
    constructor(message, code) {
        super(message);
        this.name = 'DdpmError';
        this.code = code;
    }
}

/** Returns whether this browser can run the engine; without SIMD it cannot.  The bytes are the least module
    that has a vector. */
export function supported() {
    return typeof WebAssembly === 'object' && WebAssembly.validate(new Uint8Array([
        0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11,
    ]));
}

/** Loads the engine.  wasm: the bytes of ddpm.wasm (ArrayBuffer or Uint8Array), a WebAssembly.Module, or a
    URL; left out, the file beside this one.  Rejects with a DdpmError where there is no SIMD. */
export async function load(wasm = new URL('ddpm.wasm', import.meta.url)) {
    if (!supported())
        throw new DdpmError('this browser has no WebAssembly SIMD, which the engine is made of: update it', 8);
    if (typeof wasm === 'string' || wasm instanceof URL)
        wasm = await read(wasm);
    const module = wasm instanceof WebAssembly.Module ? wasm : await WebAssembly.compile(wasm);
    return new Engine(module);
}

/** Reads a file beside the module: Node's fetch takes no file: addresses. */
async function read(url) {
    if (String(url).startsWith('file:'))
        return (await import('node:fs/promises')).readFile(url);
    const response = await fetch(url);
    if (!response.ok)
        throw new DdpmError(`${url}: cannot be read: ${response.status}`, 4);
    return response.arrayBuffer();
}

/* The codes of WASI that the imports below return. */
const SUCCESS = 0, NO_FILE = 8;

class Engine {
    #exports;
    #printed = [];  // what went to standard output, in pieces
    #remarked = ''; // what went to standard error
    #dead = null;   // the trap that has ended the engine

    constructor(module) {
        /* The C library asks WASI for files, clocks and more.  Of them the engine has its two outputs, a clock,
           random numbers and an environment without variables; everything else does not exist. */
        const wasi = {
            fd_write: (fd, list, count, written) => this.#write(fd, list, count, written),
            clock_time_get: (id, precision, at) => {
                this.#view().setBigUint64(at, BigInt(Math.round(performance.now() * 1e6)), true);
                return SUCCESS;
            },
            random_get: (at, size) => {
                crypto.getRandomValues(new Uint8Array(this.#exports.memory.buffer, at, size));
                return SUCCESS;
            },
            environ_sizes_get: (count, size) => {
                this.#view().setUint32(count, 0, true);
                this.#view().setUint32(size, 0, true);
                return SUCCESS;
            },
            proc_exit: (code) => {
                throw new WebAssembly.RuntimeError(`exit ${code}`);
            },
        };
        const imports = {};
        for (const { module: from, name } of WebAssembly.Module.imports(module))
            (imports[from] ??= {})[name] = wasi[name] ?? (() => NO_FILE);
        this.#exports = new WebAssembly.Instance(module, imports).exports;
        this.#exports.__wasm_call_ctors();
    }

    /** The version of ddpm, "0.1.0". */
    get version() {
        return this.#string(this.#call('page_version'));
    }

    /** How many bytes the engine has taken from the system. */
    get memory() {
        return this.#exports.memory.buffer.byteLength;
    }

    /** Returns the embedded model. */
    embedded() {
        return this.#model(0, 0);
    }

    /** Opens a model file (ArrayBuffer or Uint8Array), which is copied.  Every byte of it is checked. */
    open(bytes) {
        const data = bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes);
        return this.#model(this.#copy(data), data.length);
    }

    #model(at, size) {
        const handle = this.#call('page_model_open', at, size);
        if (!handle)
            throw this.#error();
        return new Model(this.#gate, handle);
    }

    /* What models and runs may use of the engine. */
    #gate = {
        call: (name, ...values) => this.#call(name, ...values),
        check: (name, ...values) => {
            if (this.#call(name, ...values))
                throw this.#error();
        },
        error: () => this.#error(),
        copy: (bytes) => this.#copy(bytes),
        bytes: (at, size) => new Uint8Array(this.#exports.memory.buffer, at, size),
        numbers: (at, count) => new Float64Array(this.#exports.memory.buffer, at, count),
        printed: (name, ...values) => this.#output(name, ...values),
        remarks: () => {
            const lines = this.#remarked.split('\n').filter((line) => line);
            this.#remarked = '';
            return lines.map((line) => line.replace(/^ddpm sample: /, ''));
        },
    };

    /* Calls a function of the module.  A trap leaves the memory in an unknown state, so nothing is called
       after it. */
    #call(name, ...values) {
        if (this.#dead)
            throw this.#dead;
        try {
            return this.#exports[name](...values);
        } catch (error) {
            this.#dead = new DdpmError(`the engine has stopped, load it again: ${error.message}`, 7);
            throw this.#dead;
        }
    }

    #error() {
        return new DdpmError(this.#string(this.#call('page_error')), this.#call('page_error_code'));
    }

    /* Calls a function that prints, and returns the bytes it has printed. */
    #output(name, ...values) {
        this.#printed = [];
        if (this.#call(name, ...values))
            throw this.#error();

        const all = new Uint8Array(this.#printed.reduce((size, part) => size + part.length, 0));
        let at = 0;
        for (const part of this.#printed) {
            all.set(part, at);
            at += part.length;
        }
        this.#printed = [];
        return all;
    }

    #view() {
        return new DataView(this.#exports.memory.buffer);
    }

    /* Copies bytes into memory of the module, which the callee frees. */
    #copy(bytes) {
        const at = this.#call('page_allocate', bytes.length || 1);
        if (!at)
            throw new DdpmError(`out of memory for ${bytes.length} bytes`, 7);
        new Uint8Array(this.#exports.memory.buffer).set(bytes, at);
        return at;
    }

    #string(at) {
        const memory = new Uint8Array(this.#exports.memory.buffer);
        return new TextDecoder().decode(memory.slice(at, memory.indexOf(0, at)));
    }

    /* WASI's fd_write: list [count] of pairs (address, size). */
    #write(fd, list, count, written) {
        const view = this.#view();
        let size = 0;
        for (let i = 0; i < count; i++) {
            const at = view.getUint32(list + 8 * i, true), length = view.getUint32(list + 8 * i + 4, true);
            const part = new Uint8Array(view.buffer).slice(at, at + length);
            if (fd === 2)
                this.#remarked += new TextDecoder().decode(part);
            else
                this.#printed.push(part);
            size += length;
        }
        view.setUint32(written, size, true);
        return SUCCESS;
    }
}

/** A model.  about is what `ddpm info --json` says of it: id, model (its metadata), parameters, flops, memory,
    engines, cpu, threads, engine_class. */
class Model {
    #engine;
    #handle;
    #about = null;
    #runs = new Set();

    constructor(engine, handle) {
        this.#engine = engine;
        this.#handle = handle;
    }

    #open() {
        if (!this.#handle)
            throw new DdpmError('the model is closed', 1);
        return this.#handle;
    }

    /** What `ddpm info --json` says of the model, as an object. */
    get about() {
        this.#about ??= JSON.parse(new TextDecoder().decode(this.#engine.printed('page_model_report', this.#open(), 1)));
        return this.#about;
    }

    /** What `ddpm info` says of the model, as lines of text. */
    get report() {
        return new TextDecoder().decode(this.#engine.printed('page_model_report', this.#open(), 0));
    }

    /** Begins images.  The settings are the long options of `ddpm sample`, as numbers, texts, or true for a
        flag: images (16; at most 256), index "0,5,7-9", seed (number, BigInt or text), steps 50 or "all" or a list,
        sampler, spacing, variance, eta, order, corrector, snr, guidance, class (number, "all", "none"), clip "yes" or
        "no", fast, size "48x64", scale.  undefined and false leave an option out.  What is refused is refused by
        the program's own sentence. */
    run(settings = {}) {
        const words = [];
        for (const [name, value] of Object.entries(settings))
            if (value !== undefined && value !== false)
                words.push(value === true ? `--${name}` : `--${name}=${value}`);
        const text = words.map((word) => word.replaceAll('\0', ' ') + '\0').join('');
        return this.#begin('page_run_open', this.#engine.copy(new TextEncoder().encode(text)), words.length);
    }

    /** Begins the images of a PNG of ddpm again, from the text that it carries (settingsOf). */
    again(text) {
        const at = this.#engine.copy(new TextEncoder().encode(`${text.replaceAll('\0', ' ')}\0`));
        try {
            return this.#begin('page_run_again', at);
        } finally {
            this.#engine.call('page_free', at);
        }
    }

    #begin(name, ...values) {
        const handle = this.#engine.call(name, this.#open(), ...values);
        if (!handle)
            throw this.#engine.error();
        const run = new Run(this.#engine, handle, () => this.#runs.delete(run));
        this.#runs.add(run);
        return run;
    }

    close() {
        if (this.#runs.size)
            throw new DdpmError('a run of the model is open: close it first', 1);
        if (this.#handle)
            this.#engine.call('page_model_close', this.#handle);
        this.#handle = 0;
    }
}

/** Images under way.
      steps, taken, left   how many steps the images take, have taken, have before them
      t                    the t of the last step
      calls                how often the network was called, each time for all images
      lost                 how many images became NaN
      seconds              the time that the steps took
      remarks              warnings of the program, as lines
      width, height, columns  of the picture: the images lie in rows of `columns` */
class Run {
    #engine;
    #handle;
    #closed;

    constructor(engine, handle, closed) {
        this.#engine = engine;
        this.#handle = handle;
        this.#closed = closed;
        this.seconds = 0;
        this.remarks = engine.remarks();
        this.#read();
    }

    #open() {
        if (!this.#handle)
            throw new DdpmError('the run is closed', 1);
        return this.#handle;
    }

    #read() {
        const at = this.#engine.call('page_run_numbers', this.#open());
        [this.steps, this.taken, this.t, this.calls, this.lost, this.width, this.height, this.columns] =
            this.#engine.numbers(at, 8);
        this.left = this.steps - this.taken;
    }

    /** Takes a step with all images.  Returns { taken, t, calls, seconds } of the run, and the step's own seconds. */
    step() {
        const begun = performance.now();
        this.#engine.check('page_run_step', this.#open());
        const own = (performance.now() - begun) / 1000;
        this.seconds += own;
        this.#read();
        return { taken: this.taken, t: this.t, calls: this.calls, seconds: own };
    }

    /** The images as they are now (x_t) as one picture, at a pixel of the picture for a pixel of an image:
        { width, height, columns, data }, data a Uint8ClampedArray [height, width, 4] of its own. */
    picture() {
        const at = this.#engine.call('page_run_picture', this.#open());
        const data = new Uint8ClampedArray(this.#engine.bytes(at, this.width * this.height * 4));
        return { width: this.width, height: this.height, columns: this.columns, data };
    }

    /** The PNG file that `ddpm sample` writes, with its settings in it, as a Uint8Array. */
    png() {
        return this.#engine.printed('page_run_png', this.#open());
    }

    /** The settings that this PNG carries, as an object; model.again(JSON.stringify(settings)) makes the images
        again. */
    get settings() {
        return JSON.parse(new TextDecoder().decode(this.#engine.printed('page_run_settings', this.#open())));
    }

    close() {
        if (this.#handle)
            this.#engine.call('page_run_close', this.#handle);
        this.#handle = 0;
        this.#closed();
    }
}

/** Returns the settings that a PNG of ddpm carries, as text; null where there are none.  They lie in a chunk tEXt
    with the keyword "ddpm" (PNG, third edition, 11.3.4.3): length, type, keyword, 0, text, CRC. */
export function settingsOf(bytes) {
    const data = bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes);
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    const ascii = (from, to) => new TextDecoder('latin1').decode(data.subarray(from, to));
    /* The decoder of latin1 is that of windows-1252, which has another letter for the first byte. */
    if (data[0] !== 0x89 || ascii(1, 8) !== 'PNG\r\n\x1a\n')
        return null;
    for (let at = 8; at + 12 <= data.length; at += 12 + view.getUint32(at))
        if (ascii(at + 4, at + 13) === 'tEXtddpm\0')
            return ascii(at + 13, at + 8 + view.getUint32(at));
    return null;
}
