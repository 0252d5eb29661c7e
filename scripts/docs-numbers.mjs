// npm run docs:numbers: measures what docs/analyses.md says of the bundled pair and writes the numbers into their marked places,
// <!--=name-->…<!--/-->, and into docs/numbers.json with the digests of the models' files. With --check nothing is measured: it fails
// where the text has other numbers than that file, or the file is of other models.
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { modelsDigest, NUMBERS, numbersIn, TEXT, withNumbers } from './lib/doc-numbers.mjs';
import { ROOT } from './lib/root.mjs';

const PAIR = ['demo-mamba2', 'demo-diff-mamba2'];
/** The first example of the page, and the models that it is for. */
const [FIRST] = JSON.parse(await readFile(join(ROOT, 'models', 'examples.json'), 'utf8'));
export const MODELS = [...PAIR, ...FIRST.models];
const story = (room) =>
  `Mary reached the bathroom. Sandra entered the ${room}. A bird sang outside. Mary left the book in the garden. Where is Sandra? Answer:`;
/** Tokens of the story: the room, all of them, and where the answer is read. */
const [ROOM, TOKENS, READ] = [8, 29, 28];
const QUESTION = ['--target', 'hallway', '--foil', 'office'];

/** Runs a command of this clone; its JSON. */
async function statescope(...args) {
  const child = spawn(process.execPath, [join(ROOT, 'scripts', 'statescope.mjs'), ...args, '--json'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [out, err] = [[], []];
  child.stdout.on('data', (part) => out.push(part));
  child.stderr.on('data', (part) => err.push(part));
  const code = await new Promise((resolve) => child.on('close', resolve));
  if (code !== 0) throw new Error(`statescope ${args[0]} failed: ${Buffer.concat(err)}`);
  return JSON.parse(Buffer.concat(out).toString());
}

const minus = (text) => text.replace('-', '−');
/** Without the sign of a value that rounds to 0. */
const fixed = (value, digits) => minus(value.toFixed(digits).replace(/^-(?=[0.]+$)/, ''));
/** A bound with one digit, rounded up. */
function bound(value) {
  const power = Math.floor(Math.log10(value));
  const raised = String(-power).replace(/\d/g, (digit) => '⁰¹²³⁴⁵⁶⁷⁸⁹'[digit]);
  return `${Math.ceil(value / 10 ** power)}·10⁻${raised}`;
}
const span = ({ mean, low, high }, digits) =>
  mean === null ? '–' : `${fixed(mean, digits)} [${fixed(low, digits)}, ${fixed(high, digits)}]`;
const percent = (share) => `${Math.round(100 * share)} %`;
const sum = (values) => values.reduce((total, value) => total + value, 0);
const most = (values) => Math.max(...values.map(Math.abs));
/** Place of one value among all by magnitude, 1 for the largest. */
const placeOf = (values, at) => 1 + values.filter((value) => Math.abs(value) > Math.abs(values[at])).length;
const row = (tensor, at) => [...tensor.data.subarray(at * TOKENS, (at + 1) * TOKENS)];

/** Arrays of a safetensors file of float32 that a command wrote. */
async function tensorsOf(path) {
  const bytes = await readFile(path);
  const length = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.subarray(8, 8 + length).toString());
  const entries = Object.entries(header).filter(([name]) => name !== '__metadata__');
  return new Map(
    entries.map(
      ([
        name,
        {
          data_offsets: [start, end],
        },
      ]) => [
        name,
        { data: new Float32Array(new Uint8Array(bytes.subarray(8 + length + start, 8 + length + end)).buffer) },
      ],
    ),
  );
}

/** The answer by layer in the page's first example, and what the layer that raises it most reads. */
async function firstRun(folder) {
  const { prompt, needle, classes, target, candidates } = FIRST;
  const file = join(folder, 'first.jsonl');
  await writeFile(file, `${JSON.stringify({ prompt, needle, classes, target, candidates })}\n`);
  const asked = ['--models', FIRST.models.join(), '--examples', file];
  const [signal, { models }] = [await statescope('snr', ...asked), await statescope('allocation', ...asked)];
  const found = {};
  for (const [k, { layers }] of models.entries()) {
    const letter = 'ab'[k];
    const rows = signal.models[k].rows.filter(
      ({ entry, metric }) => metric === 'target_prob' && entry.startsWith('layer'),
    );
    found[`first.p.${letter}`] = rows.map(({ mean }) => fixed(mean, 2)).join(', ');
    const shares = layers.map(({ layer, net: { logit } }) => ({ layer, ...logit }));
    const largest = shares.reduce((best, one) => (one.needle.mean > best.needle.mean ? one : best));
    found[`first.layer.${letter}`] = String(largest.layer);
    found[`first.needle.${letter}`] = fixed(largest.needle.mean, 1);
    found[`first.competing.${letter}`] = fixed(largest.competing.mean, 1);
  }
  return found;
}

async function maps(folder, target) {
  const found = {};
  for (const [k, model] of PAIR.entries()) {
    const letter = 'ab'[k];
    const input = ['--model', model, '--prompt', story('hallway'), '--target', String(target)];
    const [map, rolled] = ['map', 'rollout'].map((name) => join(folder, `${name}-${letter}.safetensors`));
    await statescope(
      'attention',
      ...input,
      '--layers',
      '0',
      '--form',
      's6,logit,norm',
      '--reduce',
      'mean',
      '--out',
      map,
    );
    await statescope('rollout', ...input, '--method', 'plain,attribution', '--out', rolled);
    const [tensors, rollouts] = [await tensorsOf(map), await tensorsOf(rolled)];
    const of = (form) => tensors.get(`blocks.0.${form}`) ?? tensors.get(`blocks.0.diff.${form.replace('.', '_')}`);
    const s6 = row(of('s6.mean'), READ);
    const logit = row(of(`logit.${target}`), READ);
    const norm = row(tensors.get('blocks.0.norm') ?? tensors.get('blocks.0.diff.norm'), READ);
    const rest = tensors.get(`blocks.0.logit_rest.${target}`).data[READ];
    const needle = [5, 6, 7, 8];
    found[`s6.${letter}`] = `${placeOf(s6, ROOM)} (${fixed(s6[ROOM], 4)})`;
    found[`logit.room.${letter}`] = fixed(logit[ROOM], 1);
    found[`logit.layer.${letter}`] = fixed(sum(logit) + rest, 1);
    found[`norm.needle.${letter}`] = percent(sum(needle.map((at) => norm[at])) / sum(norm));
    found[`rollout.${letter}`] = String(placeOf(row(rollouts.get('rollout.plain'), READ), ROOM));
    found[`attribution.${letter}`] = String(placeOf(row(rollouts.get('rollout.attribution'), READ), ROOM));
  }
  return { ...found, sources: String(TOKENS) };
}

async function logits(target, rival) {
  const of = async (model, word) => {
    const {
      components,
      contributions,
      logits: [logit],
    } = await statescope('attribute', '--model', model, '--prompt', story('hallway'), '--targets', String(word));
    return {
      logit,
      part: (name) => contributions[components.indexOf(name)],
      seconds: components.flatMap((name, k) => (name.endsWith('minus_lambda_branch_2') ? [contributions[k]] : [])),
    };
  };
  const [plain, diff, other] = [await of(PAIR[0], target), await of(PAIR[1], target), await of(PAIR[1], rival)];
  const list = (values) => values.map((value) => fixed(value, 2)).join(', ');
  return {
    'dla.a.layer0': fixed(plain.part('layer 0 mixer'), 2),
    'dla.a.logit': fixed(plain.logit, 2),
    'dla.b.layer0': fixed(diff.part('layer 0 branch_1'), 2),
    'dla.b.logit': fixed(diff.logit, 2),
    'dla.b.seconds': list(diff.seconds),
    'dla.rival': list(other.seconds),
  };
}

async function causal() {
  const [plain, diff] = PAIR;
  const pair = ['--prompt', story('hallway'), ...QUESTION];
  const patched = (model) =>
    statescope('patch', '--model', model, '--corrupted', story('office'), '--point', 'hook_resid_pre', ...pair);
  const grids = [await patched(plain), await patched(diff)];
  // Where the answer is on its way: the room before block 0, the last token from block 1 on.
  const path = (layer, at) => (layer === 0 ? at === ROOM : at === READ);
  const effects = grids.flatMap(({ effect }) =>
    effect.flatMap((values, layer) => values.map((value, at) => ({ value, on: path(layer, at) }))),
  );
  const on = effects.filter(({ on: is }) => is).map(({ value }) => value);
  const cut = await statescope('knockout', '--model', diff, ...pair);
  const others = cut.change.flatMap((values, layer) =>
    values.flatMap((value, at) => (value === null || (layer === 0 && at === ROOM) ? [] : [value])),
  );
  const removed = await statescope('ablate', '--model', diff, '--unit', 'mixer', '--method', 'zero', ...pair);
  const first = removed.runs.find(({ layer, mixer }) => layer === 0 && mixer === 'mixer_1');
  const zero = await statescope('ablate', '--model', diff, '--lambda', '0', '--together', ...pair);
  return {
    'patch.clean': fixed(grids[1].clean, 1),
    'patch.corrupted': fixed(grids[1].corrupted, 1),
    'patch.on': fixed(Math.min(...on), 2),
    'patch.elsewhere': bound(most(effects.filter(({ on: is }) => !is).map(({ value }) => value))),
    'knockout.room': fixed(cut.change[0][ROOM], 1),
    'knockout.left': fixed(cut.without[0][ROOM], 1),
    'knockout.others': fixed(most(others), 1),
    'ablate.base': fixed(removed.base.value, 1),
    'ablate.branch1': fixed(first.value, 1),
    'ablate.branch1.frozen': fixed(first.frozen_norms.value, 1),
    'ablate.others': fixed(most(removed.runs.filter((run) => run !== first).map(({ change }) => change)), 1),
    'ablate.lambda0': fixed(zero.runs[0].value, 1),
    'ablate.lambda0.frozen': fixed(zero.runs[0].frozen_norms.value, 1),
  };
}

/** Attribution patching against exact patching, over all cells. */
async function attributions() {
  const of = async (model, points, ...more) => {
    const { agreement, layers, spans } = await statescope(
      'patch',
      '--model',
      model,
      '--prompt',
      story('hallway'),
      '--corrupted',
      story('office'),
      ...QUESTION,
      '--attribution',
      '--points',
      points.join(),
      '--check',
      '10000',
      ...more,
    );
    return { agreement, cells: layers.length * spans.length };
  };
  const shared = ['hook_resid_pre', 'hook_out_proj', 'hook_h'];
  const [plain, diff] = PAIR;
  const [a, b] = [await of(plain, shared), await of(diff, [...shared, 'mixer_1', 'mixer_2'])];
  const steps = await of(diff, ['hook_resid_pre'], '--steps', '8');
  const rows = [
    ['kind of point', 'A', 'B'],
    ['---', '---', '---'],
    ...b.agreement.map((found, k) => [`\`${found.point}\``, agreementCell(a.agreement[k]), agreementCell(found)]),
  ];
  const room = ({ agreement: [{ cells }] }) => {
    const { estimated, exact } = cells.find(({ layer, span: [start] }) => layer === 0 && start === ROOM);
    return [estimated, exact].map((value) => fixed(value, 1));
  };
  const [once, exact] = room(b);
  return {
    'attribution.table': `\n${table(rows)}\n`,
    'attribution.cells': String(a.cells),
    'attribution.once': once,
    'attribution.often': room(steps)[0],
    'attribution.exact': exact,
  };
}

/** Spearman's and Pearson's of one kind of cell; a dash where a model has none. */
const agreementCell = (found) => (found ? `${fixed(found.rank_correlation, 2)}, ${fixed(found.correlation, 3)}` : '–');

export async function removals() {
  const of = (model, command, ...more) => {
    const asked = ['--model', model, '--prompt', story('hallway'), ...QUESTION, '--attribution', '--check', '10000'];
    return statescope(command, ...asked, ...more);
  };
  const [plain, diff] = PAIR;
  const both = async (...asked) => Promise.all([of(plain, ...asked), of(diff, ...asked)]);
  const rows = [
    ['cells', 'A', 'B'],
    ['---', '---', '---'],
  ];
  for (const reads of ['scan', 'block']) {
    const [a, b] = await both('knockout', '--reads', reads);
    rows.push([`knock-out, reads of the ${reads}`, ...[a, b].map(({ agreement: [found] }) => agreementCell(found))]);
  }
  const ablated = ['--method', 'zero', '--rows', 'token', '--unit'];
  const [blocks, heads] = [await both('ablate', ...ablated, 'block'), await both('ablate', ...ablated, 'head')];
  const mixers = await of(diff, 'ablate', ...ablated, 'mixer');
  rows.push(['ablation of `block`', ...blocks.map(({ agreement: [found] }) => agreementCell(found))]);
  for (const found of mixers.agreement) rows.push([`ablation of \`${found.point}\``, '–', agreementCell(found)]);
  const [headsOfA, headsOfB] = heads.map(({ agreement }) => agreement);
  rows.push(['ablation of `head`', agreementCell(headsOfA[0]), headsOfB.map(agreementCell).join('; ')]);
  const { agreement, base } = await of(diff, 'knockout');
  const { estimated, exact } = agreement[0].cells.find(({ layer, span: [start] }) => layer === 0 && start === ROOM);
  return {
    'removal.table': `\n${table(rows)}\n`,
    'removal.estimated': fixed(estimated - base, 1),
    'removal.exact': fixed(exact - base, 1),
  };
}

const SNR = { margin_std: 2, target_log_odds: 2, target_prob: 3, needle_against_context: 3 };

async function batches() {
  const models = ['--models', PAIR.join()];
  const metrics = Object.keys(SNR);
  const { difference } = await statescope('snr', ...models, '--examples', 'demo:200', '--metric', metrics.join());
  const cell = (entry, metric) =>
    span(
      difference.find((one) => one.entry === entry && one.metric === metric),
      SNR[metric],
    );
  const layers = [...new Set(difference.map(({ entry }) => entry))].filter((entry) => entry.startsWith('layer '));
  const snr = [
    ['entry', ...metrics.map((name) => `\`${name}\``)],
    ['---', ...metrics.map(() => '---')],
    ...layers.map((entry) => [entry, ...metrics.map((metric) => cell(entry, metric))]),
  ];
  const read = await statescope('allocation', ...models, '--examples', 'demo:100');
  const [a, b] = read.models;
  const share = (layer) => span(layer.net.needle_against_context, 2);
  const allocation = [
    [
      'layer',
      'chance',
      'A, needle against context',
      'B',
      'B − A',
      'A, question and read-out',
      'B',
      'B, removed: needle',
      'competing',
      'question',
    ],
    new Array(10).fill('---'),
    ...a.layers.map((layer, k) => {
      const other = b.layers[k];
      const asked = ({ net: { norm_share: found } }) => percent(found.question.mean + found.self.mean);
      const removed = (name) => (other.removed?.[name] ? span(other.removed[name], 2) : '–');
      return [
        String(layer.layer),
        fixed(layer.chance, 2),
        share(layer),
        share(other),
        span(read.paired[0].layers[k].needle_against_context, 2),
        asked(layer),
        asked(other),
        ...['needle', 'competing', 'question'].map(removed),
      ];
    }),
  ];
  return { 'snr.table': `\n${table(snr)}\n`, 'allocation.table': `\n${table(allocation)}\n` };
}

const table = (rows) =>
  rows.map((cells) => (cells[0] === '---' ? `|${cells.join('|')}|` : `| ${cells.join(' | ')} |`)).join('\n');

/** Areas by order, and how often the class that is read most is the one that counts. */
export function faithfulnessNumbers({ models: [a, b] }) {
  const areas = [
    ['order', 'A, deletion', 'A, insertion', 'B, deletion', 'B, insertion'],
    new Array(5).fill('---'),
    ...a.orders.map((one, k) => [
      `\`${one.order}\``,
      ...[one, b.orders[k]].flatMap(({ deletion_area: out, insertion_area: back }) => [span(out, 2), span(back, 2)]),
    ]),
  ];
  const won = ({ classes: { largest, of } }) => `${largest} of ${of}`;
  return {
    'faithfulness.table': `\n${table(areas)}\n`,
    'faithfulness.classes.a': won(a),
    'faithfulness.classes.b': won(b),
  };
}

async function curves() {
  return faithfulnessNumbers(await statescope('faithfulness', '--model', PAIR.join(), '--examples', 'demo:20'));
}

/** The words as the models know them. */
async function wordsOf(model) {
  const {
    model: { vocab },
  } = JSON.parse(await readFile(join(ROOT, 'models', model, 'tokenizer.json'), 'utf8'));
  return vocab;
}

async function measured() {
  const folder = await mkdtemp(join(tmpdir(), 'statescope-numbers-'));
  try {
    const { hallway, garden } = await wordsOf(PAIR[0]);
    return {
      ...(await firstRun(folder)),
      ...(await maps(folder, hallway)),
      ...(await logits(hallway, garden)),
      ...(await causal()),
      ...(await attributions()),
      ...(await removals()),
      ...(await batches()),
      ...(await curves()),
    };
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** What is wrong with the text, in sentences; empty where nothing is. */
export async function problems() {
  const { models, numbers } = JSON.parse(await readFile(NUMBERS, 'utf8'));
  const text = await readFile(TEXT, 'utf8');
  const found = [];
  if (JSON.stringify(models) !== JSON.stringify(await modelsDigest(MODELS)))
    found.push('docs/numbers.json is of other files of the bundled models.');
  for (const { name, value } of numbersIn(text))
    if (value !== numbers[name]) found.push(`docs/analyses.md has "${value}" where ${name} is "${numbers[name]}".`);
  const written = new Set(numbersIn(text).map(({ name }) => name));
  for (const name of Object.keys(numbers))
    if (!written.has(name)) found.push(`${name} stands nowhere in docs/analyses.md.`);
  return found;
}

async function main() {
  if (!process.argv.includes('--check')) {
    const numbers = await measured();
    const text = await readFile(TEXT, 'utf8');
    await writeFile(TEXT, withNumbers(text, numbers));
    await writeFile(NUMBERS, `${JSON.stringify({ models: await modelsDigest(MODELS), numbers }, null, 2)}\n`);
  }
  const found = await problems();
  if (found.length === 0) return;
  process.stderr.write(
    `${found.join('\n')}\nRun "npm run docs:numbers", and read the sentences around what has changed.\n`,
  );
  process.exitCode = 1;
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) await main();
