import * as tf from '@tensorflow/tfjs';
import { mapNow } from './dawn';
import type { Backend } from './program';
import { type Dispatched, note } from './traffic';

/** A program that has run: what it read, wrote and multiplied, and how long the device took. */
export interface Timed extends Dispatched {
  /** From its start to its end on the device; NaN where the adapter has no timestamps. */
  readonly ms: number;
}

/** The parts of tfjs's back end that its types hide. */
interface Recorder {
  readonly device: GPUDevice;
  readonly queue: GPUQueue;
  commandEncoder: GPUCommandEncoder;
  computePassEncoder: GPUComputePassEncoder | null;
  ensureCommandEncoderReady(): void;
  endComputePassEncoder(): void;
  submitQueue(): void;
  uploadToGPU(dataId: object): void;
}

/** Queries of a set, the most that WebGPU allows. */
const QUERIES = 4096;

/** Two numbers of 64 bits a program: nanoseconds at its start and end. */
const WORDS = 8;

/**
 * Runs `body` on the webgpu back end with every program in a pass of its own, between two timestamps. The passes cost time
 * of their own, so the sum of the programs and the wall time of `body` without timing are two figures.
 */
export function timed(body: () => void): Timed[] {
  const backend = tf.backend() as Backend;
  const recorder = backend as unknown as Recorder;
  const { device } = recorder;
  const hasTimestamps = device.features.has('timestamp-query');
  const noted: Dispatched[] = [];
  const sets: GPUQuerySet[] = [];
  const original = backend.queueProgram.bind(backend);
  const run: Backend['queueProgram'] = (program, inputs, dtype, uniforms, output) => {
    // Uploads end the pass that is open.
    for (const { dataId } of inputs) backend.uploadToGPU(dataId);
    const at = 2 * noted.length;
    if (hasTimestamps) {
      if (at % QUERIES === 0) sets.push(device.createQuerySet({ type: 'timestamp', count: QUERIES }));
      const querySet = sets[sets.length - 1];
      recorder.ensureCommandEncoderReady();
      recorder.endComputePassEncoder();
      recorder.computePassEncoder = recorder.commandEncoder.beginComputePass({
        timestampWrites: {
          querySet,
          beginningOfPassWriteIndex: at % QUERIES,
          endOfPassWriteIndex: (at % QUERIES) + 1,
        },
      });
    }
    const result = original(program, inputs, dtype, uniforms, output);
    if (hasTimestamps) recorder.endComputePassEncoder();
    noted.push(note(program, inputs, result));
    return result;
  };
  Object.assign(backend, { queueProgram: run });
  try {
    body();
  } finally {
    Reflect.deleteProperty(backend, 'queueProgram');
  }
  const stamps = sets.flatMap((set, i) => [
    ...stampsOf(recorder, set, Math.min(QUERIES, 2 * noted.length - i * QUERIES)),
  ]);
  return noted.map((one, i) => ({
    ...one,
    ms: hasTimestamps ? Number(stamps[2 * i + 1] - stamps[2 * i]) / 1e6 : Number.NaN,
  }));
}

/** Waits for everything that is queued, and reads a set. */
function stampsOf(recorder: Recorder, querySet: GPUQuerySet, count: number): BigUint64Array {
  const { device } = recorder;
  const size = count * WORDS;
  const resolved = device.createBuffer({ size, usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC });
  const staging = device.createBuffer({ size, usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ });
  recorder.ensureCommandEncoderReady();
  recorder.endComputePassEncoder();
  recorder.commandEncoder.resolveQuerySet(querySet, 0, count, resolved, 0);
  recorder.commandEncoder.copyBufferToBuffer(resolved, 0, staging, 0, size);
  recorder.submitQueue();
  mapNow(staging);
  const stamps = new BigUint64Array(staging.getMappedRange().slice(0));
  staging.unmap();
  for (const owned of [resolved, staging, querySet]) owned.destroy();
  return stamps;
}
