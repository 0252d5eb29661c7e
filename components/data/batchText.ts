import { type SnrExampleInput, SnrExampleSchema } from '@/lib/api/analyses';

export type BatchText = { readonly examples: SnrExampleInput[] } | { readonly problem: string };

/** Most examples that the server takes. */
export const MOST = 1000;

function readJson(line: string): SnrExampleInput | string {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return 'is not JSON';
  }
  const parsed = SnrExampleSchema.safeParse(value);
  if (!parsed.success) {
    const [{ path, message }] = parsed.error.issues;
    return `is not an example: ${[path.join('.'), message].filter(Boolean).join(': ')}`;
  }
  const { prompt, tokens, context, target, answer } = parsed.data;
  if (prompt === undefined && tokens === undefined && context === undefined) return 'has no prompt';
  if ((target ?? answer) === undefined) return 'has no target';
  return parsed.data;
}

/** prompt TAB answer, and where there is a third column, the words of the needle as they stand in the prompt. */
function readColumns(line: string): SnrExampleInput | string {
  const [prompt, target, words] = line.split('\t').map((cell) => cell.trim());
  if (!prompt || !target) return 'needs a prompt, a tab and its answer (or is a JSON object)';
  if (!words) return { prompt, target };
  const at = prompt.indexOf(words);
  return at < 0
    ? `has a needle that its prompt lacks: "${words}"`
    : { prompt, target, needle: [at, at + words.length] };
}

/** Reads pasted or uploaded lines: JSON objects as in docs/analyses.md, or columns from a spreadsheet. */
export function readBatch(text: string): BatchText {
  const examples: SnrExampleInput[] = [];
  for (const [k, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '') continue;
    const read = line.trimStart().startsWith('{') ? readJson(line) : readColumns(line);
    if (typeof read === 'string') return { problem: `Line ${k + 1} ${read}.` };
    examples.push(read);
  }
  if (examples.length === 0) return { problem: 'Paste at least one line.' };
  if (examples.length > MOST) return { problem: `There are ${examples.length} lines; a batch takes up to ${MOST}.` };
  return { examples };
}

/** Examples as lines that {@link readBatch} reads back. */
export const linesOf = (examples: readonly SnrExampleInput[]): string =>
  examples.map((example) => JSON.stringify(example)).join('\n');

/** Whether a text says the same examples, in whatever notation. */
export function saysExamples(text: string, examples: readonly SnrExampleInput[]): boolean {
  const read = readBatch(text);
  return 'examples' in read && linesOf(read.examples) === linesOf(examples);
}
