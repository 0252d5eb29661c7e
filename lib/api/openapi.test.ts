import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { LENS_STATISTICS } from '@/lib/vocabulary';
import { AnalysisEventSchemas } from './causal';
import { GenerationEventSchemas } from './generation';
import { openApiDocument } from './openapi';
import { READINGS } from './readings';
import { RunEventSchemas } from './schemas';

const METHODS = ['get', 'post', 'put', 'patch', 'delete'];

/** `GET /api/runs/{id}` for every handler under app/api. */
function routes(folder = join(process.cwd(), 'app/api'), path = '/api'): string[] {
  const below = readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap(({ name }) => routes(join(folder, name), `${path}/${name.replace(/^\[(.+)\]$/, '{$1}')}`));
  const file = join(folder, 'route.ts');
  if (!existsSync(file)) return below;
  const source = readFileSync(file, 'utf8');
  const methods = METHODS.filter((method) => source.includes(`export const ${method.toUpperCase()} `));
  // One handler catches all readings.
  const paths = path.endsWith('/{...reading}')
    ? Object.keys(READINGS).map((name) => path.replace('{...reading}', name))
    : [path];
  return [...methods.flatMap((method) => paths.map((each) => `${method} ${each}`)), ...below];
}

const openApi = openApiDocument('1.2.3');

describe('the OpenAPI document', () => {
  it('lists exactly the routes and methods that exist', () => {
    const documented = Object.entries(openApi.paths).flatMap(([path, item]) =>
      METHODS.filter((method) => method in item).map((method) => `${method} ${path}`),
    );
    expect(documented.sort()).toEqual(routes().sort());
  });

  it('resolves every reference', () => {
    const references = [...JSON.stringify(openApi).matchAll(/"\$ref":"([^"]+)"/g)].map(([, target]) => target);
    expect(references.length).toBeGreaterThan(10);
    for (const target of references) {
      const [, ...keys] = target.split('/');
      const found = keys.reduce<unknown>((value, key) => (value as Record<string, unknown>)?.[key], openApi);
      expect(found, target).toBeTypeOf('object');
    }
  });

  it('follows the schemas: what is required, what has a default, what a query accepts', () => {
    const { RunRequest } = openApi.components.schemas as Record<string, { required: string[]; properties: object }>;
    expect(RunRequest.required).toEqual(['models', 'prompt', 'target']);
    expect(RunRequest.properties).toMatchObject({ position: { default: -1, minimum: -1 } });
    const { parameters } = (
      openApi.paths as Record<string, unknown> as Record<
        string,
        { get: { parameters: { name: string; required: boolean }[] } }
      >
    )['/api/runs/{id}/map'].get;
    expect(parameters.map(({ name, required }) => [name, required])).toEqual([
      ['model', false],
      ['layer', true],
      ['branch', false],
      ['reduce', false],
      ['form', false],
      ['target', false],
      ['without', false],
    ]);
  });

  it('names every event and every lens statistic', () => {
    const text = JSON.stringify(openApi);
    for (const name of Object.keys({ ...RunEventSchemas, ...AnalysisEventSchemas, ...GenerationEventSchemas }))
      expect(text).toContain(`event \`${name}\``);
    for (const name of LENS_STATISTICS) expect(text).toContain(name);
  });
});
