import { memo } from 'react';
import type { Token } from '@/lib/api/schemas';
import { TokenText } from '../ui/parts';

/** One token. Hover, lanes and paint are put on from outside: they cost no render. */
export const Chip = memo(function Chip(props: {
  token: Token;
  index: number;
  classes: string;
  /** What it is on paper, where the bracket over the needle has to be said. */
  onPaper: string;
  selected: boolean;
  focusable: boolean;
}) {
  const { token, index, classes, onPaper, selected, focusable } = props;
  return (
    <button
      type="button"
      role="option"
      aria-selected={selected}
      data-testid={`chip-${index}`}
      data-token={index}
      tabIndex={focusable ? 0 : -1}
      className={classes}
      data-export={onPaper}
    >
      <span>
        <TokenText text={token.text} />
      </span>
    </button>
  );
});
