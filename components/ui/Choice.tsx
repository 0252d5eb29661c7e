import { Control } from './Control';
import { Select, type SelectProps } from './Select';

/** A choice among a few named values, with its caption. */
export const Choice = <T extends string>({ caption, ...choice }: SelectProps<T> & { caption: string }) => (
  <Control caption={caption}>
    <Select {...choice} />
  </Control>
);
