import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Variables of a process. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Where Vulkan's loader looks for the manifests of drivers. */
const MANIFESTS = ['/etc/vulkan/icd.d', '/usr/share/vulkan/icd.d', '/usr/local/share/vulkan/icd.d'];

const LIBRARIES = [
  '/usr/lib/x86_64-linux-gnu',
  '/lib/x86_64-linux-gnu',
  '/usr/lib64',
  '/lib64',
  '/usr/lib',
  '/usr/local/lib',
  '/usr/local/nvidia/lib64',
];

/** NVIDIA's driver, with and without a display server. */
const NVIDIA = ['libGLX_nvidia.so.0', 'libEGL_nvidia.so.0'];

/**
 * The environment in which Dawn finds a driver: libraries of `bundled` that the machine lacks, and where a container has
 * NVIDIA's driver without its manifest, a manifest made in `scratch`. What the user has set stays.
 * @returns it, and a sentence for each thing that was done.
 */
export function driverEnvironment(
  environment: Environment,
  bundled: string | undefined,
  scratch: string,
  manifests: readonly string[] = MANIFESTS,
): { environment: Environment; notes: string[] } {
  const notes: string[] = [];
  const own = (environment.LD_LIBRARY_PATH ?? '').split(':').filter(Boolean);
  const found = (name: string) => [...own, ...LIBRARIES].find((folder) => existsSync(join(folder, name)));
  const result: Record<string, string | undefined> = { ...environment };
  mkdirSync(scratch, { recursive: true });
  const missing = bundled ? readdirSync(bundled).filter((name) => !found(name)) : [];
  if (bundled && missing.length > 0) {
    const folder = join(scratch, 'lib');
    mkdirSync(folder, { recursive: true });
    for (const name of missing)
      if (!existsSync(join(folder, name))) symlinkSync(join(bundled, name), join(folder, name));
    result.LD_LIBRARY_PATH = [...own, folder].join(':');
    notes.push(`The machine lacks ${missing.join(', ')}: those of the bundle are used.`);
  }
  if (environment.VK_DRIVER_FILES || environment.VK_ICD_FILENAMES) return { environment: result, notes };
  if (manifests.some((folder) => existsSync(folder) && readdirSync(folder).some((name) => name.endsWith('.json'))))
    return { environment: result, notes };
  const driver = NVIDIA.find((name) => found(name));
  if (driver) {
    const manifest = join(scratch, 'nvidia_icd.json');
    const ICD = { library_path: join(found(driver) as string, driver), api_version: '1.3.0' };
    writeFileSync(manifest, JSON.stringify({ file_format_version: '1.0.0', ICD }));
    result.VK_DRIVER_FILES = manifest;
    result.VK_ICD_FILENAMES = manifest;
    notes.push(`No driver is registered with Vulkan; ${ICD.library_path} is, for this check.`);
  } else {
    notes.push('No driver is registered with Vulkan, and NVIDIA’s is not in the usual folders: see docs/gpu.md.');
  }
  return { environment: result, notes };
}
