import * as tf from '@tensorflow/tfjs';
import type { WebGPUBackend, WebGPUProgram } from '@tensorflow/tfjs-backend-webgpu';
import type { HalfFormat } from '../ops/halves';
import { readers } from './halves';
import { requireGroups } from './limits';
import { type Reductions, reductionsOf } from './reductions';

/** A program as tfjs has it, with what ours say of themselves. */
export type Program = WebGPUProgram &
  Pick<Dispatch, 'flops' | 'parts' | 'reduces'> & {
    /** The input that it reads in its 16 bits. */
    readonly half?: string;
  };

/** What a kernel of ours runs on. */
export interface Backend extends WebGPUBackend {
  /** Whether the programs that follow reduce over subgroups: where the device has them, until somebody sets it false. */
  subgroups: boolean;
  /** Bytes of one array that a program can reach: what is larger is refused. */
  reach: number;
  /** Bytes of freed arrays that are kept for others of their sizes, or as many as are in use; the rest goes back to the device. */
  spareBytes: number;
  /** A float32 tensor of values given by their 16 bits, which stay what they are in the device's memory. */
  keepHalves(bits: Uint16Array, shape: readonly number[], format: HalfFormat): tf.TensorInfo;
  /** In which 16 bits a tensor is kept; undefined for every other tensor. */
  halfFormat(info: Pick<tf.TensorInfo, 'dataId'>): HalfFormat | undefined;
  /** What `body` returns; where it throws, all that it made is freed. */
  wholly<T>(body: () => T): T;
  /** Queues a program as it is, behind `runWebGPUProgram`, which widens what the program cannot read in 16 bits. */
  queueProgram: WebGPUBackend['runWebGPUProgram'];
}

/** One dispatch of a WGSL program. All tensors reach the program as flat arrays. */
export interface Dispatch {
  /** Names the pipeline together with `constants`. */
  readonly name: string;
  /** Read-only arrays by the names that the code uses; those that are undefined are left out. */
  readonly inputs: Readonly<Record<string, tf.TensorInfo | undefined>>;
  /** Shape of the array `result` (float32), or a tensor of which several dispatches each write a part. */
  readonly output: readonly number[] | tf.TensorInfo;
  /** Compiled into the program as `const`: a new value is a new pipeline. */
  readonly constants?: Readonly<Record<string, number | boolean>>;
  /** Whole numbers, read as `uniforms.<name>`; at least one, because tfjs binds them always. */
  readonly uniforms: Readonly<Record<string, number>>;
  readonly floats?: Readonly<Record<string, number>>;
  /** Threads of a workgroup. */
  readonly threads: number;
  /** Workgroups along x, y, z. */
  readonly groups: readonly [number, number?, number?];
  /** An input that may be kept in 16 bits: the code reads it by `<name>Value(i)` or `<name>Pair(i)` of {@link readers}. */
  readonly weight?: string;
  /** What its threads add up or compare among them: the code calls {@link reductionsOf}. */
  readonly reduces?: Reductions;
  /** Elements of inputs that are read in part, columns of a wider array; for estimates. */
  readonly parts?: Readonly<Record<string, number>>;
  /** Of its matrix products, where they and not its traffic may bound it; for estimates. */
  readonly flops?: number;
  /** WGSL, with `fn main(index: i32)`: the flat number of the thread. */
  readonly code: string;
}

/** Queues the program and returns its output; nothing waits. */
export function dispatch(backend: Backend, what: Dispatch): tf.TensorInfo {
  const { name, constants = {}, uniforms, floats = {}, threads, code, flops, parts, weight, reduces } = what;
  const inputs = Object.entries(what.inputs).filter(
    (entry): entry is [string, tf.TensorInfo] => entry[1] !== undefined,
  );
  const output = 'dataId' in what.output ? what.output : backend.makeTensorInfo([...what.output], 'float32');
  const size = tf.util.sizeFromShape(output.shape);
  const [x, y = 1, z = 1] = what.groups;
  requireGroups([x, y, z], !code.includes('workgroupId'));
  const format = weight === undefined ? undefined : backend.halfFormat(what.inputs[weight] as tf.TensorInfo);
  const { subgroups } = backend;
  const program: Program = {
    flops,
    parts,
    reduces,
    half: format && weight,
    outputShape: [size],
    variableNames: inputs.map(([input]) => input),
    uniforms: [
      ...Object.keys(uniforms).map((key) => `${key} : i32, `),
      ...Object.keys(floats).map((key) => `${key} : f32, `),
    ].join(''),
    workgroupSize: [threads, 1, 1],
    dispatchLayout: { x: [0] },
    dispatch: [x, y, z],
    shaderKey: `statescope ${name} ${JSON.stringify(constants)} ${inputs.map(([input]) => input)} ${format} ${reduces && subgroups}`,
    getUserCode: () =>
      [
        constantsOf(constants),
        weight === undefined ? '' : readers(weight, format),
        reduces ? reductionsOf(reduces, threads, subgroups) : '',
        code,
      ].join('\n'),
  };
  const values = [
    ...Object.values(uniforms).map((value) => ({ type: 'int32', data: [value] })),
    ...Object.values(floats).map((value) => ({ type: 'float32', data: [value] })),
  ];
  backend.runWebGPUProgram(
    program,
    // Two axes: tfjs then leaves out code, and differences of pipelines, for inputs that are shaped like the output.
    inputs.map(([, info]) => reshaped(info, [tf.util.sizeFromShape(info.shape), 1])),
    'float32',
    values,
    reshaped(output, [size]),
  );
  return output;
}

function constantsOf(constants: Readonly<Record<string, number | boolean>>): string {
  return Object.entries(constants)
    .map(([key, value]) => `const ${key} = ${value};`)
    .join('\n');
}

const reshaped = ({ dataId, dtype }: tf.TensorInfo, shape: number[]): tf.TensorInfo => ({ dataId, dtype, shape });

/** Workgroups that hold `count` threads of `threads` each. */
export const groupsFor = (count: number, threads: number): number => Math.ceil(count / threads);

/** Frees intermediates; the back end keeps them until the programs that read them have run. */
export function discard(backend: Backend, ...infos: (tf.TensorInfo | undefined)[]): void {
  for (const info of infos) if (info) backend.disposeData(info.dataId);
}
