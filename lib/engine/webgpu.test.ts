import { describe, expect, it } from 'vitest';
import { registerWebgpu } from '@/kernels/webgpu/register';
import { allowSoftwareAdapter } from '@/kernels/webgpu/testing/software-adapter';
import { openDevice } from '.';

allowSoftwareAdapter();
const adapter = await registerWebgpu();

describe('choosing the webgpu device', () => {
  it.runIf(adapter)('works with any adapter, and names it', async () => {
    const device = await openDevice({ device: 'webgpu' });
    expect(device).toEqual({ name: 'webgpu', threads: 1, description: `WebGPU, ${adapter?.name}` });
  });

  it.runIf(adapter && !adapter.hardware)('is not what auto does where a processor imitates a GPU', async () => {
    expect((await openDevice({ device: 'auto' })).name).not.toBe('webgpu');
  });

  it.runIf(!adapter)('says what is missing where there is no adapter', async () => {
    await expect(openDevice({ device: 'webgpu' })).rejects.toThrow('finds no adapter');
  });
});
