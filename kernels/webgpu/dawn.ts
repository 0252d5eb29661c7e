import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { create } from 'webgpu';

/** What an adapter says of itself. */
export interface AdapterDescription {
  /** For people: `NVIDIA RTX 4090 (vulkan)`, or what the driver gives. */
  readonly name: string;
  /** False for processors that imitate a GPU (SwiftShader, llvmpipe, WARP). */
  readonly hardware: boolean;
}

export interface Gpu {
  readonly device: GPUDevice;
  readonly info: GPUAdapterInfo;
  readonly description: AdapterDescription;
}

/**
 * Dawn advances its asynchronous work in a callback that it hands to `setImmediate`. Taking that callback for ourselves
 * lets a read wait for the device without returning to the event loop, and lets the process end by itself.
 */
let waitingTick: (() => void) | undefined;

function keepingTicks<T>(body: () => T): T {
  const real = globalThis.setImmediate;
  globalThis.setImmediate = ((tick: () => void) => {
    waitingTick = tick;
    return {};
  }) as unknown as typeof setImmediate;
  try {
    return body();
  } finally {
    globalThis.setImmediate = real;
  }
}

/** Lets Dawn finish what the device has done; returns at once. */
function tick(): void {
  const due = waitingTick;
  waitingTick = undefined;
  if (due) keepingTicks(due);
}

const pause = new Int32Array(new SharedArrayBuffer(4));
const READ = 1;

/** Maps `buffer` for reading and blocks until the device has filled it. */
export function mapNow(buffer: GPUBuffer): void {
  // A device that is lost rejects; the state of the buffer says so below.
  keepingTicks(() => buffer.mapAsync(READ)).catch(() => undefined);
  for (let turn = 0; buffer.mapState === 'pending'; turn++) {
    tick();
    if (buffer.mapState === 'pending' && turn > 20) Atomics.wait(pause, 0, 0, 0.1);
  }
  requireMapped(buffer);
}

/** The same, with the event loop free to do other work meanwhile. */
export async function mapSoon(buffer: GPUBuffer): Promise<void> {
  await finished(keepingTicks(() => buffer.mapAsync(READ))).catch(() => undefined);
  requireMapped(buffer);
}

/** What a read says of a device that is gone for good. */
export const LOST = 'The GPU was lost: its driver restarted, or it ran out of memory.';

function requireMapped(buffer: GPUBuffer): void {
  if (buffer.mapState !== 'mapped') throw new Error(LOST);
}

async function finished<T>(work: Promise<T>): Promise<T> {
  let done = false;
  const mark = () => {
    done = true;
  };
  work.then(mark, mark);
  while (!done) {
    tick();
    await new Promise((resolve) => setImmediate(resolve));
  }
  return work;
}

const IMITATIONS = /swiftshader|llvmpipe|lavapipe|softpipe|microsoft basic render|warp/i;

export function describeAdapter(info: Pick<GPUAdapterInfo, 'vendor' | 'architecture' | 'device' | 'description'>) {
  const words = [info.description, info.device, info.architecture, info.vendor];
  const name = words.find((word) => word) ?? 'an adapter without a name';
  return { name, hardware: !words.some((word) => IMITATIONS.test(word)) };
}

const LIMITS = [
  'maxBufferSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
  'maxComputeWorkgroupStorageSize',
  'maxComputeWorkgroupsPerDimension',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
] as const;

/** Storage buffers of the largest of our programs, and the threads of the widest. */
const NEEDED = { maxStorageBuffersPerShaderStage: 10, maxComputeInvocationsPerWorkgroup: 256 } as const;

/** Used where the adapter has them; the types are older than subgroups. */
const WELCOME = ['timestamp-query', 'subgroups'] as GPUFeatureName[];

/** What is left out all the same: `STATESCOPE_SUBGROUPS=off` is for drivers that get subgroups wrong. */
function unwelcome(): readonly string[] {
  const { STATESCOPE_SUBGROUPS: asked = 'on' } = process.env;
  if (asked !== 'on' && asked !== 'off') throw new Error(`STATESCOPE_SUBGROUPS is "${asked}": it must be on or off.`);
  return asked === 'off' ? ['subgroups'] : [];
}

const LIBRARY_FOLDERS = [
  '/usr/lib',
  '/usr/lib64',
  '/usr/local/lib',
  '/usr/lib/x86_64-linux-gnu',
  '/usr/lib/aarch64-linux-gnu',
];

/**
 * Whether this machine looks like one with a GPU that Dawn could open, so that asking is worth its time (and, on Linux
 * without a Vulkan loader, the warning that Dawn prints). Costs a look into a few folders.
 */
export function mayHaveGpu(): boolean {
  if (process.platform !== 'linux') return true;
  const node = existsSync('/dev/dri') && readdirSync('/dev/dri').some((name) => name.startsWith('renderD'));
  if (!node && !existsSync('/dev/nvidia0') && !existsSync('/dev/dxg')) return false;
  const folders = [...(process.env.LD_LIBRARY_PATH ?? '').split(':').filter(Boolean), ...LIBRARY_FOLDERS];
  return folders.some((folder) => existsSync(join(folder, 'libvulkan.so.1')));
}

/** Held for as long as the process lives: the device dies with the instance that made it. */
let instance: GPU | undefined;

/**
 * Opens the fastest adapter with all the memory and workgroup sizes that it offers.
 * @returns null where there is no adapter. @throws Error where there is one that is too small or broken.
 */
export async function openGpu(): Promise<Gpu | null> {
  const dawn: { create: typeof create; globals: object } = await import('webgpu');
  Object.assign(globalThis, dawn.globals);
  // A web page gets timestamps in steps of 100 µs, which is longer than most programs take.
  instance ??= dawn.create(['disable-dawn-features=timestamp_quantization']);
  const gpu = instance;
  const adapter = await finished(keepingTicks(() => gpu.requestAdapter({ powerPreference: 'high-performance' })));
  if (!adapter) return null;
  const { info, limits } = adapter;
  const description = describeAdapter(info);
  for (const [limit, needed] of Object.entries(NEEDED))
    if (limits[limit as keyof typeof NEEDED] < needed)
      throw new Error(`${description.name} has a ${limit} of ${limits[limit as keyof typeof NEEDED]}, not ${needed}.`);
  const requiredLimits = Object.fromEntries(LIMITS.map((name) => [name, limits[name]]));
  const without = unwelcome();
  const requiredFeatures = WELCOME.filter((name) => adapter.features.has(name) && !without.includes(name));
  const device = await finished(keepingTicks(() => adapter.requestDevice({ requiredLimits, requiredFeatures })));
  return { device, info, description };
}

/** Runs `body` while `navigator.gpu` exists, as the tfjs back end wants it at its creation; Node 20 has no navigator. */
export function withNavigator<T>(body: () => T): T {
  const before = Object.getOwnPropertyDescriptor(globalThis, 'navigator');
  Object.defineProperty(globalThis, 'navigator', { value: { gpu: instance }, configurable: true });
  try {
    return body();
  } finally {
    if (before) Object.defineProperty(globalThis, 'navigator', before);
    else Reflect.deleteProperty(globalThis, 'navigator');
  }
}
