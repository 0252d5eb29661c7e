import { existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import util from 'node:util';
import * as tf from '@tensorflow/tfjs';

/** What of tfjs-node's back end is read here. */
interface NodeBackend {
  readonly isUsingGpuDevice: boolean;
  readonly binding: { readonly TF_Version: string };
}

export interface TensorflowInfo {
  /** Version of libtensorflow. */
  readonly version: string;
  /** Whether operations run on a CUDA device. */
  readonly gpu: boolean;
}

const GPU_PACKAGE = '@tensorflow/tfjs-node-gpu';
const CPU_PACKAGE = '@tensorflow/tfjs-node';
const SETUP = 'npm run setup:tensorflow';
const SEARCHED = [import.meta.url, join(process.cwd(), 'package.json')];

/** The package's folder, where both the package and its compiled add-on are there. */
function installed(name: string): string | undefined {
  for (const from of SEARCHED) {
    const folder = createRequire(from)
      .resolve.paths(name)
      ?.map((modules) => join(modules, name))
      .find((path) => existsSync(join(path, 'package.json')));
    const builds = folder && existsSync(join(folder, 'lib')) ? readdirSync(join(folder, 'lib')) : [];
    if (folder && builds.some((build) => existsSync(join(folder, 'lib', build, 'tfjs_binding.node')))) return folder;
  }
  return undefined;
}

/** Whether the machine shows an NVIDIA device; found out without loading CUDA. */
export const hasCudaDevice = (): boolean =>
  ['/dev/nvidia0', '/dev/nvhost-gpu', '/dev/dxg'].some((path) => existsSync(path)) ||
  (process.platform === 'win32' &&
    existsSync(join(process.env.SystemRoot ?? 'C:\\Windows', 'System32', 'nvidia-smi.exe')));

/** The package to load: the one for CUDA where there is a device, or where it is the only one. */
function choosePackage(): string | undefined {
  const names = hasCudaDevice() ? [GPU_PACKAGE, CPU_PACKAGE] : [CPU_PACKAGE, GPU_PACKAGE];
  return names.map(installed).find((folder) => folder !== undefined);
}

/** Whether {@link loadTensorflow} finds a package with its add-on. */
export const isTensorflowInstalled = (): boolean => choosePackage() !== undefined;

/** Whether a package for CUDA is set up and the machine has a device for it. */
export const isCudaReady = (): boolean => hasCudaDevice() && installed(GPU_PACKAGE) !== undefined;

/** What libtensorflow reads when it is loaded; what the user has set stays. */
function prepareEnvironment(threads: number): void {
  const settings = {
    TF_CPP_MIN_LOG_LEVEL: '3',
    TF_FORCE_GPU_ALLOW_GROWTH: 'true',
    // Matrix products of CUDA would round their operands to 10 bits otherwise.
    NVIDIA_TF32_OVERRIDE: '0',
    TF_NUM_INTRAOP_THREADS: String(threads),
    TF_NUM_INTEROP_THREADS: '1',
  };
  for (const [name, value] of Object.entries(settings)) process.env[name] ??= value;
}

/** tfjs-node 4.22 calls two functions of `util` whose use Node 22 reports and of which Node 23 has one no more. */
function replaceOldUtilities(): void {
  Object.assign(util, {
    isArray: Array.isArray,
    isNullOrUndefined: (value: unknown) => value === null || value === undefined,
  });
}

/**
 * Loads tfjs-node or tfjs-node-gpu, which registers the tfjs back end `tensorflow` and makes it the current one. The
 * first call of a process decides the package and the number of threads.
 * @throws Error with one sentence where neither is set up, or where the add-on does not load.
 */
export function loadTensorflow(threads = availableParallelism()): TensorflowInfo {
  if (!tf.findBackendFactory('tensorflow')) load(threads);
  const { isUsingGpuDevice, binding } = tf.findBackend('tensorflow') as unknown as NodeBackend;
  return { version: binding.TF_Version, gpu: isUsingGpuDevice };
}

function load(threads: number): void {
  const folder = choosePackage();
  if (!folder) throw new Error(`TensorFlow is not set up: run "${SETUP}" (with "-- --gpu" for CUDA).`);
  prepareEnvironment(threads);
  replaceOldUtilities();
  try {
    createRequire(import.meta.url)(folder);
  } catch (error) {
    const [reason] = (error as Error).message.split('\n');
    throw new Error(`TensorFlow does not load (${reason}): run "${SETUP}" again.`, { cause: error });
  }
}
