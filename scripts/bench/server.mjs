// npm run bench:server: how fast the server answers while it computes. Prints one line a figure. The machine should be idle.
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { safetensors } from '../chaos/models.mjs';
import { ROOT } from '../lib/root.mjs';
import { freePort, startServer } from '../lib/serve.mjs';

/** A Mamba-2 of 24 blocks with random weights, and the words of the bundled models. */
const SHAPE = { layers: 24, d: 768, inner: 1536, heads: 24, state: 128, words: 73 };
const WORDS = 1000;
const POSTS = 50;
const HEALTH_EVERY_MS = 20;

const quantile = (values, q) => values.toSorted((a, b) => a - b)[Math.ceil(q * values.length) - 1];
const report = (what, value, aim) => console.log(`${what.padEnd(64)} ${value.padStart(12)}   aim ${aim}`);
const ms = (value) => `${value.toFixed(1)} ms`;
const sleep = (time) => new Promise((resolve) => setTimeout(resolve, time));

function writeModel(folder) {
  const { layers, d, inner, heads, state, words } = SHAPE;
  mkdirSync(folder, { recursive: true });
  cpSync(join(ROOT, 'models', 'demo-mamba2', 'tokenizer.json'), join(folder, 'tokenizer.json'));
  const config = {
    model_type: 'statescope',
    hidden_size: d,
    num_hidden_layers: layers,
    vocab_size: words,
    layers: 'mamba2',
    expand: inner / d,
    state_size: state,
    conv_kernel: 4,
    head_dim: inner / heads,
    n_groups: 1,
    use_bias: false,
    use_conv_bias: true,
    layer_norm_epsilon: 1e-5,
    tie_word_embeddings: true,
  };
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
  const tensors = {};
  const put = (name, shape, fill) => {
    const values = Float32Array.from({ length: shape.reduce((a, b) => a * b) }, fill);
    tensors[`backbone.${name}`] = { dtype: 'F32', shape, bytes: Buffer.from(values.buffer) };
  };
  const small = () => 0.04 * (Math.random() - 0.5);
  const one = () => 1;
  put('embeddings.weight', [words, d], small);
  put('norm_f.weight', [d], one);
  const wide = inner + 2 * state;
  for (let layer = 0; layer < layers; layer++) {
    const at = `layers.${layer}`;
    put(`${at}.norm.weight`, [d], one);
    put(`${at}.mixer.in_proj.weight`, [inner + wide + heads, d], small);
    put(`${at}.mixer.conv1d.weight`, [wide, 1, 4], small);
    put(`${at}.mixer.conv1d.bias`, [wide], () => 0);
    put(`${at}.mixer.dt_bias`, [heads], () => -3);
    put(`${at}.mixer.A_log`, [heads], (_, k) => Math.log(1 + k));
    put(`${at}.mixer.D`, [heads], one);
    put(`${at}.mixer.norm.weight`, [inner], one);
    put(`${at}.mixer.out_proj.weight`, [d, inner], small);
  }
  writeFileSync(join(folder, 'model.safetensors'), safetensors(tensors));
}

const folder = mkdtempSync(join(tmpdir(), 'statescope-bench-'));
const port = await freePort();
const origin = `http://127.0.0.1:${port}`;
let server;
try {
  writeModel(join(folder, 'wide'));
  server = await startServer(port, { STATESCOPE_DATA: join(folder, 'data'), STATESCOPE_MODELS: folder });
  const get = async (path) => (await fetch(`${origin}${path}`)).json();
  const post = async (body) => {
    const start = performance.now();
    const answer = await fetch(`${origin}/api/runs`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    const json = await answer.json();
    return { status: answer.status, ms: performance.now() - start, id: json.id, text: JSON.stringify(json) };
  };
  const sentence = 'Mary entered the kitchen .';
  const question = (words) => ({
    models: ['wide'],
    target: 'kitchen',
    prompt: Array(Math.ceil(words / 5))
      .fill(sentence)
      .join(' '),
  });
  /** Asks for health until the run has ended. */
  const pulse = async (id) => {
    const times = [];
    for (let state = 'queued'; state === 'queued' || state === 'running'; ) {
      const start = performance.now();
      const health = await get('/api/health');
      times.push(performance.now() - start);
      if (health.queue === 0) ({ state } = await get(`/api/runs/${id}`));
      await sleep(HEALTH_EVERY_MS);
    }
    return times;
  };
  while ((await get('/api/health')).status !== 'ready') await sleep(100);
  console.log(
    `${cpus()[0].model}, ${availableParallelism()} cores, load ${loadavg()[0].toFixed(1)}; 24 × 768, ${WORDS} tokens`,
  );

  const first = await post(question(WORDS));
  if (first.status !== 202) throw new Error(`The run was refused: ${first.text}`);
  const start = performance.now();
  const times = await pulse(first.id);
  report('time of the run, reading the weights included', `${((performance.now() - start) / 1000).toFixed(1)} s`, '—');
  report(`health while it computes, median of ${times.length}`, ms(quantile(times, 0.5)), '—');
  report('health while it computes, p99', ms(quantile(times, 0.99)), '≤ 50 ms');

  // The first requests of a fresh server compile what they run.
  await Promise.all(Array.from({ length: POSTS }, () => post(question(20))));
  while ((await get('/api/health')).queue > 0) await sleep(100);
  const second = await post(question(WORDS));
  await sleep(1000);
  const posts = await Promise.all(Array.from({ length: POSTS }, () => post(question(20))));
  const codes = [...new Set(posts.map(({ status }) => status))].sort().join(' and ');
  report(
    `${POSTS} posts at once behind a run, median (${codes})`,
    ms(
      quantile(
        posts.map((one) => one.ms),
        0.5,
      ),
    ),
    '—',
  );
  report(
    `${POSTS} posts at once behind a run, p99`,
    ms(
      quantile(
        posts.map((one) => one.ms),
        0.99,
      ),
    ),
    '≤ 200 ms',
  );
  await pulse(second.id);
} finally {
  if (server?.kill('SIGTERM')) await once(server, 'exit');
  rmSync(folder, { recursive: true, force: true });
}
