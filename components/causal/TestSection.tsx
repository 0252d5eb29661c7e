'use client';
import type { ReactNode } from 'react';
import type { DataTable } from '../charts/table';
import { Section } from '../ui/Section';
import { TestSwitch } from './parts';

/** The frame of the test that is chosen: what all of them have in common. */
export function TestSection(props: {
  staleMark: string;
  /** Beside the choice of the test. */
  controls: ReactNode;
  /** The numbers, once there are any. */
  table: (() => DataTable) | undefined;
  aside: ReactNode;
  children: ReactNode;
}) {
  const { staleMark, controls, table, aside, children } = props;
  return (
    <Section
      id="causal"
      title={
        <>
          Causal tests <em>{staleMark}</em>
        </>
      }
      controls={
        <>
          <TestSwitch />
          {controls}
        </>
      }
      table={table}
      canMaximise
      aside={aside}
    >
      {children}
    </Section>
  );
}
