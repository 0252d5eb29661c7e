import { type Command, Option } from 'commander';
import { type MarkedRun, markedRuns } from '@/lib/data/marked';
import { type DataSource, type Row, SPLITS, type Split } from '@/lib/data/source';
import { openSource } from '@/lib/data/sources';
import { parseTokenizer, type Tokenizer } from '@/lib/tokenizer';
import { readJson } from '../input';
import type { Io } from '../io';
import { withJson } from '../options';
import { printJson } from '../output';
import { wholeNumber } from '../parse';

interface DataOptions {
  readonly config: string;
  readonly split: Split;
  readonly rows: number;
  readonly from: number;
  readonly json?: boolean;
}

/** Shows what a configuration trains on: the card of each source and some of its rows, decoded, with classes and answers marked. */
export function dataCommand(program: Command, io: Io): void {
  withJson(program.command('data').description('show the data of a configuration: cards and decoded rows'))
    .requiredOption('--config <file>', 'a source as JSON, or a training configuration')
    .addOption(new Option('--split <name>', 'which rows').choices([...SPLITS]).default('train'))
    .option('--rows <n>', 'how many rows of each source', wholeNumber('--rows', 0), 2)
    .option('--from <n>', 'the first row', wholeNumber('--from', 0), 0)
    .action(async ({ config, split, rows, from, json }: DataOptions) => {
      const shown: object[] = [];
      for (const part of partsOf(await readJson(config, 'configuration'))) {
        const source = await openSource(part);
        const tokenizer = source.tokenizer && parseTokenizer(JSON.stringify(source.tokenizer));
        const read = Array.from({ length: rows }, (_, k) => ({ index: from + k, row: source.row(split, from + k) }));
        if (!json) io.out(cardText(source));
        if (!json) for (const { index, row } of read) io.out(`\n${split} ${index}\n${rowText(row, tokenizer)}\n`);
        shown.push({
          card: source.card,
          vocabulary_size: source.vocabularySize,
          rows: read.map(({ index, row }) => ({ split, index, ...rowJson(row, tokenizer) })),
        });
        if (!json) io.out('\n');
      }
      if (json) printJson(io, shown);
    });
}

/** The sources of a configuration: itself, or those of its field `data`, without what only training reads. */
function partsOf(config: unknown): unknown[] {
  const { data } = (config ?? {}) as { readonly data?: unknown };
  if (data === undefined) return [config];
  return [data].flat().map((part) => {
    if (typeof part !== 'object' || part === null) return part;
    const { weight: _weight, loss: _loss, ...source } = part as Record<string, unknown>;
    return source;
  });
}

function cardText({ card, vocabularySize }: DataSource): string {
  const sizes = SPLITS.map((split) => {
    const size = card.sizes[split];
    return `${split} ${size ? `${size.rows} rows, ${size.tokens} tokens` : 'without end'}`;
  });
  const lines = [
    ['source', card.source],
    ['licence', card.licence],
    ['sizes', sizes.join('; ')],
    ['vocabulary', `${vocabularySize} tokens`],
    ['sha256', card.sha256 ?? 'none: the rows are generated'],
  ];
  return `${card.name}\n${lines.map(([name, value]) => `  ${name.padEnd(10)}  ${value}\n`).join('')}`;
}

/** Ids where the source has no vocabulary of words. */
const textOf = (tokens: Int32Array, tokenizer: Tokenizer | undefined) =>
  tokenizer ? tokenizer.decode(tokens) : tokens.join(' ');

/** What the tokens of each run add to the text before them: a decoder may join words otherwise than it writes them alone. */
function textsOf(tokens: Int32Array, runs: readonly MarkedRun[], tokenizer: Tokenizer | undefined): string[] {
  if (!tokenizer) return runs.map(({ start, end }) => textOf(tokens.subarray(start, end), undefined));
  let before = '';
  return runs.map(({ end }) => {
    const text = tokenizer.decode(tokens.subarray(0, end));
    const added = text.slice(before.length);
    before = text;
    return added;
  });
}

/** A row with what is not filler in brackets: `⟨needle Mary went to the garden.⟩`. */
function rowText(row: Row, tokenizer: Tokenizer | undefined): string {
  const { tokens, targets, answers } = row;
  // What is said is not in the row, so it stands behind the token at which it is said.
  if (targets)
    return Array.from(tokens, (token, t) => {
      const [shown, said] = [Int32Array.of(token), Int32Array.of(targets[t])].map((one) => textOf(one, tokenizer));
      return targets[t] < 0 ? shown : `${shown}⟨says ${said}⟩`;
    }).join(' ');
  const labelAt = (start: number) => answers.find((answer) => answer.start === start)?.label;
  const runs = markedRuns(row);
  const texts = textsOf(tokens, runs, tokenizer);
  const marked = runs.map(({ mark, start }, k) => {
    if (mark === 'filler' || mark === 'first') return texts[k];
    const label = mark === 'answer' ? labelAt(start) : undefined;
    const [, before, inside, after] = /^(\s*)(.*?)(\s*)$/s.exec(texts[k]) ?? [];
    return `${before}⟨${mark}${label ? ` ${label}` : ''}: ${inside}⟩${after}`;
  });
  return marked.join(tokenizer ? '' : ' ');
}

function rowJson(row: Row, tokenizer: Tokenizer | undefined) {
  const { tokens, targets, answers } = row;
  const runs = markedRuns(row);
  const texts = textsOf(tokens, runs, tokenizer);
  return {
    tokens: [...tokens],
    ...(targets && { targets: [...targets] }),
    answers,
    runs: runs.map((run, k) => ({ ...run, ...(tokenizer && { text: texts[k] }) })),
  };
}
