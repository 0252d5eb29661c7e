import * as tf from '@tensorflow/tfjs';
import { type Gpu, mapNow, mapSoon, withNavigator } from './dawn';
import type { Backend } from './program';

/**
 * tfjs's WebGPU back end on Dawn in Node, with tfjs's own kernels. Unlike a browser's, it can be read synchronously, so that
 * code written for the other devices runs unchanged; a read waits for everything that was submitted before it.
 */
export async function createBackend(gpu: Gpu): Promise<Backend> {
  const { WebGPUBackend } = await import('@tensorflow/tfjs-backend-webgpu');

  class DawnBackend extends WebGPUBackend {
    private failure: string | undefined;

    constructor({ device, info }: Gpu) {
      super(device, info);
      device.addEventListener('uncapturederror', (event) => {
        this.failure ??= (event as GPUUncapturedErrorEvent).error.message;
      });
    }

    override readSync(dataId: object): tf.BackendValues {
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
      if (failure) throw new Error(`The GPU refused a program: ${failure}`);
      return values;
    }
  }
  return withNavigator(() => new DawnBackend(gpu));
}
