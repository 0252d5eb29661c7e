import * as tf from '@tensorflow/tfjs';
import type { HalfFormat } from '../ops/halves';
import { type Gpu, mapNow, mapSoon, withNavigator } from './dawn';
import { wordsOfHalves } from './halves';
import { DeviceLimitError, reachOf, requireReach } from './limits';
import { type Backend, discard, type Program } from './program';
import { widen } from './programs/widen';
import { ENABLE_SUBGROUPS } from './reductions';

/** Memory that may be kept for the next arrays of the same sizes, if it is not less than what is in use. */
const SPARE_BYTES = 2 ** 30;

const failureOf = (error: GPUError) =>
  error.constructor.name === 'GPUOutOfMemoryError'
    ? new DeviceLimitError('The memory of the GPU is full')
    : new Error(`The GPU refused a program: ${error.message}`);

/**
 * tfjs's WebGPU back end on Dawn in Node, with tfjs's own kernels. Unlike a browser's, it can be read synchronously, so that
 * code written for the other devices runs unchanged; a read waits for everything that was submitted before it. It keeps
 * weights of 16 bits as they are: to tfjs they are float32, and a program that reads nothing else gets them widened.
 */
export async function createBackend(gpu: Gpu): Promise<Backend> {
  const { WebGPUBackend } = await import('@tensorflow/tfjs-backend-webgpu');

  class DawnBackend extends WebGPUBackend implements Backend {
    private readonly kept = new WeakMap<object, { format: HalfFormat; shape: number[] }>();
    private failure: Error | undefined;
    private made: tf.TensorInfo[] | undefined;
    subgroups: boolean;
    reach: number;
    spareBytes = SPARE_BYTES;

    constructor({ device, info }: Gpu) {
      super(device, info);
      this.subgroups = device.features.has('subgroups');
      this.reach = reachOf(device.limits);
      if (this.subgroups) {
        const create = device.createShaderModule.bind(device);
        device.createShaderModule = (module) => create({ ...module, code: `${ENABLE_SUBGROUPS}${module.code}` });
      }
      device.addEventListener('uncapturederror', (event) => {
        this.failure ??= failureOf((event as GPUUncapturedErrorEvent).error);
      });
    }

    keepHalves(bits: Uint16Array, shape: readonly number[], format: HalfFormat): tf.TensorInfo {
      const words = wordsOfHalves(bits);
      requireReach(words.length, this.reach);
      const { dataId } = this.makeTensorInfo([words.length], 'int32', words);
      // On the device at once: tfjs computes with small arrays that are not there on the host, and would take bits for values.
      this.uploadToGPU(dataId);
      const info = { dataId, shape: [...shape], dtype: 'float32' as const };
      this.kept.set(dataId, { format, shape: info.shape });
      return info;
    }

    halfFormat({ dataId }: Pick<tf.TensorInfo, 'dataId'>): HalfFormat | undefined {
      return this.kept.get(dataId)?.format;
    }

    override runWebGPUProgram(...[program, inputs, ...rest]: Parameters<Backend['runWebGPUProgram']>): tf.TensorInfo {
      const { half } = program as Program;
      const owned: tf.TensorInfo[] = [];
      const readable = inputs.map((input, i) => {
        if (!this.halfFormat(input) || half === program.variableNames[i]) return input;
        const wide = widen(this, input);
        owned.push(wide);
        return { ...wide, shape: input.shape };
      });
      try {
        return this.queueProgram(program, readable, ...rest);
      } finally {
        discard(this, ...owned);
      }
    }

    override makeTensorInfo(...made: Parameters<Backend['makeTensorInfo']>): tf.TensorInfo {
      const info = super.makeTensorInfo(...made);
      this.made?.push(info);
      return info;
    }

    wholly<T>(body: () => T): T {
      const { made: outer } = this;
      const made: tf.TensorInfo[] = [];
      this.made = made;
      try {
        return body();
      } catch (error) {
        discard(this, ...made);
        throw error;
      } finally {
        this.made = outer;
      }
    }

    queueProgram(...call: Parameters<Backend['runWebGPUProgram']>): tf.TensorInfo {
      const [program, inputs, , , output] = call;
      const kept = inputs.map(({ dataId }) => this.tensorMap.get(dataId).shape);
      for (const shape of [...kept, output?.shape ?? program.outputShape])
        requireReach(tf.util.sizeFromShape(shape), this.reach);
      return super.runWebGPUProgram(...call);
    }

    /** What was used by what is submitted is free from here on; arrays of other sizes would not find it. */
    override submitQueue(): void {
      super.submitQueue();
      const { bufferManager } = this;
      const { numBytesAllocated, numBytesUsed } = bufferManager;
      if (numBytesAllocated - numBytesUsed <= Math.max(this.spareBytes, numBytesUsed)) return;
      const pool = bufferManager as unknown as { freeBuffers: Map<string, GPUBuffer[]>; numFreeBuffers: number };
      for (const buffers of pool.freeBuffers.values()) for (const buffer of buffers.splice(0)) buffer.destroy();
      pool.numFreeBuffers = 0;
      bufferManager.numBytesAllocated = numBytesUsed;
    }

    /** The float32 of a tensor that is kept in 16 bits, for as long as `body` reads them; undefined for every other tensor. */
    private widened(dataId: object): tf.TensorInfo | undefined {
      const kept = this.kept.get(dataId);
      return kept && widen(this, { dataId, shape: kept.shape, dtype: 'float32' });
    }

    override async read(dataId: object): Promise<tf.BackendValues> {
      const wide = this.widened(dataId);
      if (!wide) return super.read(dataId);
      try {
        return await super.read(wide.dataId);
      } finally {
        discard(this, wide);
      }
    }

    override readSync(dataId: object): tf.BackendValues {
      const wide = this.widened(dataId);
      if (wide) {
        const values = this.readSync(wide.dataId);
        discard(this, wide);
        return values;
      }
      const data = this.tensorMap.get(dataId);
      if (data.values != null || data.dtype === 'complex64' || data.dtype === 'string') return super.readSync(dataId);
      const staging = this.stage(data.resource as GPUBuffer);
      mapNow(staging);
      data.values = tf.util.convertBackendValuesAndArrayBuffer(this.collect(staging), data.dtype);
      return data.values;
    }

    override async getBufferData(buffer: GPUBuffer): Promise<ArrayBuffer> {
      const staging = this.stage(buffer);
      await mapSoon(staging);
      return this.collect(staging);
    }

    /** Submits what is queued and a copy of `buffer` into one that can be mapped. */
    private stage(buffer: GPUBuffer): GPUBuffer {
      const usage = GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ;
      const staging = this.bufferManager.acquireBuffer(buffer.size, usage);
      this.ensureCommandEncoderReady();
      this.endComputePassEncoder();
      this.submitQueue();
      const encoder = this.device.createCommandEncoder();
      encoder.copyBufferToBuffer(buffer, 0, staging, 0, buffer.size);
      this.queue.submit([encoder.finish()]);
      return staging;
    }

    private collect(staging: GPUBuffer): ArrayBuffer {
      const values = staging.getMappedRange().slice(0);
      staging.unmap();
      // Readings differ in size: kept for reuse, their buffers would pile up.
      this.bufferManager.releaseBuffer(staging, false);
      const { failure } = this;
      this.failure = undefined;
      if (failure) throw failure;
      return values;
    }
  }
  return withNavigator(() => new DawnBackend(gpu));
}
