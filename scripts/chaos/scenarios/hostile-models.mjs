import { spawnSync } from 'node:child_process';
import { closeSync, cpSync, mkdirSync, openSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { copyModel, DEMO, safetensors } from '../models.mjs';
import { Server } from '../server.mjs';

const NUMBERS = {
  'layers-1e7': { num_hidden_layers: 10_000_000 },
  'layers-max': { num_hidden_layers: Number.MAX_SAFE_INTEGER },
  'layers-list': { layers: new Array(200_000).fill('mamba2'), num_hidden_layers: 200_000 },
  'hidden-max': { hidden_size: Number.MAX_SAFE_INTEGER },
  'hidden-hex': { hidden_size: '0x80' },
  'vocab-max': { vocab_size: Number.MAX_SAFE_INTEGER },
  'state-2e40': { state_size: 2 ** 40 },
  'expand-1e300': { expand: 1e300 },
  'expand-half': { expand: 0.001 },
  'limit-backwards': { time_step_limit: ['inf', '-inf'] },
  'groups-half': { n_groups: 0.5 },
  'conv-2e31': { conv_kernel: 2 ** 31 },
  prototype: { __proto__: null, constructor: { prototype: { polluted: 1 } }, hidden_size: null },
};

/** Folders that look like models and are not; each by what makes it. */
const FOLDERS = {
  'dangling-link': (folder) => {
    rmSync(join(folder, 'model.safetensors'));
    symlinkSync('../../blobs/6f0e', join(folder, 'model.safetensors'));
  },
  'circular-link': (folder) => {
    rmSync(join(folder, 'model.safetensors'));
    symlinkSync('model.safetensors', join(folder, 'model.safetensors'));
  },
  'dangling-config': (folder) => {
    rmSync(join(folder, 'config.json'));
    symlinkSync('nowhere', join(folder, 'config.json'));
  },
  'config-folder': (folder) => {
    rmSync(join(folder, 'config.json'));
    mkdirSync(join(folder, 'config.json'));
  },
  'config-fifo': (folder) => fifo(join(folder, 'config.json')),
  'tokenizer-fifo': (folder) => fifo(join(folder, 'tokenizer.json')),
  'weights-fifo': (folder) => fifo(join(folder, 'model.safetensors')),
  'config-device': (folder) => {
    rmSync(join(folder, 'config.json'));
    symlinkSync('/dev/zero', join(folder, 'config.json'));
  },
  'weights-device': (folder) => {
    rmSync(join(folder, 'model.safetensors'));
    symlinkSync('/dev/zero', join(folder, 'model.safetensors'));
  },
  'header-brackets': (folder) => {
    const size = Buffer.alloc(8);
    size.writeBigUInt64LE(99_000_000n);
    writeFileSync(join(folder, 'model.safetensors'), Buffer.concat([size, Buffer.alloc(99_000_000, '[')]));
  },
  'header-huge': (folder) => writeFileSync(join(folder, 'model.safetensors'), Buffer.alloc(64, 0xff)),
  'many-tensors': (folder) => {
    const none = { dtype: 'F32', shape: [0], bytes: Buffer.alloc(0) };
    const tensors = Object.fromEntries(Array.from({ length: 1_500_000 }, (_, i) => [`t${i}`, none]));
    const text = Buffer.from(
      `{${Object.keys(tensors)
        .map((name) => `"${name}":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}`)
        .join(',')}}`,
    );
    const size = Buffer.alloc(8);
    size.writeBigUInt64LE(BigInt(text.length));
    writeFileSync(join(folder, 'model.safetensors'), Buffer.concat([size, text]));
  },
  'empty-weights': (folder) => writeFileSync(join(folder, 'model.safetensors'), safetensors({})),
  'tokenizer-1gb': (folder) => sparse(join(folder, 'tokenizer.json'), 2 ** 30),
  'config-1gb': (folder) => sparse(join(folder, 'config.json'), 2 ** 30),
  'config-deep': (folder) =>
    writeFileSync(join(folder, 'config.json'), `${'{"a":'.repeat(200_000)}1${'}'.repeat(200_000)}`),
  'config-not-json': (folder) => writeFileSync(join(folder, 'config.json'), `{"a":${'-'.repeat(1_000_000)}`),
  'index-outside': (folder) => index(folder, { a: '../demo/model.safetensors', b: '/etc/passwd' }),
  'index-200k': (folder) =>
    index(folder, Object.fromEntries(Array.from({ length: 200_000 }, (_, i) => [i, `${i}.safetensors`]))),
};

