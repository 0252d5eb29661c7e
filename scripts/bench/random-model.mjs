// node scripts/bench/random-model.mjs SHAPE FOLDER [--bf16 | --fp16] [--shards N]: writes a checkpoint of a published shape with
// random weights, to measure what loading and running it takes. Memory: one tensor.
import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

/** Width, blocks and kind of published models. */
const SHAPES = {
  'mamba-130m': { d: 768, layers: 24, kind: 'mamba' },
  'mamba-370m': { d: 1024, layers: 48, kind: 'mamba' },
  'mamba-1.4b': { d: 2048, layers: 48, kind: 'mamba' },
  'mamba2-130m': { d: 768, layers: 24, kind: 'mamba2' },
  'mamba2-370m': { d: 1024, layers: 48, kind: 'mamba2' },
  'mamba2-1.3b': { d: 2048, layers: 48, kind: 'mamba2' },
  'diff-mamba2-130m': { d: 768, layers: 24, kind: 'diff' },
  'diff-mamba2-370m': { d: 1024, layers: 48, kind: 'diff' },
};

const VOCABULARY = 50280;

/** Values between −1 and 1 from 24 random bits each, the same at every call of one stream. */
function uniform() {
  let state = 0x9e3779b9;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >> 8) / 2 ** 23;
  };
}

/** Those of a Mamba-2 mixer of E channels in H heads. */
function mamba2Of({ d, E, H, layers }, draw) {
  const N = 128;
  const spread = (width) => () => draw() / Math.sqrt(width);
  return [
    ['in_proj.weight', [2 * E + 2 * N + H, d], spread(d)],
    ['conv1d.weight', [E + 2 * N, 1, 4], spread(4)],
    ['conv1d.bias', [E + 2 * N], spread(4)],
    ['dt_bias', [H], () => 2 * draw() - 4],
    ['A_log', [H], (k) => Math.log(1 + (k % 16))],
    ['D', [H], () => 1],
    ['norm.weight', [E], () => 1],
    ['out_proj.weight', [d, E], () => draw() / Math.sqrt(E * 2 * layers)],
  ];
}

/** Names, shapes and values of all tensors, in the order of the file. */
function tensorsOf({ d, layers, kind }) {
  const [E, draw] = [2 * d, uniform()];
  const spread = (width) => () => draw() / Math.sqrt(width);
  const list = [
    ['embeddings.weight', [VOCABULARY, d], () => 0.02 * draw()],
    ['norm_f.weight', [d], () => 1],
  ];
  for (let layer = 0; layer < layers; layer++) {
    const at = (name) => `layers.${layer}.${name}`;
    const mixer = (name, shape, value) => list.push([at(`mixer.${name}`), shape, value]);
    list.push([at('norm.weight'), [d], () => 1]);
    if (kind === 'diff') {
      for (const part of ['mixer_1', 'mixer_2'])
        for (const [name, shape, value] of mamba2Of({ d, E: d, H: d / 32, layers }, draw))
          list.push([at(`${part}.${name}`), shape, value]);
      list.push([at('lambda_q1'), [d], () => 0.01 * draw()]);
      list.push([at('subln.weight'), [d], () => 1]);
      continue;
    }
    if (kind === 'mamba') {
      const [N, R] = [16, d / 16];
      mixer('in_proj.weight', [2 * E, d], spread(d));
      mixer('conv1d.weight', [E, 1, 4], spread(4));
      mixer('conv1d.bias', [E], spread(4));
      mixer('x_proj.weight', [R + 2 * N, E], spread(E));
      mixer('dt_proj.weight', [E, R], spread(R));
      mixer('dt_proj.bias', [E], () => 2 * draw() - 4);
      mixer('A_log', [E, N], (k) => Math.log(1 + (k % N)));
      mixer('D', [E], () => 1);
      mixer('out_proj.weight', [d, E], () => draw() / Math.sqrt(E * 2 * layers));
    } else for (const tensor of mamba2Of({ d, E, H: E / 64, layers }, draw)) mixer(...tensor);
  }
  return list.map(([name, shape, value]) => ({ name: `backbone.${name}`, shape, value }));
}

