import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadCheckpoint } from '@/lib/checkpoint';
import { openSource } from '@/lib/data/sources';
import { openDevice } from '@/lib/engine';
import { createModel, tokenLosses } from '@/lib/models';
import { Random } from '@/lib/random';
import { loadTokenizer } from '@/lib/tokenizer';
import { initialCheckpoint } from '@/lib/training';
import { type Asked, type LmLine, lmEvaluation, positionBounds, resamplingOf } from '.';
import { NGrams } from './ngrams';

const folder = mkdtempSync(join(tmpdir(), 'statescope-lm-'));
afterAll(() => rmSync(folder, { recursive: true }));

const file = join(folder, 'text.txt');
writeFileSync(file, 'Mary entered the kitchen. '.repeat(12));

let asked: Asked;
beforeAll(async () => {
  await openDevice({ device: 'auto' });
  const checkpoint = await loadCheckpoint('models/demo-mamba2');
  const tokenizer = await loadTokenizer(checkpoint.tokenizerPath as string);
  asked = { name: 'demo', vocabulary: checkpoint.config.vocabulary, tokenizer, model: createModel(checkpoint) };
});

const resampling = () => resamplingOf(1, 100);
const facts = { name: 'demo', device: 'cpu', weights: 'float32', parameters: 1, sha256: '', tokenizer: null } as const;
const seedsOf = (lines: LmLine[]) => [{ label: 'demo', seeds: [{ facts, lines }] }];

async function measured(settings: object) {
  const evaluation = await lmEvaluation({ text: [file], ...settings });
  const items = evaluation.items(asked);
  const lines = (await Promise.all(items.map((item) => evaluation.evaluateItem(asked, item)))).flat();
  return { evaluation, items, lines, results: evaluation.summarise(seedsOf(lines), resampling) };
}

