import { existsSync } from 'node:fs';
import { constants } from 'node:os';

const FOLDER = '/usr/lib/chromium';
const [DRIVER, LOADER] = [`${FOLDER}/vk_swiftshader_icd.json`, `${FOLDER}/libvulkan.so.1`];
/** Stay loaded although Node finds no add-on in it. Linux only. */
const RTLD_NODELETE = 0x1000;

/**
 * Lets Dawn find the SwiftShader and the Vulkan loader that Debian's Chromium brings along. For the main thread of a test
 * process, before the first adapter is asked for.
 */
export function allowSoftwareAdapter(): void {
  if (process.platform !== 'linux' || !existsSync(DRIVER) || !existsSync(LOADER)) return;
  process.env.VK_DRIVER_FILES = DRIVER;
  process.env.VK_ICD_FILENAMES = DRIVER;
  try {
    process.dlopen({ exports: {} }, LOADER, constants.dlopen.RTLD_NOW | constants.dlopen.RTLD_GLOBAL | RTLD_NODELETE);
  } catch {
    // Node complains that it is no add-on; it is loaded all the same, and Dawn finds it by its name.
  }
}
