import { describe, expect, it } from 'vitest';
import { htmlDocument } from './htmlDocument';
import { packCells, SAVED_CELLS, type SavedView } from './savedView';

const LOOK = {
  fonts: '',
  font: 'serif',
  mono: 'monospace',
  background: '#fff',
  ink: '#000',
  panel: '#fff',
  line: '#ccc',
};

describe('packCells', () => {
  it('holds the shown part of a map in full float32', () => {
    const values = Float32Array.from({ length: 16 }, (_, k) => k + 0.1);
    const packed = atob(packCells(values, 4, [1, 3], [2, 4]) ?? '');
    const bytes = Uint8Array.from(packed, (character) => character.charCodeAt(0));
    expect([...new Float32Array(bytes.buffer)]).toEqual([6, 7, 10, 11].map((k) => values[k]));
  });

  it('leaves out what is too large', () => {
    const L = Math.sqrt(SAVED_CELLS) + 1;
    expect(packCells(new Float32Array(0), L, [0, L], [0, L])).toBeNull();
  });
});

describe('htmlDocument', () => {
  const view: SavedView = {
    title: '</script><b>',
    note: 'a < b & "c"',
    layers: 2,
    models: [{ slot: 'A', name: 'm', tokens: ['</script>'], linked: true, curves: {} }],
    areas: [{ figure: 'signal', kind: 'layers', box: { x: 1, y: 2, width: 3, height: 4 } }],
  };
  const html = htmlDocument(view, [{ id: 'signal', title: 'Signal', svg: '<svg></svg>' }], LOOK);

  it('lets no text of the prompt out of its place', () => {
    expect(html.match(/<\/script>/g)).toHaveLength(2);
    expect(html).toContain('&lt;/script&gt;&lt;b&gt;');
    const json = /id="saved">(.*)<\/script>/.exec(html)?.[1] ?? '';
    expect(JSON.parse(json)).toEqual(view);
  });

  it('asks for nothing from anywhere', () => {
    expect(html).not.toMatch(/(?:src|href)="(?!data:)/);
    expect(html).toContain("default-src 'none'");
    expect(html).toContain('data-area="0"');
  });
});
