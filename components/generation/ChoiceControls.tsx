'use client';
import { useState } from 'react';
import { Segmented } from '../ui/Segmented';
import { setChoice, useGeneration } from './state';

const HOW = [
  { value: 'best', label: 'best token', testId: 'generate-best' },
  { value: 'draw', label: 'draw', testId: 'generate-draw' },
] as const;
const USUAL_TEMPERATURE = 1;

interface Limits {
  readonly low: number;
  readonly high: number;
  readonly whole?: boolean;
}

/** A number that takes effect once it is in its range; an empty field is null where that is allowed. */
function NumberField<T extends number | null>(props: {
  caption: string;
  label: string;
  value: T;
  limits: Limits;
  optional?: boolean;
  onChange(value: T): void;
}) {
  const { caption, label, value, limits, optional, onChange } = props;
  const [draft, setDraft] = useState<string | null>(null);
  const change = (text: string) => {
    setDraft(text);
    const number = Number(text);
    if (text.trim() === '') {
      if (optional) onChange(null as T);
    } else if (number >= limits.low && number <= limits.high && (!limits.whole || Number.isInteger(number)))
      onChange(number as T);
  };
  return (
    <label className="control">
      <span className="caption">{caption}</span>
      <input
        className="field number"
        type="number"
        aria-label={label}
        data-testid={`generate-${caption.replaceAll(' ', '-')}`}
        min={limits.low}
        max={limits.high}
        step={limits.whole ? 1 : 'any'}
        placeholder={optional ? 'off' : undefined}
        value={draft ?? value ?? ''}
        onChange={(event) => change(event.target.value)}
        onBlur={() => setDraft(null)}
      />
    </label>
  );
}

/** How many tokens, and how each is chosen. */
export function ChoiceControls() {
  const { maxNewTokens, temperature, topK, topP, seed } = useGeneration((s) => s.choice);
  return (
    <>
      <NumberField
        caption="tokens"
        label="Tokens to generate"
        value={maxNewTokens}
        limits={{ low: 1, high: 1024, whole: true }}
        onChange={(value) => setChoice({ maxNewTokens: value })}
      />
      <Segmented
        label="How tokens are chosen"
        options={HOW}
        value={temperature === null ? 'best' : 'draw'}
        onChange={(value) => setChoice({ temperature: value === 'best' ? null : USUAL_TEMPERATURE })}
      />
      {temperature !== null && (
        <>
          <NumberField
            caption="temperature"
            label="Temperature"
            value={temperature}
            limits={{ low: 0.01, high: 100 }}
            onChange={(value) => setChoice({ temperature: value })}
          />
          <NumberField
            caption="top k"
            label="Draw among the k most likely tokens"
            value={topK}
            limits={{ low: 1, high: 1_000_000, whole: true }}
            optional
            onChange={(value) => setChoice({ topK: value })}
          />
          <NumberField
            caption="top p"
            label="Draw among the tokens that together reach this probability"
            value={topP}
            limits={{ low: 0.001, high: 1 }}
            optional
            onChange={(value) => setChoice({ topP: value })}
          />
          <NumberField
            caption="seed"
            label="Seed"
            value={seed}
            limits={{ low: 0, high: 2 ** 31, whole: true }}
            onChange={(value) => setChoice({ seed: value })}
          />
        </>
      )}
    </>
  );
}
