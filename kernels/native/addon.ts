import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** What a kernel takes: typed arrays (or null for one that is absent) and numbers, in the order its C++ file says. */
export type KernelArgument = Float32Array | Int32Array | Uint16Array | Uint8Array | number | null;
export type KernelCall = (...args: KernelArgument[]) => void;

export interface NativeSettings {
  /** Threads that take part in a kernel, the calling one included. */
  readonly threads: number;
  /** Instruction set in use: 'avx512', 'avx2' or 'generic'. */
  readonly isa: string;
}

/** The key of the C++ sources that this program was made with; set by what bundles or runs it. */
declare const STATESCOPE_SOURCES: string | undefined;

interface Addon {
  /** The key of the sources that the add-on was built from. */
  readonly sources?: string;
  readonly kernels: Readonly<Record<string, KernelCall>>;
  configure(threads?: number, isa?: string): NativeSettings;
  preferLargePages(array: Float32Array): void;
}

const RELATIVE_PATH = join('kernels', 'native', 'build', 'statescope.node');

function isProjectRoot(folder: string): boolean {
  const manifest = join(folder, 'package.json');
  return existsSync(manifest) && JSON.parse(readFileSync(manifest, 'utf8')).name === 'statescope';
}

function rootAbove(start: string): string | undefined {
  for (let folder = start; ; folder = dirname(folder)) {
    if (isProjectRoot(folder)) return folder;
    if (dirname(folder) === folder) return undefined;
  }
}

/** STATESCOPE_ROOT, else the project folder above this file (sources or bundle), else above the working folder. */
function findAddon(): string | undefined {
  const roots = [
    process.env.STATESCOPE_ROOT,
    import.meta.url.startsWith('file:') ? rootAbove(dirname(fileURLToPath(import.meta.url))) : undefined,
    rootAbove(process.cwd()),
  ];
  return roots.flatMap((root) => (root ? [join(root, RELATIVE_PATH)] : [])).find((path) => existsSync(path));
}

/** Whether an add-on belongs to a program: another version's kernels take other arguments and give wrong numbers. */
export const isOfSources = ({ sources }: Pick<Addon, 'sources'>, wanted: string | undefined): boolean =>
  wanted === undefined || sources === wanted;

function open(): { addon: Addon | null; reason: string } {
  const path = findAddon();
  if (!path) return { addon: null, reason: 'The native add-on is not built; run `npm run build:addon`.' };
  const module = { exports: {} as Addon };
  try {
    process.dlopen(module, path);
    if (!isOfSources(module.exports, typeof STATESCOPE_SOURCES === 'undefined' ? undefined : STATESCOPE_SOURCES))
      return { addon: null, reason: 'The native add-on is of another version; run `npm run build:addon`.' };
    isa = module.exports.configure(availableParallelism(), process.env.STATESCOPE_ISA ?? '').isa;
    return { addon: module.exports, reason: '' };
  } catch (error) {
    return { addon: null, reason: `The native add-on cannot be used: ${(error as Error).message}` };
  }
}

let isa = '';

const opened = open();

/** Why the add-on is not available; empty where it is. */
export const unavailableReason: string = opened.reason;

/** True where the add-on was found and loaded. */
export const isAvailable: boolean = opened.addon !== null;

/** The C++ kernels by name. Call only where `isAvailable`. */
export const kernels: Readonly<Record<string, KernelCall>> = opened.addon?.kernels ?? {};

/**
 * Sets threads and instruction set of the whole process; what is left out stays.
 * @throws when the add-on is missing or the processor lacks the instruction set.
 */
export function configureNative(settings: { threads?: number; isa?: string } = {}): NativeSettings {
  if (!opened.addon) throw new Error(unavailableReason);
  const inForce = opened.addon.configure(settings.threads ?? 0, settings.isa ?? '');
  isa = inForce.isa;
  return inForce;
}

/** Shorter arrays have no whole large page in them, or hardly one. */
const LARGE_BYTES = 4 << 20;

/** New floats, all zero; many of them in pages of 2 MB where the system has them: fresh memory otherwise costs a fault for every 4 kB. */
export function newFloats(length: number): Float32Array<ArrayBuffer> {
  const floats = new Float32Array(length);
  if (floats.byteLength >= LARGE_BYTES) opened.addon?.preferLargePages(floats);
  return floats;
}

/** The instruction set in force, on which the order of packed weights depends. */
export const currentIsa = (): string => isa;

/**
 * The settings in force.
 * @throws when the add-on is missing.
 */
export function nativeInfo(): NativeSettings {
  return configureNative();
}
