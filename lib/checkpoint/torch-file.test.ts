import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { memorySource } from './files';
import { listTorchTensors } from './torch-file';
import { op, statePickle, type TensorPlan, torchZip } from './torch-zip.fixture';
import { InputError } from './types';

const floats = (...values: number[]) => new Uint8Array(Float32Array.from(values).buffer);
const open = (bytes: Uint8Array) => listTorchTensors(memorySource(bytes, 'pytorch_model.bin'));

async function readAll(bytes: Uint8Array): Promise<Record<string, number[]>> {
  const tensors = await open(bytes);
  return Object.fromEntries(await Promise.all(tensors.map(async ({ name, read }) => [name, Array.from(await read())])));
}

const plan = (change: Partial<TensorPlan> = {}): TensorPlan => ({
  name: 'w',
  storage: '0',
  elements: 6,
  shape: [2, 3],
  strides: [3, 1],
  ...change,
});
const six = floats(1, 2, 3, 4, 5, 6);
const one = (change: Partial<TensorPlan>) => torchZip(statePickle([plan(change)]), { 0: six });

describe('views on storages', () => {
  it.each([
    ['contiguous', {}, [1, 2, 3, 4, 5, 6]],
    ['transposed', { shape: [3, 2], strides: [1, 3] }, [1, 4, 2, 5, 3, 6]],
    ['with an offset', { offset: 2, shape: [2, 2], strides: [2, 1] }, [3, 4, 5, 6]],
    ['every other column', { shape: [2, 2], strides: [3, 2] }, [1, 3, 4, 6]],
    ['three axes, permuted', { shape: [3, 1, 2], strides: [1, 7, 3] }, [1, 4, 2, 5, 3, 6]],
    ['a scalar', { shape: [], strides: [], offset: 4 }, [5]],
    ['empty', { shape: [0, 3], strides: [3, 1] }, []],
  ])('%s', async (_, change, expected) => {
    expect(await readAll(one(change))).toEqual({ w: expected });
  });

  it('lets tensors share a storage', async () => {
    const bytes = torchZip(statePickle([plan(), plan({ name: 'v', offset: 3, shape: [3], strides: [1] })]), { 0: six });
    expect(await readAll(bytes)).toEqual({ w: [1, 2, 3, 4, 5, 6], v: [4, 5, 6] });
  });

  it('widens half precision and bfloat16 and reports what was stored', async () => {
    const half = new Uint8Array(Uint16Array.of(0x3c00, 0xc000, 0x0001).buffer);
    const brain = new Uint8Array(Uint16Array.of(0x3f80, 0xc000, 0x4049).buffer);
    const shape = { shape: [3], strides: [1], elements: 3 };
    const bytes = torchZip(
      statePickle([
        plan({ name: 'h', storageType: 'HalfStorage', ...shape }),
        plan({ name: 'b', storage: '1', storageType: 'BFloat16Storage', ...shape }),
      ]),
      { 0: half, 1: brain },
    );
    expect(await readAll(bytes)).toEqual({ h: [1, -2, 2 ** -24], b: [1, -2, 3.140625] });
    expect((await open(bytes)).map(({ dtype }) => dtype)).toEqual(['float16', 'bfloat16']);
  });

  it('repeats the storage of an expanded view', async () => {
    const view = one({ shape: [3, 2], strides: [0, 1], elements: 6 });
    expect(await readAll(view)).toEqual({ w: [1, 2, 1, 2, 1, 2] });
    expect(await readAll(one({ shape: [2, 5], strides: [1, 0] }))).toEqual({ w: [1, 1, 1, 1, 1, 2, 2, 2, 2, 2] });
  });

  it('passes over entries that are not tensors', async () => {
    const pickle = statePickle([plan()]);
    const epoch = [...op.mark, ...op.string('epoch'), ...op.int(3), ...op.setItems];
    const bytes = torchZip(Uint8Array.from([...pickle.slice(0, -1), ...epoch, ...op.stop]), { 0: six });
    expect(await readAll(bytes)).toEqual({ w: [1, 2, 3, 4, 5, 6] });
  });
});

