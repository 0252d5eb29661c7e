import * as tf from '@tensorflow/tfjs';
import type { HalfFormat, Packing } from '../ops';
import { kernels } from './addon';
import { BufferPool } from './buffers';
import { FEWEST_ROWS, type Matrix, MOST_ROWS, PackedWeights } from './packed-weights';

type Values = tf.backend_util.BackendValues;

/**
 * The data of one tensor. `values` is how tfjs, its JavaScript kernels and `dataSync` reach the buffer: whoever has
 * looked through it may keep a view, so from then on the buffer is never recycled. Our own kernels use `buffer`.
 */
class TensorRecord {
  complexTensorInfos?: { real: tf.TensorInfo; imag: tf.TensorInfo };

  /** @param exposed called when somebody reaches for `values` */
  constructor(
    public buffer: Values,
    readonly dtype: tf.DataType,
    public refCount: number,
    public recyclable: boolean,
    private readonly exposed: (record: TensorRecord) => void,
  ) {}

  get values(): Values {
    this.exposed(this);
    this.recyclable = false;
    return this.buffer;
  }

  set values(values: Values) {
    this.exposed(this);
    this.recyclable = false;
    this.buffer = values;
  }
}

/** How the kernels are told in which 16 bits a matrix is; 0 is for floats. */
const HALF_FORMS: Readonly<Record<HalfFormat, number>> = { bfloat16: 1, float16: 2 };

/** A matrix of 16 bits a value in half the memory; whoever asks for its floats gets a copy. */
class HalvesRecord extends TensorRecord {
  constructor(
    readonly halves: Uint16Array,
    readonly form: number,
  ) {
    super([], 'float32', 1, false, () => {});
  }

  override get values(): Values {
    const floats = new Float32Array(this.halves.length);
    kernels.expandHalves(this.halves, floats, this.form);
    return floats;
  }
}

/** What this file needs of tfjs's class, whose declaration hides the members that a subclass must reach. */
interface CpuBackend extends tf.KernelBackend {
  data: tf.DataStorage<TensorRecord>;
  firstUse: boolean;
  numDataIds(): number;
  disposeData(dataId: object, force?: boolean): boolean;
  makeTensorInfo(shape: number[], dtype: tf.DataType, values?: Values): tf.TensorInfo;
  incRef(dataId: object): void;
  disposeIntermediateTensorInfo(info: tf.TensorInfo): void;
}

const MathBackendCPU = tf.findBackend('cpu').constructor as new () => CpuBackend;

/**
 * tfjs's 'cpu' backend with a buffer pool: every kernel of 'cpu' runs on it unchanged, and the ones overridden in
 * `tfjs/` hand the same buffers to the C++ add-on.
 */
export class NativeBackend extends MathBackendCPU {
  readonly pool = new BufferPool();
  readonly packed: PackedWeights;
  private readonly forget = (record: TensorRecord): void => this.packed.drop(record);

  /** @param packedBytes memory for packed weights, as {@link PackedWeights} has it */
  constructor(packedBytes?: number) {
    super();
    this.firstUse = false;
    this.packed = new PackedWeights(packedBytes);
  }

  override write(values: Values, _shape: number[], dtype: tf.DataType): object {
    const dataId = {};
    this.data.set(dataId, new TensorRecord(values, dtype, 1, false, this.forget));
    return dataId;
  }

  override move(dataId: object, values: Values, _shape: number[], dtype: tf.DataType, refCount: number): void {
    this.data.set(dataId, new TensorRecord(values, dtype, refCount, false, this.forget));
  }

  override disposeData(dataId: object, force = false): boolean {
    const record = this.data.has(dataId) ? this.data.get(dataId) : undefined;
    const disposed = super.disposeData(dataId, force);
    if (record && disposed) this.packed.drop(record);
    if (record?.recyclable && disposed) {
      record.recyclable = false;
      this.pool.give(record.buffer as Float32Array);
    }
    return disposed;
  }

  override memory(): { unreliable: boolean } {
    return { unreliable: false };
  }

  override dispose(): void {
    this.pool.clear();
  }

  /** A buffer for an output: contents undefined, to be given to `output` after a kernel has filled all of it. */
  allocate(length: number): Float32Array {
    return this.pool.take(length);
  }

  /** Takes back a buffer from `allocate` that did not become an output. */
  recycle(buffer: Float32Array): void {
    if (BufferPool.keeps(buffer.length)) this.pool.give(buffer);
  }

  /** Wraps a buffer from `allocate` (or a fresh one that nobody else holds) as a float32 tensor. */
  output(shape: number[], buffer: Float32Array): tf.TensorInfo {
    const dataId = {};
    this.data.set(dataId, new TensorRecord(buffer, 'float32', 1, BufferPool.keeps(buffer.length), this.forget));
    return { dataId, shape, dtype: 'float32' };
  }

  /** The floats of a float32 tensor, for the duration of a kernel. JavaScript kernels may leave other arrays behind. */
  floats(tensor: tf.TensorInfo): Float32Array {
    const record = this.data.get(tensor.dataId);
    const buffer = record instanceof HalvesRecord ? record.values : record.buffer;
    return buffer instanceof Float32Array ? buffer : Float32Array.from(buffer as ArrayLike<number>);
  }

  /** The integers of an int32 tensor, for the duration of a kernel. */
  ints(tensor: tf.TensorInfo): Int32Array {
    const { buffer } = this.data.get(tensor.dataId);
    return buffer instanceof Int32Array ? buffer : Int32Array.from(buffer as ArrayLike<number>);
  }

  /** The bytes of a bool tensor, for the duration of a kernel. */
  bytes(tensor: tf.TensorInfo): Uint8Array {
    const { buffer } = this.data.get(tensor.dataId);
    return buffer instanceof Uint8Array ? buffer : Uint8Array.from(buffer as ArrayLike<number>);
  }

  get packing(): Packing {
    return { fewestRows: FEWEST_ROWS, mostRows: MOST_ROWS, budgetBytes: this.packed.budget };
  }

  /** The packed panels of a model's weight, or null: see {@link PackedWeights}. Only variables are worth it. */
  panels(tensor: tf.TensorInfo, matrix: Matrix): Float32Array | null {
    if (!(tensor instanceof tf.Variable)) return null;
    return this.packed.panelsOf(this.data.get(tensor.dataId), matrix, () => this.floats(tensor));
  }

  /** What a tensor from `halvesOutput` holds; undefined for every other tensor. */
  halves(tensor: tf.TensorInfo): Uint16Array | undefined {
    const record = this.data.get(tensor.dataId);
    return record instanceof HalvesRecord ? record.halves : undefined;
  }

  /** In which 16 bits a tensor from `halvesOutput` is; 0 for every other tensor. */
  halfForm(tensor: tf.TensorInfo): number {
    const record = this.data.get(tensor.dataId);
    return record instanceof HalvesRecord ? record.form : 0;
  }

  /** Wraps values of 16 bits as a float32 tensor. */
  halvesOutput(shape: number[], halves: Uint16Array, format: HalfFormat): tf.TensorInfo {
    const dataId = {};
    this.data.set(dataId, new HalvesRecord(halves, HALF_FORMS[format]));
    return { dataId, shape, dtype: 'float32' };
  }

  /** The same data under another shape: no copy. */
  view(tensor: tf.TensorInfo, shape: number[]): tf.TensorInfo {
    this.incRef(tensor.dataId);
    return { dataId: tensor.dataId, shape, dtype: tensor.dtype };
  }
}