function configOf({ d, layers, kind }, dtype) {
  const own =
    kind === 'mamba'
      ? { state_size: 16, time_step_rank: d / 16 }
      : { state_size: 128, head_dim: 64, num_heads: (2 * d) / 64, n_groups: 1, chunk_size: 256 };
  return {
    model_type: kind === 'diff' ? 'mamba2' : kind,
    ...(kind === 'diff' && { diffmamba: true, diffmamba_settings: 'all' }),
    hidden_size: d,
    num_hidden_layers: layers,
    vocab_size: VOCABULARY,
    expand: 2,
    conv_kernel: 4,
    hidden_act: 'silu',
    use_bias: false,
    use_conv_bias: true,
    layer_norm_epsilon: 1e-5,
    tie_word_embeddings: true,
    torch_dtype: dtype,
    ...own,
  };
}

const count = (shape) => shape.reduce((product, size) => product * size, 1);

/** What files call the types. */
const TYPES = { float32: 'F32', bfloat16: 'BF16', float16: 'F16' };

/** The bytes of one tensor; 16 bits by dropping what does not fit, since the values are random anyway. */
function bytesOf({ shape, value }, dtype) {
  const values = new Float32Array(count(shape));
  for (let k = 0; k < values.length; k++) values[k] = value(k);
  if (dtype === 'float32') return new Uint8Array(values.buffer);
  const words = new Uint32Array(values.buffer);
  const halves = new Uint16Array(values.length);
  for (let k = 0; k < halves.length; k++) halves[k] = dtype === 'bfloat16' ? words[k] >>> 16 : halfOf(words[k]);
  return new Uint8Array(halves.buffer);
}

/** float16 below a float32 by its bits; what is too small becomes 0. */
function halfOf(bits) {
  const exponent = ((bits >>> 23) & 255) - 112;
  return ((bits >>> 16) & 0x8000) | (exponent > 0 ? (exponent << 10) | ((bits >>> 13) & 1023) : 0);
}

function writeFile(path, tensors, dtype) {
  const width = dtype === 'float32' ? 4 : 2;
  let end = 0;
  const header = {};
  for (const { name, shape } of tensors) {
    const start = end;
    end += width * count(shape);
    header[name] = { dtype: TYPES[dtype], shape, data_offsets: [start, end] };
  }
  const text = Buffer.from(JSON.stringify(header));
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(text.length));
  const file = openSync(path, 'w');
  for (const bytes of [size, text]) writeSync(file, bytes);
  for (const tensor of tensors) {
    const bytes = bytesOf(tensor, dtype);
    for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at, Math.min(bytes.length - at, 2 ** 28));
  }
  closeSync(file);
}

function writeModel(folder, shape, { dtype, shards = 1 }) {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'config.json'), JSON.stringify(configOf(shape, dtype)));
  const tensors = tensorsOf(shape);
  if (shards === 1) return writeFile(join(folder, 'model.safetensors'), tensors, dtype);
  const each = Math.ceil(tensors.length / shards);
  const map = {};
  for (let k = 0; k < shards; k++) {
    const part = tensors.slice(k * each, (k + 1) * each);
    const name = `model-${k + 1}-of-${shards}.safetensors`;
    writeFile(join(folder, name), part, dtype);
    for (const tensor of part) map[tensor.name] = name;
  }
  writeFileSync(join(folder, 'model.safetensors.index.json'), JSON.stringify({ weight_map: map }));
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { bf16: { type: 'boolean' }, fp16: { type: 'boolean' }, shards: { type: 'string' } },
});
const [shape, folder] = positionals;
if (!SHAPES[shape] || !folder) {
  console.error(`give a shape (${Object.keys(SHAPES).join(', ')}) and a folder`);
  process.exit(2);
}
const dtype = values.bf16 ? 'bfloat16' : values.fp16 ? 'float16' : 'float32';
writeModel(folder, SHAPES[shape], { dtype, shards: Number(values.shards ?? 1) });
