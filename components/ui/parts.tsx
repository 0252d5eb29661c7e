import { type CSSProperties, memo, type ReactNode } from 'react';
import { displayToken } from '../charts/tokens';
import type { ModelSlot } from '../state/selection';

/** The swatch that names a model; identity never rests on its hue alone. */
export const Id = ({ slot, small }: { slot: ModelSlot; small?: boolean }) => (
  <span className={`id ${slot}${small ? ' small' : ''}`}>{slot}</span>
);

/** A token in the mono face, its leading space a quieter dot. */
export const TokenText = memo(({ text }: { text: string }) => {
  const shown = displayToken(text);
  return shown.startsWith('·') && shown.length > 1 ? (
    <>
      <span className="space">·</span>
      {shown.slice(1)}
    </>
  ) : (
    shown
  );
});

/**
 * A line of text that changes under the pointer, in a box with room for `letters` of its face: the page around it is
 * not laid out again. It is not clipped, because each clip is a picture of its own to the browser.
 */
export const Steady = memo(({ letters, children }: { letters: number; children: ReactNode }) => (
  <span className="steady" style={{ '--letters': letters } as CSSProperties}>
    {children}
  </span>
));

/** Head of a table with one column per model. */
export const SlotHead = memo(({ caption, slots }: { caption?: string; slots: readonly ModelSlot[] }) => (
  <thead>
    <tr>
      {caption ? <th scope="col">{caption}</th> : <td />}
      {slots.map((slot) => (
        <th key={slot} scope="col">
          <Id slot={slot} />
        </th>
      ))}
    </tr>
  </thead>
));

/** A list of one model: a row for each entry, headed by the model's swatch. */
export const SlotList = ({ slot, children }: { slot: ModelSlot; children: ReactNode }) => (
  <table className="values slot-list">
    <thead>
      <tr>
        <th scope="col">
          <Id slot={slot} />
        </th>
        <td />
      </tr>
    </thead>
    <tbody>{children}</tbody>
  </table>
);

/** A row of exact values: its name, then one value per model. */
export const ValueRow = (props: {
  name: ReactNode;
  values: readonly ReactNode[];
  kind?: 'sub' | 'strong' | 'rule';
  mono?: boolean;
}) => (
  <tr className={props.kind}>
    <th scope="row" className={props.mono ? 'mono' : undefined}>
      {props.name}
    </th>
    {props.values.map((value, column) => (
      // biome-ignore lint/suspicious/noArrayIndexKey: columns are the models, in their fixed order.
      <td key={column}>{value}</td>
    ))}
  </tr>
);
