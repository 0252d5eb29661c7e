'use client';
import type { ReactNode } from 'react';
import type { LayerAxis } from '../charts/layerAxis';
import type { DataTable } from '../charts/table';
import type { View } from '../data/view';
import { Section } from '../ui/Section';
import { TestSwitch } from './parts';

/** What every test is given. */
export interface TestProps {
  readonly view: View;
  readonly axis: LayerAxis | undefined;
  readonly staleMark: string;
  /** Takes the element whose width the axis has. */
  readonly measure: (element: HTMLElement | null) => void;
}

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
