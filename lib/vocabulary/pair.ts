/** What a clean prompt is held against: the same prompt with another answer. */
export interface Pair {
  readonly corrupted: string;
  /** The answer that the corrupted prompt asks for; empty where none is known. */
  readonly foil: string;
}

export interface PairQuestion {
  readonly prompt: string;
  readonly target: string;
  readonly candidates?: readonly string[];
  /** Characters [start, end) that hold the answer. */
  readonly needle?: readonly [number, number] | null;
}

const letters = /[\p{L}\p{N}_]/u;

/** Places of a word in a text, whole words only. */
function placesOf(text: string, word: string): number[] {
  const places: number[] = [];
  for (let at = text.indexOf(word); word !== '' && at >= 0; at = text.indexOf(word, at + 1)) {
    const [before, after] = [text[at - 1] ?? ' ', text[at + word.length] ?? ' '];
    if (!letters.test(before) && !letters.test(after)) places.push(at);
  }
  return places;
}

/** The other answer: a candidate that the prompt does not name, else any. */
function foilOf({ prompt, target, candidates = [] }: PairQuestion): string {
  const others = candidates.map((word) => word.trim()).filter((word) => word !== '' && word !== target.trim());
  return others.find((word) => placesOf(prompt, word).length === 0) ?? others[0] ?? '';
}

/**
 * The prompt with the target exchanged for another answer inside the needle, or where there is no needle at its last
 * place. Without another answer, or where the prompt does not name the target, the prompt as it is.
 */
export function defaultPair(asked: PairQuestion): Pair {
  const { prompt, needle } = asked;
  const target = asked.target.trim();
  const foil = foilOf(asked);
  const places = placesOf(prompt, target);
  const inside = places.filter((at) => needle && at >= needle[0] && at + target.length <= needle[1]);
  const chosen = inside.length > 0 ? inside : needle ? [] : places.slice(-1);
  if (foil === '' || chosen.length === 0) return { corrupted: prompt, foil };
  const corrupted = chosen.reduceRight((text, at) => text.slice(0, at) + foil + text.slice(at + target.length), prompt);
  return { corrupted, foil };
}
