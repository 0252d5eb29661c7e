import * as tf from '@tensorflow/tfjs';
import { BufferPool } from './buffers';

type Values = tf.backend_util.BackendValues;

/**
 * The data of one tensor. `values` is how tfjs, its JavaScript kernels and `dataSync` reach the buffer: whoever has
 * looked through it may keep a view, so from then on the buffer is never recycled. Our own kernels use `buffer`.
 */
class TensorRecord {
  complexTensorInfos?: { real: tf.TensorInfo; imag: tf.TensorInfo };

  constructor(
    public buffer: Values,
    readonly dtype: tf.DataType,
    public refCount: number,
    public recyclable: boolean,
  ) {}

  get values(): Values {
    this.recyclable = false;
    return this.buffer;
  }

  set values(values: Values) {
    this.recyclable = false;
    this.buffer = values;
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

  constructor() {
    super();
    this.firstUse = false;
  }

  override write(values: Values, _shape: number[], dtype: tf.DataType): object {
    const dataId = {};
    this.data.set(dataId, new TensorRecord(values, dtype, 1, false));
    return dataId;
  }

  override move(dataId: object, values: Values, _shape: number[], dtype: tf.DataType, refCount: number): void {
    this.data.set(dataId, new TensorRecord(values, dtype, refCount, false));
  }

  override disposeData(dataId: object, force = false): boolean {
    const record = this.data.has(dataId) ? this.data.get(dataId) : undefined;
    const disposed = super.disposeData(dataId, force);
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
    this.data.set(dataId, new TensorRecord(buffer, 'float32', 1, BufferPool.keeps(buffer.length)));
    return { dataId, shape, dtype: 'float32' };
  }

  /** The floats of a float32 tensor, for the duration of a kernel. JavaScript kernels may leave other arrays behind. */
  floats(tensor: tf.TensorInfo): Float32Array {
    const { buffer } = this.data.get(tensor.dataId);
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

  /** The same data under another shape: no copy. */
  view(tensor: tf.TensorInfo, shape: number[]): tf.TensorInfo {
    this.incRef(tensor.dataId);
    return { dataId: tensor.dataId, shape, dtype: tensor.dtype };
  }
}
