import { type AnalysisRequestInput, AnalysisRequestSchema } from './causal';

const SEEDS = [0x9e3779b9, 0x85ebca6b] as const;

/** 64 bits that differ where texts do; not safe against somebody who looks for a collision. */
function digest(text: string): string {
  let [a, b]: number[] = [...SEEDS];
  for (let k = 0; k < text.length; k++) {
    const unit = text.charCodeAt(k);
    a = Math.imul(a ^ unit, 0x01000193);
    b = Math.imul((b << 13) | (b >>> 19), 5) ^ Math.imul(unit + k, 0xcc9e2d51);
  }
  const part = (value: number) => ((value ^ (value >>> 15)) >>> 0).toString(16).padStart(8, '0');
  return part(a) + part(b);
}

/**
 * The name of a question such as `patch.demo-mamba2.5f1c09ad8b21e6f4`: equal for requests that ask the same, with
 * their defaults filled in. Before the last dot stands what kind of question it is.
 */
export function questionOf(input: AnalysisRequestInput): string {
  const request = AnalysisRequestSchema.parse(input);
  const models = 'models' in request ? request.models.flat() : [request.model];
  const part = 'spans' in request && request.spans ? ['spans'] : [];
  return [request.kind, ...part, ...models, digest(JSON.stringify(request))].join('.');
}

/** What kind of question it is: all about the same models, over all tokens or over single spans. */
export const familyOf = (question: string): string => question.slice(0, question.lastIndexOf('.'));
