'use client';
import { useId } from 'react';

export interface Option<T extends string> {
  readonly value: T;
  readonly label: string;
  readonly testId?: string;
}

/** A radio group drawn as one row of segments. */
export function Segmented<T extends string>(props: {
  label: string;
  options: readonly Option<T>[];
  /** Undefined where none of them holds. */
  value: T | undefined;
  onChange: (value: T) => void;
  disabled?: boolean;
}) {
  const name = useId();
  return (
    <div className="segmented" role="radiogroup" aria-label={props.label} data-export="omit">
      {props.options.map(({ value, label, testId }) => (
        <label key={value}>
          <input
            type="radio"
            data-testid={testId}
            aria-checked={props.value === value}
            name={name}
            value={value}
            checked={props.value === value}
            disabled={props.disabled}
            onChange={() => props.onChange(value)}
          />
          {label}
        </label>
      ))}
    </div>
  );
}
