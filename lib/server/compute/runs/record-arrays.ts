import type { SafetensorsTensor } from '@/lib/checkpoint/safetensors';
import type { ModelRecord } from './record';

/** What is asked of the arrays of a run that another program has written, beside what its structure says of them. */

/** Token ids; all others are floats. */
const INTEGERS = 'elsewhere.lens.topIds';

/** A statistic that is not defined with fewer than two candidates. */
const MAY_BE_NAN = 'elsewhere.lens.statistics.snr_candidates';

/** The first dimension of an array by its path in the record, and what it counts. */
function leadingOf(path: string, { config, L, blocks, elsewhere }: ModelRecord): readonly [count: number, of: string] {
  const { d } = config;
  const scan = /^blocks\.(\d+)\.scans\.(\w+)\.A$/.exec(path);
  if (scan) {
    const { E, H } = config.blocks[Number(scan[1])].mixer;
    return H > 0 ? [H, 'heads'] : [E, 'channels'];
  }
  if (/^blocks\.\d+\.lambda$/.test(path) || /\.(directions\.\d+|free)$/.test(path)) return [d, 'channels'];
  if (path.endsWith('.sources') && elsewhere)
    return [elsewhere.reads.position + 1, 'tokens up to the one that is read'];
  if (path.startsWith('elsewhere.lens.')) return [blocks.length + 2, 'entries of the lens'];
  return [L, 'tokens'];
}

function countOdd(values: ArrayLike<number>, mayBeNaN: boolean): number {
  let odd = 0;
  for (let k = 0; k < values.length; k++)
    if (!Number.isFinite(values[k]) && !(mayBeNaN && Number.isNaN(values[k]))) odd += 1;
  return odd;
}

/** Where a single number is none, such as λ of a block. */
function nanIn(value: unknown, path: string): string | undefined {
  if (typeof value === 'number') return Number.isNaN(value) ? path : undefined;
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return undefined;
  for (const [key, part] of value instanceof Map ? value : Object.entries(value)) {
    const found = nanIn(part, path ? `${path}.${key}` : String(key));
    if (found) return found;
  }
  return undefined;
}

/**
 * Checks the arrays of a file against the record that was made of them: each has its type, its dimensions in the right order (or one
 * only) and finite numbers, and none is there that nothing names.
 * @param arrays those of the record by their path in it
 * @throws Error whose message ends a sentence, full stop included
 */
export function checkArrays(
  tensors: ReadonlyMap<string, SafetensorsTensor>,
  arrays: ReadonlyMap<string, Float32Array | Int32Array>,
  record: ModelRecord,
): void {
  const nan = nanIn(record, '');
  if (nan) throw new Error(`its number ${nan} is NaN.`);
  const byData = new Map([...tensors.values()].map((tensor) => [tensor.data, tensor]));
  for (const [path, data] of arrays) {
    const { name, shape } = byData.get(data) as SafetensorsTensor;
    const [count, of] = leadingOf(path, record);
    if (shape.length > 1 && shape[0] !== count)
      throw new Error(`its array ${name} is [${shape.join(', ')}], but the first dimension counts ${count} ${of}.`);
    const odd = countOdd(data, path === MAY_BE_NAN);
    if (odd > 0)
      throw new Error(
        `its array ${name} holds ${odd} ${odd === 1 ? 'number that is' : 'numbers that are'} NaN or infinite: look for them where the run was computed.`,
      );
  }
  const used = new Set(arrays.values());
  const stray = [...tensors.values()].find(({ data }) => !used.has(data as Float32Array));
  if (stray) throw new Error(`it holds an array ${stray.name} that is no part of the run.`);
}

/** @throws Error as {@link checkArrays}, where an array is not of the type in which runs are kept. */
export function checkType({ name, type }: SafetensorsTensor): void {
  const wanted = name === INTEGERS ? 'I32' : 'F32';
  if (type !== wanted) throw new Error(`its array ${name} is of the type ${type}, not ${wanted}.`);
}