describe('files that must be refused', () => {
  const call = (module: string, name: string) =>
    Uint8Array.from([
      ...op.proto,
      ...op.global(module, name),
      ...op.tuple(op.string('touch /tmp/owned')),
      ...op.reduce,
      ...op.stop,
    ]);
  const wrap = (pickle: Uint8Array) => torchZip(pickle, { 0: six });

  it.each<[string, Uint8Array, RegExp]>([
    ['a call of os.system', wrap(call('os', 'system')), /asks for the Python object os\.system/],
    ['a call of eval', wrap(call('builtins', 'eval')), /asks for the Python object builtins\.eval/],
    ['a whole module', wrap(call('torch.nn.modules.linear', 'Linear')), /torch\.save\(model\.state_dict\(\), FILE\)/],
    ['a call of a storage class', wrap(call('torch', 'FloatStorage')), /not a function/],
    ['a view beyond its storage', one({ shape: [2, 4], strides: [4, 1] }), /beyond its storage/],
    ['a stride beyond its storage', one({ strides: [1000, 1] }), /beyond its storage/],
    ['a repeated view', one({ shape: [1e6, 1e6], strides: [0, 0] }), /repeats its storage/],
    ['a storage shorter than the pickle says', one({ elements: 7 }), /too short/],
    ['a missing storage', one({ storage: '9' }), /missing/],
    ['a negative size', one({ shape: [-2, 3] }), /described wrongly/],
    ['strides of another rank', one({ strides: [1] }), /beyond its storage/],
    ['a compressed archive', torchZip(statePickle([plan()]), { 0: six }, { level: 6 }), /compressed/],
    ['a big-endian file', torchZip(statePickle([plan()]), { 0: six }, { byteorder: 'big' }), /big-endian/],
    ['a list instead of a dict', wrap(Uint8Array.of(0x80, 2, 0x5d, 0x2e)), /no dict/],
    [
      'endless nesting',
      wrap(Uint8Array.from([...op.proto, ...Array(200_000).fill(0x5d), ...op.stop])),
      /nested too deeply/,
    ],
    ['an unknown opcode', wrap(Uint8Array.of(0x80, 2, 0xff, 0x2e)), /opcode 0xff/],
    ['the format before 1.6', Uint8Array.of(0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc), /before 1\.6/],
    ['another file', new TextEncoder().encode('version https://git-lfs'), /not a PyTorch file/],
    ['an empty file', new Uint8Array(0), /not a PyTorch file/],
    ['a file cut short', one({}).slice(0, 200), /complete zip/],
  ])('%s', async (_, bytes, message) => {
    const failure = await readAll(bytes).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(InputError);
    expect((failure as InputError).message).toMatch(message);
  });

  it('names integer tensors when they are used as weights', async () => {
    const bytes = torchZip(statePickle([plan({ storageType: 'IntStorage' })]), { 0: six });
    const [tensor] = await open(bytes);
    expect(() => tensor.dtype).toThrow(/tensor w holds I32/);
  });
});

describe('damaged files', () => {
  const whole = torchZip(statePickle([plan(), plan({ name: 'v', storage: '1', shape: [3, 2], strides: [1, 3] })]), {
    0: six,
    1: six,
  });

  const survives = async (bytes: Uint8Array) => {
    try {
      for (const { shape, read } of await open(bytes)) {
        const values = await read();
        expect(values.length).toBe(shape.reduce((product, size) => product * size, 1));
      }
    } catch (error) {
      expect(error).toBeInstanceOf(InputError);
    }
  };

  it('give an InputError or tensors of their shapes, whatever bytes are changed', async () => {
    const edits = fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(edits, async (changes) => {
        const bytes = whole.slice();
        for (const [at, value] of changes) bytes[at] = value;
        await survives(bytes);
      }),
      { numRuns: 1500 },
    );
  });

  it('give an InputError or tensors of their shapes, wherever they are cut', async () => {
    for (let length = 0; length < whole.length; length += 3) await survives(whole.slice(0, length));
  });

  it('give an InputError for any pickle at all', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 80 }), async (pickle) => survives(torchZip(pickle, { 0: six }))),
      { numRuns: 500 },
    );
  });
});
