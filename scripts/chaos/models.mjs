import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../lib/root.mjs';
import { SECRET } from './world.mjs';

export const DEMO = join(ROOT, 'models', 'demo-mamba2');

/** A question that both bundled models answer in a fraction of a second. */
export const QUESTION = {
  models: ['demo-mamba2', 'demo-diff-mamba2'],
  prompt: `${SECRET} . Mary entered the kitchen. John entered the garden. Where is Mary? Answer:`,
  target: 'kitchen',
};

const STORY = 'Mary entered the kitchen. John took the milk. Sandra left the key in the bedroom. ';

/** A question that takes the model of `deepModel` seconds. */
export const longQuestion = (tokens = 1200) => ({
  models: ['deep'],
  prompt: `${SECRET} . ${STORY.repeat(Math.ceil(tokens / 19))}Where is Mary? Answer:`,
  target: 'kitchen',
});

const jsonFile = (path) => JSON.parse(readFileSync(path, 'utf8'));
const writeJson = (path, value) => writeFileSync(path, JSON.stringify(value));

/** Copies the bundled model, with other fields in its config.json and another tokenizer.json where they are given. */
export function copyModel(folder, { config = {}, tokenizer } = {}) {
  mkdirSync(folder, { recursive: true });
  cpSync(DEMO, folder, { recursive: true });
  writeJson(join(folder, 'config.json'), { ...jsonFile(join(DEMO, 'config.json')), ...config });
  if (tokenizer) writeJson(join(folder, 'tokenizer.json'), tokenizer(jsonFile(join(DEMO, 'tokenizer.json'))));
  return folder;
}

/** The bytes of a safetensors file. @param tensors name → { dtype, shape, bytes } */
export function safetensors(tensors) {
  let at = 0;
  const header = {};
  for (const [name, { dtype, shape, bytes }] of Object.entries(tensors)) {
    header[name] = { dtype, shape, data_offsets: [at, at + bytes.length] };
    at += bytes.length;
  }
  const text = Buffer.from(JSON.stringify(header));
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([size, text, ...Object.values(tensors).map(({ bytes }) => bytes)]);
}

function readTensors(path) {
  const file = readFileSync(path);
  const end = 8 + Number(file.readBigUInt64LE(0));
  const { __metadata__, ...header } = JSON.parse(file.subarray(8, end).toString());
  return Object.entries(header).map(
    ([
      name,
      {
        dtype,
        shape,
        data_offsets: [from, to],
      },
    ]) => [name, { dtype, shape, bytes: file.subarray(end + from, end + to) }],
  );
}

/** `deep`: the blocks of the bundled model again and again, so that a long prompt keeps the device busy for seconds. */
export function deepModel(models, layers = 48) {
  const folder = copyModel(join(models, 'deep'), { config: { num_hidden_layers: layers } });
  const known = readTensors(join(DEMO, 'model.safetensors'));
  const { num_hidden_layers: blocks } = jsonFile(join(DEMO, 'config.json'));
  const tensors = {};
  for (const [name, tensor] of known) if (!name.includes('.layers.')) tensors[name] = tensor;
  for (let layer = 0; layer < layers; layer += 1)
    for (const [name, tensor] of known)
      if (name.includes(`.layers.${layer % blocks}.`))
        tensors[name.replace(/\.layers\.\d+\./, `.layers.${layer}.`)] = tensor;
  writeFileSync(join(folder, 'model.safetensors'), safetensors(tensors));
  return folder;
}

/** The 256 characters that stand for bytes in byte-level vocabularies. */
function byteCharacters() {
  const plain = (byte) => (byte > 32 && byte < 127) || (byte > 160 && byte < 173) || byte > 173;
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => String.fromCodePoint(plain(byte) ? byte : next++));
}

/**
 * `bytes`: a vocabulary of bytes behind Unicode's normal form C and the pattern of GPT-2, the parts of the tokenizer
 * that published Mamba models share.
 */
export function byteModel(models) {
  const characters = byteCharacters();
  const vocab = Object.fromEntries(characters.map((character, id) => [character, id]));
  const pairs = ['Ġ t', 'Ġ a', 'h e', 'a a', 'aa aa', 'aaaa aaaa', 'Ġ Ġ', 'ĠĠ ĠĠ', 'e r', 'i n'];
  for (const pair of pairs) vocab[pair.replace(' ', '')] = Object.keys(vocab).length;
  const folder = copyModel(join(models, 'bytes'), {
    config: { vocab_size: Object.keys(vocab).length },
    tokenizer: () => ({
      version: '1.0',
      truncation: null,
      padding: null,
      added_tokens: [],
      normalizer: { type: 'NFC' },
      pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
      post_processor: null,
      decoder: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
      model: { type: 'BPE', dropout: null, unk_token: null, fuse_unk: false, vocab, merges: pairs },
    }),
  });
  const tensors = Object.fromEntries(readTensors(join(DEMO, 'model.safetensors')));
  const [, width] = tensors['backbone.embeddings.weight'].shape;
  const rows = Object.keys(vocab).length;
  const { bytes } = tensors['backbone.embeddings.weight'];
  const table = Buffer.alloc(rows * width * 4, bytes);
  tensors['backbone.embeddings.weight'] = { dtype: 'F32', shape: [rows, width], bytes: table };
  writeFileSync(join(folder, 'model.safetensors'), safetensors(tensors));
  return folder;
}

/** `bomb`: the bundled model with a regular expression that needs exponentially many steps. */
export const bombModel = (models) =>
  copyModel(join(models, 'bomb'), {
    tokenizer: (tokenizer) => ({
      ...tokenizer,
      pre_tokenizer: { type: 'Split', pattern: { Regex: '(a+)+$' }, behavior: 'Isolated', invert: false },
    }),
  });
