import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { configureNative, nativeInfo, registerNative } from '@/kernels/native/register';
import { bridgeFromCpu } from '@/kernels/portable/bridge';
import { registerPortable } from '@/kernels/portable/register';
import { isCudaReady, loadTensorflow } from '@/kernels/tensorflow/load';
import { registerTensorflow } from '@/kernels/tensorflow/register';
import { mayHaveGpu, registerWebgpu } from '@/kernels/webgpu/register';
import { DEVICES, type Device, type DeviceName } from './devices';

export { untilGpuIsLost } from '@/kernels/webgpu/register';
export { DEVICES, type Device, type DeviceName } from './devices';

export interface DeviceOptions {
  /** Default: `STATESCOPE_DEVICE`, else `auto`. */
  readonly device?: string;
  /** Threads of the native device, and of TensorFlow's first start; default: all that the machine offers. */
  readonly threads?: number;
}

/** The device cannot run here; the message says why and what to choose instead. */
export class DeviceError extends Error {
  override readonly name = 'DeviceError';
}

/**
 * Chooses the device and makes it the current tfjs back end. Calling it again switches devices; tensors stay
 * on the device that made them. `auto` considers TensorFlow only where it is set up for CUDA and a device is there, and
 * WebGPU only where its adapter is a GPU, not a processor that imitates one.
 * @throws DeviceError when the name is unknown or the device cannot start.
 */
export async function openDevice(options: DeviceOptions = {}): Promise<Device> {
  const wanted = options.device ?? process.env.STATESCOPE_DEVICE ?? 'auto';
  const threads = checkThreads(options.threads ?? availableParallelism());
  if (wanted !== 'auto') return open(checkName(wanted), threads);
  const reasons: string[] = [];
  for (const name of DEVICES) {
    if (name === 'tensorflow' && !isCudaReady()) continue;
    if (name === 'webgpu' && !(await hasGpu())) continue;
    try {
      return await open(name, threads);
    } catch (error) {
      reasons.push((error as Error).message);
    }
  }
  throw new DeviceError(`No device can run here. ${reasons.join(' ')}`);
}

/** More only wait for each other, and at some number the system refuses to start them. */
const MOST_THREADS = 256;

function checkThreads(threads: number): number {
  const most = Math.max(MOST_THREADS, availableParallelism());
  if (threads <= most) return threads;
  throw new DeviceError(`${threads} threads are too many for a device: give a number from 1 to ${most}.`);
}

function checkName(wanted: string): DeviceName {
  const name = DEVICES.find((device) => device === wanted);
  if (!name) throw new DeviceError(`There is no device "${wanted}" here: choose one of auto, ${DEVICES.join(', ')}.`);
  return name;
}

async function hasGpu(): Promise<boolean> {
  if (!mayHaveGpu()) return false;
  const adapter = await registerWebgpu().catch(() => null);
  return adapter?.hardware ?? false;
}

const START: Readonly<Record<DeviceName, (threads: number) => Promise<Device>>> = {
  tensorflow: startTensorflow,
  webgpu: startWebgpu,
  native: startNative,
  wasm: startWasm,
  cpu: startCpu,
};

async function open(name: DeviceName, threads: number): Promise<Device> {
  quietBanner();
  const device = await START[name](threads);
  if (!(await tf.setBackend(name))) throw new DeviceError(`The ${name} device did not start: try --device cpu.`);
  await tf.ready();
  return device;
}

async function startTensorflow(threads: number): Promise<Device> {
  try {
    const { version, gpu } = loadTensorflow(threads);
    registerTensorflow();
    const where = gpu ? 'CUDA' : `processor, ${plural(threads, 'thread')}`;
    return { name: 'tensorflow', threads, description: `TensorFlow ${version}, ${where}` };
  } catch (error) {
    throw new DeviceError((error as Error).message);
  }
}

async function startWebgpu(): Promise<Device> {
  const adapter = await registerWebgpu().catch((error: Error) => {
    throw new DeviceError(`The webgpu device did not start: ${error.message} Try --device native.`);
  });
  if (!adapter)
    throw new DeviceError(
      'The webgpu device finds no adapter: install a driver with Vulkan (on Linux with libvulkan1), or try --device native.',
    );
  return { name: 'webgpu', threads: 1, description: `WebGPU, ${adapter.name}` };
}

async function startNative(threads: number): Promise<Device> {
  // The native device starts from copies of the cpu kernels, so ours must be among them.
  registerPortable('cpu');
  if (!registerNative())
    throw new DeviceError('The native device is not built: run "npm run build:addon" (it needs a C++ compiler).');
  configureNative({ threads });
  const isa = nativeInfo()?.isa ?? 'portable';
  return { name: 'native', threads, description: `C++ add-on, ${isa}, ${plural(threads, 'thread')}` };
}

async function startWasm(): Promise<Device> {
  const wasm = await import('@tensorflow/tfjs-backend-wasm');
  const folder = dirname(createRequire(join(process.cwd(), 'package.json')).resolve('@tensorflow/tfjs-backend-wasm'));
  wasm.setWasmPaths(`${folder}/`);
  registerPortable('wasm');
  bridgeFromCpu('wasm');
  return { name: 'wasm', threads: 1, description: 'WebAssembly, portable' };
}

async function startCpu(): Promise<Device> {
  registerPortable('cpu');
  return { name: 'cpu', threads: 1, description: 'plain JavaScript' };
}

const plural = (count: number, what: string) => `${count} ${what}${count === 1 ? '' : 's'}`;

/** The tfjs cpu back end advertises tfjs-node at its first write; results on stdout and stderr are ours alone. */
function quietBanner() {
  const backend = tf.findBackend('cpu') as { firstUse?: boolean } | null;
  if (backend) backend.firstUse = false;
}
