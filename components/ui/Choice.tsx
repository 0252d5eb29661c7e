import { Control } from './Control';

/** A choice among a few named values. */
export function Choice<T extends string>(props: {
  caption: string;
  label: string;
  value: T;
  options: readonly { readonly value: T; readonly label: string }[];
  onChange: (value: T) => void;
  testId?: string;
}) {
  const { caption, label, value, options, onChange, testId } = props;
  return (
    <Control caption={caption}>
      <span className="select">
        <select
          aria-label={label}
          data-testid={testId}
          value={value}
          onChange={(event) => onChange(event.target.value as T)}
        >
          {options.map((option) => (
            <option key={option.value} value={option.value}>
              {option.label}
            </option>
          ))}
        </select>
      </span>
    </Control>
  );
}
