import { LEAST_GAPS, PATCH_METRICS, type PatchMetric } from '@/lib/vocabulary';
import { type PatchPlan, type PatchRequest, rolesOf } from './patchPlan';

/** Why effects may not mean what they seem to. */
export interface PatchWarning {
  readonly kind: 'small_gap' | 'no_foil' | 'other_tokens';
  readonly text: string;
  /** Of a small gap: the measure whose effects are divided by it. */
  readonly metric?: PatchMetric;
  /** Of other tokens: where they are, in the prompt that receives. */
  readonly positions?: readonly number[];
}

type Asked = Pick<PatchRequest, 'clean' | 'corrupted' | 'direction' | 'target' | 'foil'>;

/** Warnings of a patching, known once the two prompts have been run. */
export function patchWarnings(
  request: Asked,
  plan: PatchPlan,
  metrics: Readonly<Partial<Record<PatchMetric, { readonly clean: number; readonly corrupted: number }>>>,
): PatchWarning[] {
  const gaps = PATCH_METRICS.flatMap((metric): PatchWarning[] => {
    const of = metrics[metric];
    if (!of || Math.abs(of.clean - of.corrupted) >= LEAST_GAPS[metric]) return [];
    const gap = Number(Math.abs(of.clean - of.corrupted).toPrecision(2));
    const text = `Clean and corrupted differ by ${gap} in ${metric}, less than ${LEAST_GAPS[metric]}: effects are divided by that and say little.`;
    return [{ kind: 'small_gap', metric, text }];
  });
  const foil: PatchWarning[] =
    request.foil === undefined
      ? [
          {
            kind: 'no_foil',
            text: 'There is no foil: the logit of the target alone moves with all logits; name the answer of the corrupted prompt as the foil.',
          },
        ]
      : [];
  return [...foil, ...otherTokens(request, plan), ...gaps];
}

/** A run of neighbouring tokens that differ, and what it is exchanged for. */
interface Exchange {
  readonly positions: readonly number[];
  readonly own: readonly number[];
  readonly other: readonly number[];
}

/**
 * Tokens beside the swapped ones that differ. One word exchanged for another is one swap, wherever and however often, and so is
 * the exchange back; it is the one that has target and foil, if any.
 */
function otherTokens(request: Asked, { counterpart }: PatchPlan): PatchWarning[] {
  const { source, receiver } = rolesOf(request);
  const exchanges = exchangesOf(receiver.tokens, source.tokens, counterpart);
  const names = new Map(exchanges.map((each) => [nameOf(each), each]));
  const unmatched = [...counterpart].flatMap((place, p) => (place < 0 ? [p] : []));
  if (names.size <= 1 && unmatched.length === 0) return [];
  const { target, foil } = request;
  const swap = [...names].find(
    ([, { own, other }]) =>
      foil !== undefined &&
      ((own.includes(target) && other.includes(foil)) || (own.includes(foil) && other.includes(target))),
  )?.[0];
  const isSwap = (each: Exchange) => (swap === undefined ? names.size === 1 : nameOf(each) === swap);
  const swapped = exchanges.filter(isSwap).flatMap(({ positions }) => positions);
  const others = exchanges.filter((each) => !isSwap(each)).flatMap(({ positions }) => positions);
  const positions = [...others, ...unmatched].sort((a, b) => a - b);
  const beside = swapped.length > 0 ? ` beside the swapped ${listed(swapped)}` : ' in several ways';
  const text = `The prompts differ${beside} in ${listed(positions)} of the ${receiver.name} prompt: effects mix these changes.`;
  return [{ kind: 'other_tokens', text, positions }];
}

function exchangesOf(own: readonly number[], other: readonly number[], counterpart: Int32Array): Exchange[] {
  const found: { positions: number[]; own: number[]; other: number[] }[] = [];
  counterpart.forEach((place, p) => {
    if (place < 0 || own[p] === other[place]) return;
    const last = found.at(-1);
    const follows = last && last.positions.at(-1) === p - 1 && counterpart[p - 1] === place - 1;
    const exchange = follows ? last : { positions: [], own: [], other: [] };
    if (!follows) found.push(exchange);
    exchange.positions.push(p);
    exchange.own.push(own[p]);
    exchange.other.push(other[place]);
  });
  return found;
}

/** The same for an exchange and for the one back. */
const nameOf = ({ own, other }: Exchange): string => [own.join(), other.join()].sort().join(' ');

const listed = (positions: readonly number[]): string =>
  `token${positions.length > 1 ? 's' : ''} ${positions.join(', ')}`;
