import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import type { Reference, ReferenceUsed } from '@/lib/analysis';
import type { Checkpoint } from '@/lib/checkpoint';
import { readExamples } from '@/lib/data/example-source';
import { readIdRows } from './input';

/** For commands that replace a part by what it has in other prompts. */
export const withReference = (command: Command): Command =>
  command.option(
    '--reference <file|demo:n|self>',
    'prompts that mean and resample are taken from, aligned at their last token: rows of token ids, or lines of examples; "self" is the prompt itself',
  );

/** The prompts of `--reference`; an example ends where it is read. @throws InputError */
export async function readReference(
  { reference, seed }: { readonly reference?: string; readonly seed: number },
  checkpoint: Checkpoint,
): Promise<Reference | undefined> {
  if (reference === undefined || reference === 'self') return reference;
  if (await holdsRows(reference)) return readIdRows(reference, 'reference file');
  const examples = await readExamples({ examples: reference, seed }, checkpoint);
  return examples.map(({ tokens, position }) => tokens.slice(0, position === undefined ? undefined : position + 1));
}

/** Whether a file is one JSON list; what cannot be read is left to who reads it for good. */
async function holdsRows(path: string): Promise<boolean> {
  const text = await readFile(path, 'utf8').catch(() => '');
  return text.trimStart().startsWith('[');
}

/** What a result was taken from, in words; nothing where it was taken from no prompt. */
export function referenceNote(used: ReferenceUsed | null): string {
  if (!used) return '';
  if (used.source === 'self') return 'reference: the prompt itself, over all its tokens\n';
  const short = used.left_out > 0 ? `, ${used.left_out} left out as too short` : '';
  return `reference: ${used.prompts} prompts, aligned at the read-out${short}\n`;
}
