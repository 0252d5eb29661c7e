import { describe, expect, it } from 'vitest';
import { describeAdapter } from './dawn';

const blank = { vendor: '', architecture: '', device: '', description: '' };

describe('what an adapter is', () => {
  it.each([
    { vendor: 'google', architecture: 'swiftshader', description: 'SwiftShader driver 5.0.0' },
    { vendor: 'mesa', description: 'llvmpipe (LLVM 15.0.6, 256 bits)' },
    { vendor: 'microsoft', description: 'Microsoft Basic Render Driver' },
  ])('$description is a processor that imitates a GPU', (info) => {
    expect(describeAdapter({ ...blank, ...info })).toEqual({ name: info.description, hardware: false });
  });

  it('a GPU goes by the best name that it gives', () => {
    expect(describeAdapter({ ...blank, vendor: 'nvidia', architecture: 'ampere' })).toEqual({
      name: 'ampere',
      hardware: true,
    });
    expect(describeAdapter({ ...blank, vendor: 'nvidia', device: 'NVIDIA A100' }).name).toBe('NVIDIA A100');
  });
});
