import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { beforeEach, describe, expect, it } from 'vitest';
import { parseTokenizer } from '@/lib/tokenizer';
import { type DataSource, SPLITS, type Split } from './source';
import { openSource } from './sources';
import { namedSplit } from './text-source';
import { cutAtBlanks } from './text-stream';

const TESTING = join(__dirname, 'testing');
const BPE = join(TESTING, '..', '..', 'tokenizer', 'testing', 'bpe_small.tokenizer.json');
const book = gunzipSync(readFileSync(join(TESTING, 'book.txt.gz'))).toString('utf8');
/** Enough for tests that read it token by token. */
const start = book.slice(0, 10_000);

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'text-'));
});

const sizes = (source: DataSource) => Object.fromEntries(SPLITS.map((split) => [split, source.card.sizes[split]]));

/** All that is in a split, from its rows in the order in which they stand: neighbours share a token. */
function textOf(source: DataSource, split: Split): string {
  const rows = source.card.sizes[split]?.rows ?? 0;
  const ids = Array.from({ length: rows }, (_, k) => [...source.row(split, k).tokens].slice(k === 0 ? 0 : 1)).flat();
  return parseTokenizer(JSON.stringify(source.tokenizer)).decode(ids);
}

const open = (fields: object) =>
  openSource({ source: 'text', cache: join(folder, 'cache'), order: 'stored', length: 1, ...fields });

async function put(name: string, text: string | Buffer): Promise<string> {
  const path = join(folder, name);
  await mkdir(join(path, '..'), { recursive: true });
  await writeFile(path, text);
  return path;
}

