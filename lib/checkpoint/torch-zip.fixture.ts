/** Builds torch zip files for tests, byte by byte, so that also files that torch would never write can be tried. */

import { zipSync } from 'fflate';

const text = new TextEncoder();

const u32 = (value: number) => [value & 255, (value >> 8) & 255, (value >> 16) & 255, (value >>> 24) & 255];

/** Opcodes of protocol 2 for plain values. */
export const op = {
  proto: [0x80, 2],
  stop: [0x2e],
  mark: [0x28],
  none: [0x4e],
  no: [0x89],
  emptyDict: [0x7d],
  emptyTuple: [0x29],
  setItems: [0x75],
  reduce: [0x52],
  build: [0x62],
  persistent: [0x51],
  int: (value: number) => [0x4a, ...u32(value)],
  string: (value: string) => [0x58, ...u32(text.encode(value).length), ...text.encode(value)],
  tuple: (...items: number[][]) => [0x28, ...items.flat(), 0x74],
  global: (module: string, name: string) => [0x63, ...text.encode(`${module}\n${name}\n`)],
};

export interface TensorPlan {
  readonly name: string;
  readonly storage: string;
  readonly storageType?: string;
  /** Elements that the pickle claims the storage has. */
  readonly elements: number;
  readonly offset?: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
}

const ints = (values: readonly number[]) => op.tuple(...values.map(op.int));

function tensor({ storage, storageType = 'FloatStorage', elements, offset = 0, shape, strides }: TensorPlan): number[] {
  const id = op.tuple(
    op.string('storage'),
    op.global('torch', storageType),
    op.string(storage),
    op.string('cpu'),
    op.int(elements),
  );
  const hooks = [...op.global('collections', 'OrderedDict'), ...op.emptyTuple, ...op.reduce];
  const args = op.tuple([...id, ...op.persistent], op.int(offset), ints(shape), ints(strides), op.no, hooks);
  return [...op.global('torch._utils', '_rebuild_tensor_v2'), ...args, ...op.reduce];
}

/** Opcodes of a dict, each value as opcodes. */
export const dict = (items: readonly (readonly [name: string, value: readonly number[]])[]): number[] => [
  ...op.emptyDict,
  ...op.mark,
  ...items.flatMap(([name, value]) => [...op.string(name), ...value]),
  ...op.setItems,
];

/** Opcodes of a state dict. */
export const state = (plans: readonly TensorPlan[]): number[] => dict(plans.map((plan) => [plan.name, tensor(plan)]));

export const pickled = (value: readonly number[]): Uint8Array => Uint8Array.from([...op.proto, ...value, ...op.stop]);

/** The pickle of a state dict. */
export const statePickle = (plans: readonly TensorPlan[]): Uint8Array => pickled(state(plans));

/** A torch zip file around a pickle and its storages. */
export function torchZip(
  pickle: Uint8Array,
  storages: Readonly<Record<string, Uint8Array>>,
  { level = 0, byteorder = 'little' }: { level?: 0 | 6; byteorder?: string } = {},
): Uint8Array {
  const members: Record<string, Uint8Array> = {
    'archive/data.pkl': pickle,
    'archive/byteorder': text.encode(byteorder),
  };
  for (const [key, bytes] of Object.entries(storages)) members[`archive/data/${key}`] = bytes;
  return zipSync(members, { level });
}
