import { describe, expect, it } from 'vitest';
import { registerWebgpu } from '@/kernels/webgpu/register';
import { allowSoftwareAdapter } from '@/kernels/webgpu/testing/software-adapter';
import { ADAPTER, needs } from '@/testing/needs';
import { DEVICES, openDevice } from '.';

allowSoftwareAdapter();
const adapter = await registerWebgpu();

describe('choosing the webgpu device', () => {
  it('works with any adapter, and names it', needs(adapter, ADAPTER), async () => {
    const device = await openDevice({ device: 'webgpu' });
    expect(device).toEqual({ name: 'webgpu', threads: 1, description: `WebGPU, ${adapter?.name}` });
  });

  it('comes before TensorFlow, which has not been tried on a card', () => {
    expect(DEVICES.indexOf('webgpu')).toBeLessThan(DEVICES.indexOf('tensorflow'));
  });

  it(
    'is not what auto does where a processor imitates a GPU',
    needs(adapter && !adapter.hardware, 'a WebGPU adapter that is a processor'),
    async () => {
      expect((await openDevice({ device: 'auto' })).name).not.toBe('webgpu');
    },
  );

  it(
    'says what is missing where there is no adapter',
    needs(!adapter, 'a machine without a WebGPU adapter'),
    async () => {
      await expect(openDevice({ device: 'webgpu' })).rejects.toThrow('finds no adapter');
    },
  );
});
