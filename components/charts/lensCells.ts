/** The lens grid: what a row of cells says and how strongly it is coloured. Entries are emb, 0 … n − 1, out. */
export type LensColour = 'top' | 'target' | 'rank' | 'entropy' | 'kl';

/** The numbers of one cell. */
export interface LensCell {
  readonly topId: number;
  readonly topProb: number;
  readonly targetProb: number;
  readonly targetRank: number;
  readonly entropy: number;
  /** From the model's own output, KL(output ‖ lens) in nats. */
  readonly kl: number;
}

const clamp01 = (t: number) => Math.min(1, Math.max(0, t));

/** Decades that the target-probability colour spans. */
const TARGET_DECADES = 8;

/** The KL colour runs over these decades, in nats. */
const KL_FROM = 10;
const KL_DECADES = 4;

/** Position of a cell on the sequential ramp; strong always means "more certain". */
export function lensAmount(cell: LensCell, colour: LensColour, vocabulary: number): number {
  const size = Math.max(2, vocabulary);
  switch (colour) {
    case 'top':
      return clamp01(cell.topProb);
    case 'target':
      return cell.targetProb > 0 ? clamp01((Math.log10(cell.targetProb) + TARGET_DECADES) / TARGET_DECADES) : 0;
    case 'rank':
      return clamp01(1 - Math.log(Math.max(1, cell.targetRank)) / Math.log(size));
    case 'entropy':
      return clamp01(1 - cell.entropy / Math.log(size));
    case 'kl':
      return cell.kl > 0 ? clamp01(Math.log10(KL_FROM / cell.kl) / KL_DECADES) : 1;
  }
}

/** Ends and meaning of a colour's legend. */
export function lensLegend(colour: LensColour, vocabulary: number): { low: string; high: string; meaning: string } {
  switch (colour) {
    case 'top':
      return { low: '0', high: '1', meaning: 'probability of the top token' };
    case 'target':
      return { low: '10⁻⁸', high: '1', meaning: 'p(target), log' };
    case 'rank':
      return {
        low: vocabulary.toString().replace(/\B(?=(\d{3})+$)/g, '\u2009'),
        high: '1',
        meaning: 'rank of the target, log',
      };
    case 'entropy':
      return { low: Math.log(Math.max(2, vocabulary)).toPrecision(3), high: '0', meaning: 'entropy, nats' };
    case 'kl':
      return { low: '10', high: '10⁻³', meaning: 'KL to the output, nats, log' };
  }
}

export interface Run {
  /** First column and the column after the last. */
  readonly start: number;
  readonly end: number;
}

/**
 * Neighbouring columns with one top token as runs. The last column is the model's own output, not a lens, and is
 * always a run of its own. `done` columns are known; the rest forms no run.
 */
export function tokenRuns(topIds: ArrayLike<number>, done = topIds.length): Run[] {
  const runs: Run[] = [];
  const last = topIds.length - 1;
  for (let start = 0; start < done; ) {
    let end = start + 1;
    while (end < done && end !== last && topIds[end] === topIds[start]) end++;
    runs.push({ start, end });
    start = end;
  }
  return runs;
}

/** A run's label cut to the room it has: at least three characters and an ellipsis, otherwise none. */
export function runLabel(text: string, room: number, characterWidth: number): string {
  const characters = [...text];
  if (characters.length * characterWidth <= room) return text;
  const fit = Math.floor(room / characterWidth) - 1;
  return fit >= 3 ? `${characters.slice(0, fit).join('')}…` : '';
}

/** From this width a cell repeats its token and prints its number. */
export const WIDE_CELL = 84;

/**
 * What a wide cell says: its token and its number, the number set close or left out where the token would have to be cut
 * beside it. The colour shows the number, too.
 */
export function cellTexts(text: string, number: string, pitch: number, characterWidth: number): [string, string] {
  const close = number.replaceAll(' ', '');
  for (const set of [number, close])
    if (([...text].length + set.length) * characterWidth <= pitch - 16) return [text, set];
  return [runLabel(text, pitch - 10, characterWidth), ''];
}
