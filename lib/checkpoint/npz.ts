/** NumPy's .npz: a zip archive of .npy arrays, for `np.load`. */

import { Zip, ZipDeflate, ZipPassThrough } from 'fflate';
import { type OutputTensor, outputBytes } from '@/lib/safetensors';
import { writeAtomically } from './files';
import { InputError } from './types';

const DESCRIPTIONS = { F32: '<f4', F16: '<f2', I32: '<i4', U8: '|u1' } as const;

/** The array data of an .npy file starts on a multiple of this. */
const ALIGNMENT = 64;

/** Sizes and positions are 32-bit in the archives that we write. */
const LARGEST_ARCHIVE = 2 ** 32 - 1;

/** Header of an .npy file, format version 1.0: magic, length, a Python dict padded with spaces to a line end. */
function npyHeader(description: string, shape: readonly number[]): Uint8Array {
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`;
  const dict = `{'descr': '${description}', 'fortran_order': False, 'shape': ${tuple}, }`;
  const total = Math.ceil((10 + dict.length + 1) / ALIGNMENT) * ALIGNMENT;
  const bytes = new Uint8Array(total).fill(0x20);
  bytes.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0]);
  new DataView(bytes.buffer).setUint16(8, total - 10, true);
  bytes.set(new TextEncoder().encode(dict), 10);
  bytes[total - 1] = 0x0a;
  return bytes;
}

export interface NpzOptions {
  /** Deflates the arrays; by default they are stored, which is faster and lets NumPy map them. */
  readonly compress?: boolean;
}

/**
 * An .npz archive as consecutive chunks. Stored arrays are not copied.
 * @throws InputError above 4 GiB, and for bfloat16
 */
export function npzChunks(tensors: Iterable<OutputTensor>, { compress = false }: NpzOptions = {}): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  const zip = new Zip((error, chunk) => {
    if (error) throw error;
    chunks.push(chunk);
  });
  let size = 0;
  for (const tensor of tensors) {
    const { type, bytes } = outputBytes(tensor);
    if (type === 'BF16') throw new InputError(`NumPy has no bfloat16: write ${tensor.name} as float32 or float16.`);
    const header = npyHeader(DESCRIPTIONS[type], tensor.shape);
    size += header.byteLength + bytes.byteLength;
    if (size > LARGEST_ARCHIVE) {
      throw new InputError('An .npz file cannot be larger than 4 GiB; write safetensors or ask for fewer tensors.');
    }
    const member = compress ? new ZipDeflate(`${tensor.name}.npy`) : new ZipPassThrough(`${tensor.name}.npy`);
    zip.add(member);
    member.push(header);
    member.push(bytes, true);
  }
  zip.end();
  return chunks;
}

/** Writes an .npz file; it appears under its name only when complete. */
export async function writeNpz(path: string, tensors: Iterable<OutputTensor>, options?: NpzOptions): Promise<void> {
  await writeAtomically(path, npzChunks(tensors, options));
}
