import type { ReactNode } from 'react';

/** A checkbox with its label. */
export const Check = (props: {
  label: ReactNode;
  testId: string;
  title?: string;
  checked: boolean;
  disabled?: boolean;
  onChange: (checked: boolean) => void;
}) => (
  <label className="checkbox" title={props.title}>
    <input
      type="checkbox"
      data-testid={props.testId}
      checked={props.checked}
      disabled={props.disabled}
      onChange={({ target }) => props.onChange(target.checked)}
    />
    {props.label}
  </label>
);
