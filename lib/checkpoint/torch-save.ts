/** Torch files of plain float32 tensors, which `torch.load(…, weights_only=True)` and `readTorchFile` read. */

import { type Zippable, zipSync } from 'fflate';
import { writeAtomically } from './files';

const text = new TextEncoder();
const u32 = (value: number) => [value & 255, (value >> 8) & 255, (value >> 16) & 255, (value >>> 24) & 255];

// Pickle, protocol 2: every value spelled out, nothing memoised.
const int = (value: number) => [0x4a, ...u32(value)];
const string = (value: string) => [0x58, ...u32(text.encode(value).length), ...text.encode(value)];
const tuple = (...items: readonly number[][]) => [0x28, ...items.flat(), 0x74];
const ints = (values: readonly number[]) => tuple(...values.map(int));
const name = (module: string, member: string) => [0x63, ...text.encode(`${module}\n${member}\n`)];
const call = (callee: number[], args: number[]) => [...callee, ...args, 0x52];

export interface TorchTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

function tensor({ shape, data }: TorchTensor, key: number): number[] {
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((product, size) => product * size, 1));
  const storage = tuple(
    string('storage'),
    name('torch', 'FloatStorage'),
    string(`${key}`),
    string('cpu'),
    int(data.length),
  );
  const noHooks = call(name('collections', 'OrderedDict'), [0x29]);
  const args = tuple([...storage, 0x51], int(0), ints(shape), ints(strides), [0x89], noHooks);
  return call(name('torch._utils', '_rebuild_tensor_v2'), args);
}

/** Writes a state dict in torch's zip format; it appears under its name only when complete. */
export async function writeTorchFile(path: string, tensors: ReadonlyMap<string, TorchTensor>): Promise<void> {
  const items = [...tensors].flatMap(([key, value], k) => [...string(key), ...tensor(value, k)]);
  const members: Zippable = {
    'archive/data.pkl': Uint8Array.from([0x80, 2, 0x7d, 0x28, ...items, 0x75, 0x2e]),
    'archive/byteorder': text.encode('little'),
    'archive/version': text.encode('3\n'),
  };
  [...tensors.values()].forEach(({ data }, k) => {
    members[`archive/data/${k}`] = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  });
  await writeAtomically(path, [zipSync(members, { level: 0 })]);
}
