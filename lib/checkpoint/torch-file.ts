/** Tensors of a torch zip file (`pytorch_model.bin`, `params.pt`): a pickle that describes views on raw storages. */

import { ELEMENT_BYTES, type ElementType, storedDtype, toFloat32 } from '@/lib/safetensors/dtype';
import { type ByteSource, openFile } from './files';
import { nameAModel } from './names';
import { Inert, PickleGlobal, type PickleWorld, readPickle } from './pickle';
import { InputError, type StoredDtype } from './types';
import { readZipDirectory, type ZipMember } from './zip';

const STORAGES: Readonly<Record<string, ElementType>> = {
  'torch.FloatStorage': 'F32',
  'torch.HalfStorage': 'F16',
  'torch.BFloat16Storage': 'BF16',
  'torch.DoubleStorage': 'F64',
  'torch.LongStorage': 'I64',
  'torch.IntStorage': 'I32',
  'torch.ShortStorage': 'I16',
  'torch.CharStorage': 'I8',
  'torch.ByteStorage': 'U8',
  'torch.BoolStorage': 'BOOL',
};

const REBUILD_TENSOR = 'torch._utils._rebuild_tensor_v2';
const REBUILD_PARAMETER = 'torch._utils._rebuild_parameter';
const ORDERED_DICT = 'collections.OrderedDict';
const CALLABLE: readonly string[] = [REBUILD_TENSOR, REBUILD_PARAMETER, ORDERED_DICT];

/**
 * What training leaves beside the weights: arguments, paths, settings, random states. Nothing of it is made or called; it is
 * only passed over, which other names are not, so that a file that wants to do something is refused and not half believed.
 */
const PASSED_OVER =
  /^(?:argparse\.Namespace|collections\.(?:defaultdict|Counter|deque)|copyreg?\._reconstructor|copy_reg\._reconstructor|(?:builtins|__builtin__)\.(?:set|frozenset|object|dict|list|tuple|complex|slice|range|bytearray|int|float|bool|str)|_codecs\.encode|torch\.(?:Size|device|dtype|Generator|float\d+|bfloat16|int\d+|uint8|bool)|(?:pathlib|numpy|omegaconf|transformers|lightning|lightning_fabric|lightning_utilities|pytorch_lightning|accelerate|deepspeed|datetime|typing|enum|mamba_ssm|__main__)\..+)$/;

/** A pickle of a 100,000-tensor model has some 25 MB; anything longer is not a state dict. */
const LARGEST_PICKLE = 2 ** 25;

/** Views that repeat their storage (stride 0) could ask for any amount of memory; weights that do are small. */
const LARGEST_REPEATED = 2 ** 24;

class Storage {
  constructor(
    readonly type: ElementType,
    readonly key: string,
    readonly elements: number,
  ) {}
}

class TensorView {
  constructor(
    readonly storage: Storage,
    readonly offset: number,
    readonly shape: readonly number[],
    readonly strides: readonly number[],
  ) {}

  get count(): number {
    return this.shape.reduce((product, size) => product * size, 1);
  }

  /** Elements of the storage from the first to the last that the view touches (no stride is negative). */
  get span(): number {
    if (this.count === 0) return 0;
    return this.shape.reduce((sum, size, axis) => sum + (size - 1) * this.strides[axis], 1);
  }

  get contiguous(): boolean {
    let expected = 1;
    for (let axis = this.shape.length - 1; axis >= 0; axis--) {
      if (this.shape[axis] !== 1 && this.strides[axis] !== expected) return false;
      expected *= this.shape[axis];
    }
    return true;
  }
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
const isCounts = (value: unknown): value is number[] => Array.isArray(value) && value.every(isCount);

class TorchWorld implements PickleWorld {
  constructor(private readonly label: string) {}

  private fail(what: string): InputError {
    return new InputError(`${this.label} cannot be read: ${what}.`);
  }

  allows(path: string): boolean {
    return Object.hasOwn(STORAGES, path) || CALLABLE.includes(path) || PASSED_OVER.test(path);
  }

  persistent(id: unknown): Storage {
    const [kind, type, key, , elements] = Array.isArray(id) ? id : [];
    const known = type instanceof PickleGlobal && Object.hasOwn(STORAGES, type.path);
    if (kind !== 'storage' || !known || typeof key !== 'string' || !isCount(elements)) {
      throw this.fail('it refers to something that is not a tensor storage');
    }
    return new Storage(STORAGES[type.path], key, elements);
  }

  call({ path }: PickleGlobal, args: readonly unknown[]): unknown {
    if (path === ORDERED_DICT) return this.orderedDict(args);
    if (path === REBUILD_PARAMETER) return args[0];
    if (path === REBUILD_TENSOR) return this.tensor(args);
    if (PASSED_OVER.test(path)) return new Inert();
    throw this.fail(`${path} is not a function`);
  }

