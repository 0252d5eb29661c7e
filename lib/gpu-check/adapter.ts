import * as tf from '@tensorflow/tfjs';
import type { Backend } from '@/kernels/webgpu/program';
import { openDevice } from '@/lib/engine';
import type { Group } from './step';
import { yardstick } from './yardstick';

/** Opens the device for the steps of a process; every group needs it. */
export async function openGpuDevice(): Promise<string> {
  const { description } = await openDevice({ device: 'webgpu' });
  return description;
}

/** The types are older than these. */
type Info = GPUAdapterInfo & { readonly subgroupMinSize?: number; readonly subgroupMaxSize?: number };

/** What there is: the adapter, its limits and features, and what it reaches at best. */
export const adapter: Group = {
  name: 'machine',
  steps: (size) => [
    {
      name: 'adapter',
      seconds: 30,
      run: async () => {
        const description = await openGpuDevice();
        const { device } = tf.backend() as Backend;
        const info = device.adapterInfo as Info;
        const { vendor, architecture, device: card, description: driver } = info;
        const subgroups = [info.subgroupMinSize, info.subgroupMaxSize];
        const limits: Record<string, number> = {};
        for (const name in device.limits) limits[name] = device.limits[name as keyof GPUSupportedLimits] as number;
        const features = [...device.features];
        return { ok: true, description, vendor, architecture, card, driver, features, subgroups, limits };
      },
    },
    {
      name: 'its own copy and product',
      seconds: 30,
      run: () => {
        const { bandwidth, rate } = yardstick(size);
        return { ok: bandwidth > 0 && rate > 0, gb_s: bandwidth / 1e9, tflop_s: rate / 1e12 };
      },
    },
  ],
};