describe('language modelling', () => {
  it('scores every token but the first once, however windows overlap', async () => {
    const { ids } = (asked.tokenizer as NonNullable<Asked['tokenizer']>).encode(readFileSync(file, 'utf8'));
    for (const settings of [{ context: 16 }, { context: 16, stride: 5, batch: 3 }, { context: 1000 }]) {
      const { lines, items, results } = await measured(settings);
      expect(lines.reduce((sum, line) => sum + line.tokens, 0)).toBe(ids.length - 1);
      expect(items.map((item) => item.lines)).toEqual(items.map((item) => item.windows.length));
      expect(results.models[0].tokens).toBe(ids.length - 1);
    }
  });

  it('is the mean of the losses of single tokens, in nats, bits a byte and perplexity', async () => {
    const text = readFileSync(file, 'utf8');
    const { ids } = (asked.tokenizer as NonNullable<Asked['tokenizer']>).encode(text);
    const losses = tokenLosses(asked.model, [ids]);
    const nats = losses.reduce((sum, loss) => sum + loss, 0);
    const { results } = await measured({ context: 1000 });
    const [{ loss, perplexity, bits_per_byte, bytes, characters }] = results.models;
    // All of the text after its first word; the last blank is of no token.
    expect([bytes, characters]).toEqual([text.length - 1 - 'Mary'.length, text.length - 1 - 'Mary'.length]);
    expect(loss?.mean).toBeCloseTo(nats / (ids.length - 1), 5);
    expect(perplexity?.mean).toBeCloseTo(Math.exp(nats / (ids.length - 1)), 4);
    expect(bits_per_byte?.mean).toBeCloseTo(nats / Math.LN2 / Number(bytes), 5);
  });

  it('reads every window with its whole context where windows overlap', async () => {
    const { ids } = (asked.tokenizer as NonNullable<Asked['tokenizer']>).encode(readFileSync(file, 'utf8'));
    const { lines } = await measured({ context: 16, stride: 4 });
    const { start, end, tokens, nats } = lines[3];
    expect([start, end, tokens]).toEqual([12, 29, 4]);
    const own = tokenLosses(asked.model, [ids.slice(12, 29)]).subarray(12);
    expect(nats).toBeCloseTo(
      own.reduce((sum, loss) => sum + loss, 0),
      4,
    );
  });

  it('tells the loss by how much was read, in bounds that leave no position out', async () => {
    const bounds = positionBounds(4096);
    expect(bounds[0]).toEqual({ from: 1, to: 1 });
    expect(bounds.at(-1)?.to).toBe(4096);
    for (const [k, { from }] of bounds.entries()) if (k > 0) expect(from).toBe(bounds[k - 1].to + 1);
    const { results, lines } = await measured({ context: 16 });
    const { by_position } = results.models[0];
    expect(by_position.map(({ to }) => to)).toEqual(positionBounds(16).map(({ to }) => to));
    const first = lines.map((line) => Number(line.losses[0]));
    expect(by_position[0].loss?.mean).toBeCloseTo(first.reduce((sum, loss) => sum + loss, 0) / first.length, 6);
  });

  it('reads rows of a source of data', async () => {
    const data = { source: 'retrieval', sentences: [3, 4] };
    const { evaluation, lines } = await measured({ text: undefined, data, rows: 6, split: 'validation' });
    expect(new Set(lines.map((line) => line.document)).size).toBe(6);
    expect(lines.every((line) => Number(line.bytes) > line.tokens)).toBe(true);
    expect(evaluation.settings).toMatchObject({ context: 1024, stride: 1024, rows: 6 });
    await expect(measured({ text: undefined, data })).rejects.toThrow('have no end: say how many with "rows".');
  });

  it('holds models against n-grams of training rows, foretold with what stands before in a row', async () => {
    const data = { source: 'retrieval' };
    const { results, evaluation } = await measured({
      ...{ text: undefined, data, rows: 6, context: 64 },
      ngrams: { orders: [1, 3], rows: 40 },
    });
    const source = await openSource(data);
    const take = (split: 'train' | 'test', count: number) =>
      Array.from({ length: count }, (_, index) => source.row(split, index).tokens);
    const trigrams = new NGrams(take('train', 40), 3, source.vocabularySize);
    const bits = take('test', 6).flatMap((row) =>
      [...row.keys()].slice(1).map((at) => -Math.log2(trigrams.probability(row, at))),
    );
    const [one, three] = results.ngrams ?? [];
    expect([one.order, three.order, three.rows]).toEqual([1, 3, 40]);
    expect(three.bits_per_token).toBeCloseTo(bits.reduce((sum, own) => sum + own, 0) / bits.length, 9);
    expect(one.bits_per_token).toBeGreaterThan(three.bits_per_token);
    expect(evaluation.settings).toMatchObject({ ngrams: { orders: [1, 3] } });
    await expect(measured({ ngrams: { rows: 4 } })).rejects.toThrow(/n-grams are counted in data/);
  });

  it('counts bytes of text one by one, where rows of a source cut characters', async () => {
    const path = join(folder, 'test.txt');
    writeFileSync(path, 'Größe, naïveté. '.repeat(20));
    const data = { source: 'text', path, tokens: 'bytes', length: 7, cache: join(folder, 'cache') };
    const { config } = await loadCheckpoint('models/demo-mamba2');
    const shape = { ...config, V: 256, vocabulary: 256 };
    const model = createModel(initialCheckpoint(shape, new Random(1), 'bytes'));
    const reader = { name: 'bytes', vocabulary: 256, model };
    const evaluation = await lmEvaluation({ data });
    const lines = (
      await Promise.all(evaluation.items(reader).map((item) => evaluation.evaluateItem(reader, item)))
    ).flat();
    expect(lines.length).toBeGreaterThan(20);
    for (const line of lines) expect(line.bytes).toBe(line.tokens);
    const source = await openSource(data);
    const starts = lines.map(({ document }) =>
      source
        .row('test', document)
        .tokens.subarray(1)
        .filter((byte) => byte >> 6 !== 2),
    );
    expect(lines.map(({ characters }) => characters)).toEqual(starts.map(({ length }) => length));
    const [{ bits_per_byte, bits_per_token }] = evaluation.summarise(seedsOf(lines), resampling).models;
    expect(bits_per_byte?.mean).toBeCloseTo(Number(bits_per_token?.mean), 10);
  });

  it('gives no bits a byte of text that the tokenizer does not know', async () => {
    const path = join(folder, 'unknown.txt');
    writeFileSync(path, 'Mary entered the cathedral. Mary entered the kitchen.');
    const [{ bits_per_byte, bits_per_character, perplexity }] = (await measured({ text: [path] })).results.models;
    expect([bits_per_byte, bits_per_character]).toEqual([null, null]);
    expect(perplexity?.mean).toBeGreaterThan(1);
  });

  it('pairs two models window by window, where they read the same', async () => {
    const { evaluation, lines } = await measured({ context: 16 });
    const worse = lines.map((line) => ({ ...line, nats: line.nats + 0.1 * line.tokens }));
    const both = (other: LmLine[]) =>
      evaluation.summarise([...seedsOf(lines), ...seedsOf(other)], resampling).difference;
    expect(both(worse)?.mean).toBeCloseTo(0.1, 10);
    expect(both(worse)?.low).toBeCloseTo(0.1, 10);
    expect(both(worse.slice(1))).toBeNull();
    expect(evaluation.summarise(seedsOf(lines), resampling).difference).toBeNull();
  });

  it('draws its curve and refuses what does not fit in one sentence', async () => {
    const { evaluation, results } = await measured({ context: 16 });
    const [{ name, svg }] = evaluation.figures(results);
    expect(name).toBe('loss-by-position');
    expect(svg).toContain('nats a token');
    await expect(lmEvaluation({ text: [file], stride: 2000 })).rejects.toThrow('the stride is longer than the window');
    await expect(lmEvaluation({})).rejects.toThrow('give text or data, one of both');
    await expect(lmEvaluation({ text: [join(folder, 'none')] })).rejects.toThrow('cannot be read (ENOENT)');
    const bare = { ...asked, tokenizer: undefined };
    expect(() => evaluation.items(bare)).toThrow('demo has no tokenizer.json');
  });
});
