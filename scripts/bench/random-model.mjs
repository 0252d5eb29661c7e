// node scripts/bench/random-model.mjs SHAPE FOLDER [--bf16] [--shards N]: writes a checkpoint of a published shape with
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
    } else {
      const [N, H] = [128, E / 64];
      mixer('in_proj.weight', [2 * E + 2 * N + H, d], spread(d));
      mixer('conv1d.weight', [E + 2 * N, 1, 4], spread(4));
      mixer('conv1d.bias', [E + 2 * N], spread(4));
      mixer('dt_bias', [H], () => 2 * draw() - 4);
      mixer('A_log', [H], (k) => Math.log(1 + (k % 16)));
      mixer('D', [H], () => 1);
      mixer('norm.weight', [E], () => 1);
    }
    mixer('out_proj.weight', [d, E], () => draw() / Math.sqrt(E * 2 * layers));
  }
  return list.map(([name, shape, value]) => ({ name: `backbone.${name}`, shape, value }));
}

function configOf({ d, layers, kind }, bf16) {
  const own =
    kind === 'mamba'
      ? { state_size: 16, time_step_rank: d / 16 }
      : { state_size: 128, head_dim: 64, num_heads: (2 * d) / 64, n_groups: 1, chunk_size: 256 };
  return {
    model_type: kind,
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
    torch_dtype: bf16 ? 'bfloat16' : 'float32',
    ...own,
  };
}

const count = (shape) => shape.reduce((product, size) => product * size, 1);

/** The bytes of one tensor; bfloat16 by dropping the lower half, since the values are random anyway. */
function bytesOf({ shape, value }, bf16) {
  const values = new Float32Array(count(shape));
  for (let k = 0; k < values.length; k++) values[k] = value(k);
  if (!bf16) return new Uint8Array(values.buffer);
  const words = new Uint16Array(values.buffer);
  const halves = new Uint16Array(values.length);
  for (let k = 0; k < halves.length; k++) halves[k] = words[2 * k + 1];
  return new Uint8Array(halves.buffer);
}

function writeFile(path, tensors, bf16) {
  const width = bf16 ? 2 : 4;
  let end = 0;
  const header = {};
  for (const { name, shape } of tensors) {
    const start = end;
    end += width * count(shape);
    header[name] = { dtype: bf16 ? 'BF16' : 'F32', shape, data_offsets: [start, end] };
  }
  const text = Buffer.from(JSON.stringify(header));
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(text.length));
  const file = openSync(path, 'w');
  for (const bytes of [size, text]) writeSync(file, bytes);
  for (const tensor of tensors) {
    const bytes = bytesOf(tensor, bf16);
    for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at, Math.min(bytes.length - at, 2 ** 28));
  }
  closeSync(file);
}

function writeModel(folder, shape, { bf16 = false, shards = 1 } = {}) {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'config.json'), JSON.stringify(configOf(shape, bf16)));
  const tensors = tensorsOf(shape);
  if (shards === 1) return writeFile(join(folder, 'model.safetensors'), tensors, bf16);
  const each = Math.ceil(tensors.length / shards);
  const map = {};
  for (let k = 0; k < shards; k++) {
    const part = tensors.slice(k * each, (k + 1) * each);
    const name = `model-${k + 1}-of-${shards}.safetensors`;
    writeFile(join(folder, name), part, bf16);
    for (const tensor of part) map[tensor.name] = name;
  }
  writeFileSync(join(folder, 'model.safetensors.index.json'), JSON.stringify({ weight_map: map }));
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { bf16: { type: 'boolean' }, shards: { type: 'string' } },
});
const [shape, folder] = positionals;
if (!SHAPES[shape] || !folder) {
  console.error(`give a shape (${Object.keys(SHAPES).join(', ')}) and a folder`);
  process.exit(2);
}
writeModel(folder, SHAPES[shape], { bf16: values.bf16, shards: Number(values.shards ?? 1) });
