import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { openApiDocument } from './openapi';
import { pythonClient } from './python';
import { READINGS } from './readings';

const METHODS = ['get', 'post', 'patch', 'delete'];

it('the Python package has the types and operations of today: else run "npm run python:client"', () => {
  expect(readFileSync('python/src/statescope/_api.py', 'utf8')).toBe(pythonClient());
});

it('has a method for every operation, and a named answer for every one in JSON', () => {
  const text = pythonClient();
  const operations = Object.entries(openApiDocument('').paths).flatMap(([path, item]) =>
    METHODS.filter((method) => method in item && !path.endsWith('.json')),
  );
  const names = [...text.matchAll(/^ {4}def (\w+)\(/gm)].map(([, name]) => name);
  expect(names).toHaveLength(operations.length);
  // A second one of a name would take the place of the first.
  expect(new Set(names).size).toBe(names.length);
  expect(text).not.toMatch(/-> Any:/);
  for (const name of Object.keys(READINGS)) expect(text).toContain(`def get_run_${name.replace('/', '_')}(`);
});
