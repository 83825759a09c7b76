/* node --no-turbo-fast-api-calls wasi.mjs PROGRAM [ARGUMENT]...: runs a program of WASI with the files and the
   environment of this machine. Without the option Node 20 crashes now and then when the program's memory grows. */
import { readFileSync } from 'node:fs';
import { WASI } from 'node:wasi';

const program = process.argv[2];
/* A global variable, because Node would collect an object that it sees no more uses of while the program runs. */
globalThis.wasi = new WASI({
    version: 'preview1', args: process.argv.slice(2), env: process.env, preopens: { '/': '/' },
});
const module = new WebAssembly.Module(readFileSync(program));
const code = wasi.start(new WebAssembly.Instance(module, { wasi_snapshot_preview1: wasi.wasiImport }));
process.exit(code);