describe('text as a source', () => {
  it.each(['bytes', 'characters', BPE])(
    'gives back the files of a folder, each in the split that it names (%s)',
    async (tokens) => {
      const texts = { train: book.slice(0, 6000), validation: 'valid é 漢 text\n', test: book.slice(9000, 9700) };
      await put('d/train.txt', texts.train);
      await put('d/valid.txt', texts.validation);
      await put('d/test.txt.gz', gzipSync(texts.test));
      const source = await open({ path: join(folder, 'd'), tokens });
      for (const split of SPLITS) {
        if (tokens === BPE) {
          const tokenizer = parseTokenizer(readFileSync(BPE, 'utf8'));
          // A token for the end of texts stands before the file.
          expect(sizes(source)[split]?.tokens).toBe(1 + tokenizer.encode(texts[split]).ids.length);
        }
        expect(textOf(source, split)).toBe(`${tokens === BPE ? '<|endoftext|>' : ''}${texts[split]}`);
      }
      if (tokens === 'characters') expect(source.vocabularySize).toBe(new Set(Object.values(texts).join('')).size);
    },
  );

  it('keeps documents whole, equal ones in one split, and none in two', async () => {
    const lines = Array.from({ length: 400 }, (_, i) => `line ${i % 300} of the text`);
    const path = await put('lines.txt', `${lines.join('\n')}\n`);
    const source = await open({
      path,
      tokens: 'characters',
      documents: 'line',
      held_out: { validation: 0.2, test: 0.2 },
    });
    const found = SPLITS.map((split) => textOf(source, split).trimEnd().split('\n'));
    expect(found.flat().sort()).toEqual([...lines].sort());
    const [train, validation, test] = found.map((one) => new Set(one));
    for (const [a, b] of [
      [train, validation],
      [train, test],
      [validation, test],
    ])
      expect([...a].filter((line) => b.has(line))).toEqual([]);
    for (const one of [validation, test]) expect(one.size).toBeGreaterThan(30);
  });

  it('takes a paragraph of a text, a line of JSON, or the whole as a document', async () => {
    const paragraphs = book.trim().split('\n\n');
    const fields = { tokens: 'bytes', length: 100, held_out: { validation: 0.3, test: 0.3 } };
    const jsonl = await put('book.jsonl', paragraphs.map((text) => JSON.stringify({ id: 1, body: text })).join('\n'));
    const plain = await put('book.txt', book);
    const tokensOf = (source: DataSource) => SPLITS.map((split) => source.card.sizes[split]?.tokens ?? 0);
    const ofLines = tokensOf(await open({ ...fields, path: jsonl, field: 'body' }));
    const ofText = tokensOf(await open({ ...fields, path: plain, documents: 'paragraph' }));
    const total = (counts: readonly number[]) => counts.reduce((sum, count) => sum + count, 0);
    expect(total(ofLines)).toBe(paragraphs.join('').length);
    expect(total(ofText)).toBe(book.length);
    for (const count of [...ofLines, ...ofText]) expect(count).toBeGreaterThan(1000);
    expect([...tokensOf(await open({ ...fields, path: plain }))].sort((a, b) => b - a)).toEqual([book.length, 0, 0]);
    const whole = await put('start.txt', start);
    expect(
      textOf(await open({ ...fields, length: 1, path: whole, held_out: { validation: 0, test: 0 } }), 'train'),
    ).toBe(start);
  });

  it('holds out the end of one file as the field text8 does', async () => {
    const path = await put('text8.txt', book.slice(0, 10_000));
    const source = await open({ path, tokens: 'bytes', by: 'order' });
    expect(SPLITS.map((split) => textOf(source, split))).toEqual([
      book.slice(0, 9000),
      book.slice(9000, 9500),
      book.slice(9500, 10_000),
    ]);
  });

  it('puts the end-of-text token of a tokenizer before each document', async () => {
    const path = await put('a.jsonl', ['one text', 'another'].map((text) => JSON.stringify({ text })).join('\n'));
    const source = await open({ path, tokens: BPE, held_out: { validation: 0, test: 0 } });
    expect(textOf(source, 'train')).toBe('<|endoftext|>one text<|endoftext|>another');
  });

  it.each(['text', 'body'])(
    'reads the column %s of a parquet file, packed by Snappy or gzip, row group by row group',
    async (field) => {
      const held_out = { validation: 0, test: 0 };
      const source = await open({ path: join(TESTING, 'records.parquet'), field, tokens: 'characters', held_out });
      const documents = ['first document', 'second one', 'é 漢 third', 'fifth', 'sixth\nwith a line', 'seventh'];
      expect(textOf(source, 'train')).toBe(documents.join(''));
    },
  );

  it.each([
    ['records.parquet', 'words', 'records.parquet has no column "words", but id, text, body, n'],
    ['records.parquet', 'n', 'Row 0 of records.parquet has no text in the column "n"'],
    ['zstd.parquet', 'text', 'zstd.parquet cannot be read as parquet: parquet unsupported compression codec: ZSTD'],
  ])('says why the column of %s cannot be read: %s', async (name, field, message) => {
    await expect(open({ path: join(TESTING, name), field, tokens: 'bytes' })).rejects.toThrow(message);
  });

  it('takes a tokenizer that is compressed as the same one, and keeps it with the data', async () => {
    const packed = await put('packed/tokenizer.json.gz', gzipSync(readFileSync(BPE)));
    const path = await put('d/train.txt', start);
    const held_out = { validation: 0, test: 0 };
    const [plain, compressed] = [
      await open({ path, tokens: BPE, held_out }),
      await open({ path, tokens: packed, held_out }),
    ];
    expect(compressed.tokenizer).toEqual(plain.tokenizer);
    expect(textOf(compressed, 'train')).toBe(textOf(plain, 'train'));
  });

  it('reads every training row once before one comes again, in an order of the seed', async () => {
    const path = await put('b.txt', book.slice(0, 5000));
    const fields = {
      path,
      tokens: 'bytes',
      length: 50,
      by: 'order',
      order: 'shuffled',
      held_out: { validation: 0, test: 0.1 },
    };
    const [one, again, other] = await Promise.all([open(fields), open(fields), open({ ...fields, seed: 1 })]);
    const rows = one.card.sizes.train?.rows ?? 0;
    expect(rows).toBe(89);
    const read = (source: DataSource, from = 0) =>
      Array.from({ length: rows }, (_, k) => String(source.row('train', from + k).tokens));
    expect(new Set(read(one)).size).toBe(rows);
    expect(read(again)).toEqual(read(one));
    expect(read(other)).not.toEqual(read(one));
    expect(read(one, rows)).not.toEqual(read(one));
    expect([...read(one, rows)].sort()).toEqual([...read(one)].sort());
    expect(one.row('train', 3).tokens.length).toBe(51);
    // What is held out stands as it is.
    expect(String.fromCharCode(...one.row('test', 1).tokens)).toBe(book.slice(4550, 4601));
  });

  it('makes ids once, and anew when the text or the way to read it changes', async () => {
    const path = await put('c.txt', book.slice(0, 3000));
    const made = () => readdirSync(join(folder, 'cache')).filter((name) => name !== 'files').length;
    const first = await open({ path, tokens: 'bytes', by: 'order' });
    expect(first.card.sha256).toBe(createHash('sha256').update(book.slice(0, 3000)).digest('hex'));
    await open({ path, tokens: 'bytes', by: 'order', length: 20, seed: 4 });
    expect(made()).toBe(1);
    await open({ path, tokens: 'characters', by: 'order' });
    expect(made()).toBe(2);
    await put('c.txt', book.slice(1000, 4001));
    const second = await open({ path, tokens: 'bytes', by: 'order' });
    expect(made()).toBe(3);
    expect(textOf(second, 'train')).toBe(book.slice(1000, 3701));
    expect(readdirSync(join(folder, 'cache')).filter((name) => name.includes('partial'))).toEqual([]);
  });

  it('gives pieces of a document the tokens of the whole', async () => {
    const text = `${book.slice(0, 8000)}${'  \n'.repeat(40)}${'x'.repeat(300)} end`;
    const chunks = async function* () {
      for (let at = 0; at < text.length; at += 97) yield text.slice(at, at + 97);
    };
    const tokenizer = parseTokenizer(readFileSync(BPE, 'utf8'));
    const pieces: string[] = [];
    for await (const piece of cutAtBlanks(chunks(), 250)) {
      expect(piece.isFirst).toBe(pieces.length === 0);
      pieces.push(piece.text);
    }
    expect(pieces.length).toBeGreaterThan(20);
    expect(pieces.join('')).toBe(text);
    expect(pieces.flatMap((piece) => tokenizer.encode(piece).ids)).toEqual(tokenizer.encode(text).ids);
  });

  it.each([
    [
      { name: 'x.jsonl', text: '{"text": "a"}\n\n{"text": 5}\n' },
      {},
      'Line 3 of x.jsonl has no text in the field "text"',
    ],
    [{ name: 'x.jsonl', text: '{"text": "a"}\n{"text"\n' }, {}, 'Line 2 of x.jsonl is not JSON'],
    [
      { name: 'x.txt', text: Buffer.from([65, 10, 255, 66]) },
      { tokens: 'characters' },
      'x.txt is no UTF-8 text (near line 1)',
    ],
    [{ name: 'x.txt.gz', text: 'abc' }, {}, 'x.txt.gz cannot be read'],
    [{ name: 'x.csv', text: 'abc' }, { path: '' }, 'holds no file that ends in .txt, .jsonl (also .gz) or .parquet'],
    [{ name: 'x.txt', text: 'abc' }, { tokens: '/nowhere.json' }, '/nowhere.json'],
  ])('names file and line of what cannot be read: %j', async ({ name, text }, fields, message) => {
    const path = await put(`in/${name}`, text);
    const given = { path, tokens: 'bytes', ...fields };
    await expect(open({ ...given, path: given.path || join(folder, 'in') })).rejects.toThrow(message);
  });

  it('reads characters back and passes over those that the text did not have', async () => {
    const path = await put('x.txt', 'a b漢😀 b');
    const source = await open({ path, tokens: 'characters', held_out: { validation: 0, test: 0 } });
    const tokenizer = parseTokenizer(JSON.stringify(source.tokenizer));
    expect(source.vocabularySize).toBe(5);
    expect(tokenizer.encode('😀 a').ids.map((id) => tokenizer.tokenText(id))).toEqual(['😀', ' ', 'a']);
    expect(tokenizer.encode('azb').ids).toEqual(tokenizer.encode('ab').ids);
  });

  it('says which splits are too small', async () => {
    const source = await open({ path: await put('x.txt', 'abcdefgh'), tokens: 'bytes', length: 6, by: 'order' });
    expect(source.row('train', 0).tokens.length).toBe(7);
    expect(() => source.row('test', 0)).toThrow('The test split of x.txt has 0 tokens, too few for a row of 7');
  });

  it('wants all files or none to name their split', async () => {
    await put('d/train.txt', 'a');
    await put('d/other.txt', 'b');
    await expect(open({ path: join(folder, 'd'), tokens: 'bytes' })).rejects.toThrow('other.txt does not say whether');
  });
});

it.each([
  ['train.txt', 'train'],
  ['wiki.valid.raw.txt', 'validation'],
  ['dev-00001.jsonl', 'validation'],
  ['a/b/TEST.txt.gz', 'test'],
  ['training.txt', 'train'],
  ['contest.txt', undefined],
  ['train/book.txt', undefined],
])('%s is for %s', (path, split) => {
  expect(namedSplit(path)).toBe(split);
});