function fifo(path) {
  rmSync(path);
  spawnSync('mkfifo', [path]);
}

function sparse(path, bytes) {
  closeSync(openSync(path, 'w'));
  truncateSync(path, bytes);
}

function index(folder, weight_map) {
  rmSync(join(folder, 'model.safetensors'));
  writeFileSync(join(folder, 'model.safetensors.index.json'), JSON.stringify({ weight_map }));
}

/** A Hugging Face cache whose blobs were cleaned. */
function cleanedCache(models) {
  const repository = join(models, 'models--somebody--mamba');
  const snapshot = join(repository, 'snapshots', 'abc');
  mkdirSync(join(repository, 'refs'), { recursive: true });
  mkdirSync(snapshot, { recursive: true });
  writeFileSync(join(repository, 'refs', 'main'), 'abc');
  cpSync(join(DEMO, 'config.json'), join(snapshot, 'config.json'));
  symlinkSync('../../blobs/6f0e', join(snapshot, 'model.safetensors'));
}

export default {
  name: 'hostile-models',
  title: 'model folders with dangling links, pipes, devices, huge headers and absurd numbers',
  async run(world) {
    const models = world.make('models');
    const heavy = ['header-brackets', 'many-tensors', 'layers-list'];
    const wanted = (name) => !world.quick || !heavy.includes(name);
    const folders = Object.entries(FOLDERS).filter(([name]) => wanted(name));
    for (const [name, make] of folders) make(copyModel(join(models, name)));
    const numbers = Object.entries(NUMBERS).filter(([name]) => wanted(name));
    for (const [name, config] of numbers) copyModel(join(models, name), { config });
    cleanedCache(models);
    copyModel(join(models, 'good'));
    world.count('bad model folders', folders.length + numbers.length + 1);

    const server = await Server.start(world, { data: 'none', models: [models] });
    const first = await server.get('/api/models');
    world.check('the list of models answers', first.status === 200, `${first.status} ${first.bytes.subarray(0, 300)}`);
    const names = first.json?.models?.map(({ name }) => name) ?? [];
    const good = ['demo-mamba2', 'demo-diff-mamba2', 'good'].every((name) => names.includes(name));
    world.check('models that are whole are listed beside those that are not', good, names);
    for (const { name, problem } of first.json?.unreadable ?? []) {
      world.check('every bad folder is told in a sentence', /[.!]$/.test(problem), `${name}: ${problem}`);
      world.noLeak(`model ${name}`, problem);
    }
    const again = await server.get('/api/models');
    world.figure('the list of models with bad folders, first time', first.ms, 'ms');
    world.figure('the list of models with bad folders, again', again.ms, 'ms');
    world.check('what is wrong with a folder is remembered', again.ms < Math.max(2000, first.ms / 2), again.ms);
    const many = await Promise.all(Array.from({ length: 8 }, () => server.get('/api/models')));
    world.check(
      'eight lists at once answer',
      many.every(({ status }) => status === 200),
    );
    const page = await server.get('/');
    world.check('the page is served beside bad folders', page.status === 200, page.status);
    const { json: health } = await server.get('/api/health');
    world.check('health answers beside bad folders', health?.status === 'ready', health);
    const megabytes = health.memory.residentBytes / 2 ** 20;
    world.figure('memory after bad folders', megabytes, 'MB');
    world.check('bad folders do not take the memory', megabytes < 2500, `${megabytes} MB`);
    for (const name of [...folders.map(([folder]) => folder), ...numbers.map(([folder]) => folder)]) {
      const { status } = await server.post('/api/tokenize', { model: name, text: 'Mary' }, { seconds: 60 });
      world.check(
        'a bad model is refused, or read without its bad part',
        status === 200 || (status >= 400 && status < 500),
        `${name}: ${status}`,
      );
    }
    const run = await server.run({
      models: ['good'],
      prompt: 'Mary entered the kitchen. Where is Mary? Answer:',
      target: 'kitchen',
    });
    await server.ended(run);
    await server.stop();
  },
};
