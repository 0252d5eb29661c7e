'use client';
import { memo } from 'react';
import type { TokenClass } from '@/lib/vocabulary';
import { countsOf, STACKED } from '../charts/allocation';
import { clearHover, hover, useHover } from '../state/hover';

/** The classes with their colours and how many tokens each has; one under the pointer is shown on the whole page. */
export const ClassLegend = memo(function ClassLegend(props: {
  classes: readonly TokenClass[];
  /** Begins the test ids. */
  testId: string;
}) {
  const { classes, testId } = props;
  const counts = countsOf(classes);
  // Over a map the token itself is marked, twenty times a second: nothing outside of the overlays changes there.
  const hovered = useHover(
    ({ tokenClass, source, origin }) =>
      tokenClass ?? (source === undefined || origin === 'map' ? undefined : classes[source]),
  );
  return (
    <ul className="class-legend" data-export="key" aria-label="Classes of tokens" onPointerLeave={clearHover}>
      {STACKED.map((name) => (
        <li
          key={name}
          className={hovered === name ? 'strong' : undefined}
          data-testid={`${testId}-${name}`}
          onPointerEnter={() => hover({ origin: 'allocation', tokenClass: name })}
        >
          <i className={`class-${name}`} />
          {name} <b>{counts[name] > 0 ? counts[name] : '–'}</b>
        </li>
      ))}
    </ul>
  );
});
