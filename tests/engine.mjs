/* engine.mjs MODULE PROGRAM MODEL FOLDER: tests of the page's engine in Node. MODULE is ddpm.mjs, PROGRAM the
   native ddpm, whose pictures and sentences are expected, MODEL the file of the embedded model, FOLDER a place for
   files. */
import { strict as assert } from 'node:assert';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

const [path, program, modelFile, folder] = process.argv.slice(2);
const { load, settingsOf, supported, DdpmError } = await import(pathToFileURL(path));
const engine = await load();

const ddpm = (...words) => spawnSync(program, words, { encoding: 'utf8' });

const read_model = () => new Uint8Array(readFileSync(modelFile));

/* Takes all steps of a run; returns its PNG, and closes it. */
function made(run) {
    while (run.left)
        run.step();
    const png = run.png();
    run.close();
    return png;
}

/* The two pictures may differ by two levels, as those of any two engine classes. */
function the_program_verifies_its_picture() {
    const model = engine.embedded(), file = `${folder}/engine.png`;
    for (const settings of [{ seed: 7, steps: 20, images: 4 }, { seed: 7, fast: true, index: '3,5' },
        { steps: 5, sampler: 'ddim', eta: 0.5, size: '48x32', images: 1 }]) {
        writeFileSync(file, made(model.run(settings)));
        const result = ddpm('verify', file);
        assert.equal(result.status, 0, result.stderr);
    }
    model.close();
}

function a_picture_is_made_again() {
    const model = engine.embedded(), png = made(model.run({ seed: 7, steps: 3, images: 2 }));
    assert.deepEqual(made(model.again(settingsOf(png))), png);
    assert.equal(settingsOf(png.subarray(1)), null);
    assert.equal(settingsOf(new Uint8Array(3)), null);
    model.close();
}

function a_run_counts() {
    const model = engine.embedded(), run = model.run({ steps: 4, images: 3 });
    assert.equal(run.left, 4);
    const { taken, t, calls, seconds } = run.step();
    assert.deepEqual([taken, t, calls, run.left, run.lost], [1, 999, 1, 3, 0]);
    assert(seconds > 0 && run.seconds === seconds);
    const { width, height, columns, data } = run.picture();
    assert.deepEqual([width, height, columns, data.length], [64, 64, 2, 64 * 64 * 4]);
    assert.throws(() => model.close(), DdpmError);
    run.close();
    assert.throws(() => run.step(), /closed/);
    model.close();
    assert.throws(() => model.about, /closed/);
}

function a_model_is_told() {
    const model = engine.open(read_model());
    const told = JSON.parse(ddpm('info', '--json', modelFile).stdout.trim().split('\n').pop());
    for (const key of ['id', 'model', 'parameters', 'flops'])
        assert.deepEqual(model.about[key], told[key], key);
    assert(model.about.engine_class.includes(', wasm, '));
    assert(model.report.includes(`id            ${told.id}`));
    model.close();
}

/* What is refused is refused by the program's own sentence. */
function mistakes_are_those_of_the_program() {
    const model = engine.embedded();
    for (const [name, value] of [['steps', 1001], ['sampler', 'none'], ['eta', 2], ['class', 3], ['stips', 5],
        ['size', '33x32'], ['seed', -1]]) {
        const told = ddpm('sample', `--${name}=${value}`, '-o', `${folder}/none.png`).stderr.trim();
        assert.throws(() => model.run({ [name]: value }), { name: 'DdpmError', message: told.replace('ddpm sample: ', '') });
    }
    model.close();
}

/* Every damage is refused or harmless, and the engine goes on. */
function hostile_models() {
    const file = read_model(), header = 8 + Number(new DataView(file.buffer, file.byteOffset).getBigUint64(0, true));
    let state = 1;
    const random = (n) => (state = (state * 48271) % 2147483647) % n;
    const refused = (bytes) => assert.throws(() => engine.open(bytes), DdpmError);

    refused(new Uint8Array(0));
    refused(file.subarray(0, 7));
    refused(file.subarray(0, header));
    refused(file.subarray(0, file.length - 1));
    for (let i = 0; i < 300; i++) {
        const bytes = file.slice();
        for (let k = random(4); k >= 0; k--)
            bytes[random(header)] = random(256);
        try {
            engine.open(bytes).close();
        } catch (error) {
            assert(error instanceof DdpmError && !/stopped/.test(error.message), error);
        }
    }
    /* Sizes that the addresses of 32 bits do not hold. */
    for (const length of [0xffffffffn, 0x100000010n, 0x7fffffffffffffffn]) {
        const bytes = file.slice();
        new DataView(bytes.buffer).setBigUint64(0, length, true);
        refused(bytes);
    }
    const text = new TextDecoder('latin1').decode(file.subarray(8, header));
    for (const dim of ['4294967297', '1073741825', '65536,65537']) {
        const changed = text.replace(/"shape":\[[0-9,]+\]/g, `"shape":[${dim}]`);
        const bytes = new Uint8Array(8 + changed.length + file.length - header);
        new DataView(bytes.buffer).setBigUint64(0, BigInt(changed.length), true);
        bytes.set(new TextEncoder().encode(changed), 8);
        bytes.set(file.subarray(header), 8 + changed.length);
        refused(bytes);
    }
    engine.embedded().close();
}

function memory_is_flat_over_200_images() {
    const model = engine.embedded();
    let memory;
    for (let i = 0; i < 25; i++) {
        made(model.run({ seed: i, steps: 1, images: 8 }));
        memory = i < 2 ? engine.memory : memory;
    }
    assert.equal(engine.memory, memory);
    model.close();
}

let passed = 0, failed = 0;
for (const test of [the_program_verifies_its_picture, a_picture_is_made_again, a_run_counts, a_model_is_told,
    mistakes_are_those_of_the_program, hostile_models, memory_is_flat_over_200_images]) {
    console.log(`engine.${test.name}`);
    try {
        assert(supported());
        test();
        passed++;
    } catch (error) {
        console.log(`  FAILED: ${error.stack}\nfailed: engine.${test.name}`);
        failed++;
    }
}
console.log(`${passed} passed, ${failed} failed, 0 skipped`);
process.exitCode = failed > 0 ? 1 : 0;
