import * as tf from '@tensorflow/tfjs';
import type { BlockCache } from '@/lib/analysis/s6Attention';
import type { Model } from '@/lib/models';
import { Capture, copyOf } from './capture';
import type { ModelRecord } from './record';

export interface ForwardObserver {
  /** Awaited before block i is computed; a rejection stops the pass there. */
  before(i: number): Promise<void>;
  /** Called when block i is computed, before what it left is copied. */
  computed(i: number): void;
  /** Called with what block i left, before the record shows the block as finished. */
  after(i: number, block: BlockCache, residual: Float32Array): void;
}

/**
 * The forward pass of one prompt, block by block, into a record; one that was stopped goes on after its last block.
 * However it ends, the record holds every block that was finished and the device holds nothing of it.
 */
export async function forwardInto(record: ModelRecord, model: Model, observer: ForwardObserver): Promise<void> {
  const capture = new Capture(record.config);
  const first = record.blocks.length;
  const start = first > 0 ? tf.tensor3d(record.residuals[first], [1, record.L, record.config.d]) : undefined;
  const blocks = start
    ? model.blocksFrom(start, first, capture.hooks)
    : model.blocksOf([record.request.tokens.map(({ id }) => id)], capture.hooks);
  let finished = false;
  try {
    for (let i = first; i < record.config.blocks.length; i++) {
      await observer.before(i);
      const step = blocks.next();
      if (step.done) throw new Error(`The model ended after ${i} of ${record.config.blocks.length} blocks.`);
      observer.computed(i);
      if (record.residuals.length === 0) record.residuals.push(capture.embedding());
      const residual = copyOf(step.value.residual);
      const block = capture.block(i);
      observer.after(i, block, residual);
      record.residuals.push(residual);
      record.blocks.push(block);
    }
    const end = blocks.next();
    if (end.done) end.value.dispose();
    finished = true;
  } finally {
    if (!finished) blocks.return(undefined as never);
    capture.release();
    start?.dispose();
  }
}
