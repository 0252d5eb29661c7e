import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { outcomeOf } from '@/lib/cli/testing';
import { BUNDLES } from './lib/setup.mjs';

const compose = readFileSync('compose.yaml', 'utf8');
const image = readFileSync('Dockerfile', 'utf8');
const allOf = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].map((match) => match.slice(1));

describe('compose.yaml', () => {
  const [services, volumes] = ['services', 'volumes'].map((section) => {
    const [[body]] = allOf(compose, new RegExp(`^${section}:\\n((?: .*\\n|\\n)+)`, 'gm'));
    return allOf(body, /^ {2}(\w+):$/gm).flat();
  });

  it('mounts, waits for and asks only what it has', () => {
    expect(services).toEqual(['app', 'worker', 'database']);
    const urls = allOf(compose, /DATABASE_URL: (\S+:)\$\{[^}]*\}(\S+)/g).map(
      ([user, rest]) => new URL(`${user}x${rest}`),
    );
    expect(urls).toHaveLength(2);
    const [[user]] = allOf(compose, /POSTGRES_USER: (\w+)/g);
    for (const url of urls) expect([url.username, url.hostname]).toEqual([user, 'database']);
    const [[data]] = allOf(image, /STATESCOPE_DATA=(\S+)/g);
    const mounted = allOf(compose, /- (\w+):(\/\S+)/g);
    expect(mounted.map(([name]) => name).filter((name) => !volumes.includes(name))).toEqual([]);
    expect(mounted.filter(([name]) => name === 'runs')).toEqual([
      ['runs', data],
      ['runs', data],
    ]);
    const [[published]] = allOf(compose, /"127\.0\.0\.1:\d+:(\d+)"/g);
    expect(image).toMatch(new RegExp(`^EXPOSE ${published}$`, 'm'));
  });

  it('has no secret of its own, and every variable is explained', () => {
    const told = readFileSync('docs/deploy.md', 'utf8');
    const variables = allOf(compose, /\$\{(\w+)(:[?-])/g);
    for (const [name, otherwise] of variables) {
      expect(told).toContain(name);
      expect([name, otherwise]).toEqual([name, /TOKEN|PASSWORD/.test(name) ? ':?' : ':-']);
    }
    expect(new Set(variables.map(([name]) => name))).toContain('POSTGRES_PASSWORD');
  });

  it('starts what the image has', async () => {
    const [[bundle, command]] = allOf(compose, /command: \[node, dist\/(\S+)\.mjs, (\w+)\]/g);
    expect(BUNDLES).toContain(bundle);
    expect((await outcomeOf(command, '--help')).code).toBe(0);
  });
});