  private orderedDict([items = []]: readonly unknown[]): Map<unknown, unknown> {
    if (Array.isArray(items) && items.every((item) => Array.isArray(item) && item.length === 2)) return new Map(items);
    throw this.fail('a dict is not made of pairs');
  }

  private tensor([storage, offset, shape, strides]: readonly unknown[]): TensorView {
    if (!(storage instanceof Storage) || !isCount(offset) || !isCounts(shape) || !isCounts(strides)) {
      throw this.fail('a tensor is described wrongly');
    }
    const view = new TensorView(storage, offset, shape, strides);
    if (shape.length !== strides.length || offset + view.span > storage.elements) {
      throw this.fail(`a tensor of shape [${shape}] reaches beyond its storage`);
    }
    if (view.count > Math.max(storage.elements, LARGEST_REPEATED))
      throw this.fail(`a tensor of shape [${shape}] repeats its storage`);
    return view;
  }
}

/** Copies a strided view into row-major order, one run along the last axis at a time. */
function gather(span: Float32Array, { shape, strides, count }: TensorView): Float32Array {
  const result = new Float32Array(count);
  const last = shape.length - 1;
  const index = new Array<number>(shape.length).fill(0);
  let from = 0;
  for (let to = 0; to < count; ) {
    for (let i = 0; i < shape[last]; i++) result[to++] = span[from + i * strides[last]];
    for (let axis = last - 1; axis >= 0; axis--) {
      from += strides[axis];
      if (++index[axis] < shape[axis]) break;
      from -= strides[axis] * shape[axis];
      index[axis] = 0;
    }
  }
  return result;
}

function explainOldFormat(first: Uint8Array, label: string): InputError {
  const isPickle = first[0] === 0x80;
  // Of safetensors, the length of a header of JSON.
  if (first.length === 9 && first[8] === 0x7b && first.subarray(4, 8).every((byte) => byte === 0))
    return new InputError(`${label} is a safetensors file: call it model.safetensors.`);
  return new InputError(
    isPickle
      ? `${label} is in the format of PyTorch before 1.6, which is not read; load it in Python and save it again with torch.save or as safetensors.`
      : `${label} is not a PyTorch file; pytorch_model.bin must be what torch.save writes.`,
  );
}

export interface TorchTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly type: ElementType;
  /** As `storedDtype`. @throws InputError for integer tensors */
  readonly dtype: StoredDtype;
  /** The same for views of the same elements: tensors that are tied. */
  readonly place: string;
  /** @param range of the elements in row-major order; all by default */
  read(range?: ElementRange): Promise<Float32Array>;
  /** The bits of bfloat16 or float16, where that is what is stored, in order. */
  readBits?(): Promise<Uint16Array>;
}

/** Elements from `from` to `to`, the end not included. */
export type ElementRange = readonly [from: number, to: number];

async function readValues(
  source: ByteSource,
  member: ZipMember,
  view: TensorView,
  [from, to]: ElementRange = [0, view.count],
): Promise<Float32Array> {
  const { type } = view.storage;
  const width = ELEMENT_BYTES[type];
  const start = (await member.start()) + view.offset * width;
  if (view.contiguous) return toFloat32(await source.read(start + from * width, (to - from) * width), type);
  return gather(toFloat32(await source.read(start, view.span * width), type), view).subarray(from, to);
}

/** Where training programs keep the weights, in the order in which they are looked for. */
const STATE_DICTS = ['state_dict', 'model_state_dict', 'model', 'module', 'model_state', 'weights', 'net', 'network'];

const tensorNames = (dict: ReadonlyMap<unknown, unknown>): string[] =>
  [...dict].flatMap(([name, value]) => (typeof name === 'string' && value instanceof TensorView ? name : []));

/** How many dicts a training program puts around the weights at most. */
const DEEPEST_STATE_DICT = 4;

/** Every dict of a model's weights inside of another, by where it lies: `model`, `checkpoint.model`. */
function innerStateDicts(dict: ReadonlyMap<unknown, unknown>): Map<string, ReadonlyMap<unknown, unknown>> {
  const found = new Map<string, ReadonlyMap<unknown, unknown>>();
  const look = (around: ReadonlyMap<unknown, unknown>, path: readonly string[]) => {
    for (const [name, value] of around) {
      if (typeof name !== 'string' || !(value instanceof Map)) continue;
      const at = [...path, name];
      if (nameAModel(tensorNames(value))) found.set(at.join('.'), value);
      else if (at.length < DEEPEST_STATE_DICT) look(value, at);
    }
  };
  look(dict, []);
  return found;
}

