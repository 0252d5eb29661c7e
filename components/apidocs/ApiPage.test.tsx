import { renderToStaticMarkup } from 'react-dom/server';
import { describe, expect, it } from 'vitest';
import { openApiDocument } from '@/lib/api/openapi';
import { ApiPage } from './ApiPage';

describe('ApiPage', () => {
  const document = openApiDocument('1.2.3');
  const html = renderToStaticMarkup(<ApiPage document={document} />);

  it('shows every operation and schema of the document', () => {
    for (const [path, item] of Object.entries(document.paths))
      for (const method of ['get', 'post', 'patch', 'delete'])
        if (method in item) expect(html).toContain(`<h3><code>${method.toUpperCase()} ${path}</code></h3>`);
    for (const name of Object.keys(document.components.schemas)) expect(html).toContain(`id="schema-${name}"`);
  });

  it('leads nowhere that does not exist', () => {
    const ids = new Set([...html.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id));
    const targets = [...html.matchAll(/href="#([^"]+)"/g)].map(([, id]) => id);
    expect(targets.length).toBeGreaterThan(20);
    for (const target of targets) expect(ids, target).toContain(target);
  });
});
