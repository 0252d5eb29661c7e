import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { ADD_ON, needs } from '@/testing/needs';
import { configureNative, isAvailable, isOfSources, kernels, nativeInfo, newFloats, unavailableReason } from './addon';
import { sourcesKey } from './build.mjs';

if (!isAvailable) console.warn(`The native add-on is not tested: ${unavailableReason}`);

const ADDON = fileURLToPath(new URL('./build/statescope.node', import.meta.url));

/** Runs `script` in a fresh Node with the add-on as `addon`; returns what it prints. */
function inFreshProcess(script: string): string {
  const load = `const m = { exports: {} }; process.dlopen(m, ${JSON.stringify(ADDON)}); const addon = m.exports;`;
  return execFileSync(process.execPath, ['-e', load + script], { encoding: 'utf8' }).trim();
}

/** Kilobytes of this process's mappings that asked for large pages; null where the system does not say. */
function advisedKilobytes(): number | null {
  if (process.platform !== 'linux') return null;
  const mappings = readFileSync('/proc/self/smaps', 'utf8').split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m);
  const advised = mappings.filter((text) => /^VmFlags:.* hg\b/m.test(text));
  return advised.reduce((sum, text) => sum + Number(/^Size:\s+(\d+)/m.exec(text)?.[1]), 0);
}

describe('add-on', needs(isAvailable, ADD_ON), () => {
  it('asks for large pages where many floats are new, and gives zeros', () => {
    const before = advisedKilobytes();
    const floats = newFloats(1 << 24);
    const after = advisedKilobytes();
    expect(floats.length).toBe(1 << 24);
    expect(floats.every((value) => value === 0)).toBe(true);
    expect(newFloats(3)).toEqual(new Float32Array(3));
    const kernelHasLargePages = existsSync('/sys/kernel/mm/transparent_hugepage/enabled');
    if (before !== null && after !== null && kernelHasLargePages)
      expect(after - before).toBeGreaterThanOrEqual(62 * 1024);
  });

  it('is of the sources that lie here, and is refused by a program of others', () => {
    const built = inFreshProcess('process.stdout.write(addon.sources)');
    expect(built).toBe(sourcesKey());
    expect(isOfSources({ sources: built }, sourcesKey())).toBe(true);
    expect(isOfSources({ sources: 'of another version' }, sourcesKey())).toBe(false);
    expect(isOfSources({}, sourcesKey())).toBe(false);
  });

  it('changes threads and instruction set, and keeps what is not named', () => {
    const before = nativeInfo();
    expect(configureNative({ isa: 'generic' })).toEqual({ isa: 'generic', threads: before.threads });
    expect(configureNative({ threads: 3 })).toEqual({ isa: 'generic', threads: 3 });
    expect(configureNative(before)).toEqual(before);
  });

  it('refuses an instruction set that does not exist', () => {
    expect(() => configureNative({ isa: 'mmx' })).toThrow(/does not run 'mmx'/);
  });

  it('refuses arguments that are neither arrays nor numbers', () => {
    expect(() => kernels.exp('x' as unknown as number)).toThrow(/argument 0/);
  });

  it('gives the same results with more threads than cores', () => {
    const before = nativeInfo();
    const [M, N, K] = [123, 77, 59];
    const a = Float32Array.from({ length: M * K }, (_, i) => (i % 13) - 6);
    const b = Float32Array.from({ length: N * K }, (_, i) => (i % 7) - 3);
    const results = [1, 2, 7].map((threads) => {
      configureNative({ threads });
      const c = new Float32Array(M * N);
      kernels.matmul(a, b, c, null, M, N, K, K, 1, 1, K, 0, 1, 0, 0, 0);
      return c;
    });
    configureNative(before);
    expect(results[1]).toEqual(results[0]);
    expect(results[2]).toEqual(results[0]);
  });

  it('treats denormal numbers as zero inside kernels and leaves them alone in JavaScript', () => {
    const y = new Float32Array(1);
    kernels.multiply(Float32Array.of(1e-39), Float32Array.of(1e30), y, 1, 1, 1, 1);
    expect(y[0]).toBe(0);
    let tiny = 1e-308;
    for (let i = 0; i < 3; i++) tiny /= 2;
    expect(tiny).toBeGreaterThan(0);
  });

  it('treats denormal numbers as zero in every thread', () => {
    const before = nativeInfo();
    configureNative({ threads: 4 });
    const n = 1 << 18;
    const tiny = new Float32Array(n).fill(1e-39);
    const small = new Float32Array(n).fill(1e-20);
    const huge = new Float32Array(n).fill(1e30);
    const y = new Float32Array(n);
    for (let run = 0; run < 20; run++) {
      kernels.multiply(tiny, huge, y.fill(1), 1, n, 1, 1);
      expect(y.every((value) => value === 0)).toBe(true);
      kernels.multiply(small, small, y.fill(1), 1, n, 1, 1);
      expect(y.every((value) => value === 0)).toBe(true);
    }
    configureNative(before);
  });

  it('serves several worker threads of one process at a time', () => {
    const worker = `
      const { parentPort } = require('node:worker_threads');
      const m = { exports: {} }; process.dlopen(m, ${JSON.stringify(ADDON)});
      const n = 200, a = new Float32Array(n * n).fill(1), c = new Float32Array(n * n);
      let ok = true;
      for (let r = 0; r < 50; r++) {
        m.exports.kernels.matmul(a, a, c, null, n, n, n, n, 1, n, 1, 0, 1, 0, 0, 0);
        ok = ok && c.every((x) => x === n);
      }
      parentPort.postMessage(ok);`;
    const script = `
      addon.configure(2, '');
      const { Worker } = require('node:worker_threads');
      const runs = [0, 1, 2].map(() => new Promise((resolve) =>
        new Worker(${JSON.stringify(worker)}, { eval: true }).on('message', resolve)));
      Promise.all(runs).then((all) => console.log(all.join()));`;
    expect(inFreshProcess(script)).toBe('true,true,true');
  });
});