/**
 * The dict of the weights in a file: the file's own, or the one that a training checkpoint keeps beside the state of its
 * optimiser.
 * @throws InputError where several could be meant
 */
function stateDictOf(
  file: ReadonlyMap<unknown, unknown>,
  label: string,
  onUnused: (name: string) => void,
): ReadonlyMap<unknown, unknown> {
  const inner = innerStateDicts(file);
  const places = [...inner.keys()];
  const called = STATE_DICTS.map((name) => places.filter((place) => place.split('.').at(-1) === name));
  const [chosen, ...rivals] = places.length === 1 ? places : (called.find(({ length }) => length > 0) ?? []);
  const own = places.length === 0 || nameAModel(tensorNames(file));
  const found = own ? file : rivals.length === 0 ? inner.get(chosen ?? '') : undefined;
  for (const [place, dict] of inner) if (found && dict !== found) onUnused(`all of ${place}`);
  if (found) return found;
  throw new InputError(
    `${label} holds several sets of weights (${places.join(', ')}): save the one that is meant on its own.`,
  );
}

/** The folder inside the archive that holds `data.pkl`; its name is whatever the file was called when it was saved. */
async function findPickle(source: ByteSource): Promise<{ members: Map<string, ZipMember>; folder: string }> {
  const first = await source.read(0, Math.min(9, source.size));
  if (first[0] !== 0x50 || first[1] !== 0x4b) throw explainOldFormat(first, source.label);
  const members = await readZipDirectory(source);
  const pickle = [...members.keys()].find((name) => name.split('/').length === 2 && name.endsWith('/data.pkl'));
  if (!pickle) throw new InputError(`${source.label} holds no data.pkl; it is not what torch.save writes.`);
  return { members, folder: pickle.slice(0, -'data.pkl'.length) };
}

async function readMember(source: ByteSource, member: ZipMember): Promise<Uint8Array<ArrayBuffer>> {
  if (member.size > LARGEST_PICKLE) throw new InputError(`${source.label}: its member ${member.name} is too large.`);
  return source.read(await member.start(), member.size);
}

/**
 * Lists the tensors of a torch file's state dict, also of one that a training checkpoint holds. Only the archive's directory and its pickle are read; values are read
 * tensor by tensor; `onUnused` is told of other weights in it. Entries of the dict that are not tensors are passed over. Nothing in the file is executed.
 * @throws InputError for damaged files, other Python objects, views beyond their storage, and the format before 1.6
 */
export async function listTorchTensors(
  source: ByteSource,
  onUnused: (name: string) => void = () => undefined,
): Promise<TorchTensor[]> {
  const { members, folder } = await findPickle(source);
  const order = members.get(`${folder}byteorder`);
  if (order && new TextDecoder().decode(await readMember(source, order)) === 'big') {
    throw new InputError(`${source.label} was saved on a big-endian machine, which is not read.`);
  }
  const pickle = await readMember(source, members.get(`${folder}data.pkl`) as ZipMember);
  const state = readPickle(pickle, new TorchWorld(source.label), source.label);
  if (!(state instanceof Map)) throw new InputError(`${source.label} holds no dict of named tensors.`);
  const tensors: TorchTensor[] = [];
  for (const [name, view] of stateDictOf(state, source.label, onUnused)) {
    if (typeof name !== 'string' || !(view instanceof TensorView)) continue;
    const { storage } = view;
    const member = members.get(`${folder}data/${storage.key}`);
    if (!member || member.size < storage.elements * ELEMENT_BYTES[storage.type]) {
      throw new InputError(`${source.label} is damaged: the storage of ${name} is missing or too short.`);
    }
    tensors.push({
      name,
      shape: view.shape,
      type: storage.type,
      get dtype() {
        return storedDtype(storage.type, name);
      },
      place: `${source.label} ${storage.key}+${view.offset} ${view.strides}`,
      read: (range) => readValues(source, member, view, range),
      ...((storage.type === 'BF16' || storage.type === 'F16') &&
        view.contiguous && {
          readBits: async () =>
            new Uint16Array((await source.read((await member.start()) + view.offset * 2, view.count * 2)).buffer),
        }),
    });
  }
  return tensors;
}

/** Reads all tensors of a torch file (the tuned-lens layout, for example) as float32. */
export async function readTorchFile(
  path: string,
): Promise<Map<string, { shape: readonly number[]; dtype: StoredDtype; data: Float32Array }>> {
  const source = await openFile(path);
  try {
    const tensors = await listTorchTensors(source);
    const result = new Map<string, { shape: readonly number[]; dtype: StoredDtype; data: Float32Array }>();
    for (const { name, shape, dtype, read } of tensors) result.set(name, { shape, dtype, data: await read() });
    return result;
  } finally {
    await source.close();
  }
}
