import { describe, expect, it } from 'vitest';
import { needs } from './forecast';

const GB = 2 ** 30;

describe('what a run needs', () => {
  const estimate = { activationBytes: 0.5 * GB, limitBytes: GB, weightBytes: 1.5 * GB, packedBytes: 0, seconds: 2 };

  it('is memory and time, as far as they are known', () => {
    expect(needs(estimate)).toBe('needs 2.00 GB, ~2 s');
    expect(needs({ ...estimate, seconds: null })).toBe('needs 2.00 GB');
  });

  it('says what a device packs once runs come back, where that is much', () => {
    expect(needs({ ...estimate, packedBytes: 1.25 * GB })).toBe('needs 2.00 GB (3.25 GB when repeated), ~2 s');
    expect(needs({ ...estimate, packedBytes: 1e6 })).toBe('needs 2.00 GB, ~2 s');
  });
});
