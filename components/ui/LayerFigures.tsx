'use client';
import type { CSSProperties, ReactNode } from 'react';
import type { View } from '../data/view';

/** Figures over one layer axis as one stop of the Tab key: a slider over the layers, which the page's arrow keys move. */
export function LayerFigures(props: {
  view: View;
  label: string;
  /** What the figures say of the selected layer. */
  text: string;
  testId: string;
  style?: CSSProperties;
  children: ReactNode;
}) {
  const { view, label, text, testId, style, children } = props;
  return (
    <div
      role="slider"
      tabIndex={0}
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={view.layers - 1}
      aria-valuenow={view.layer}
      aria-valuetext={`layer ${view.layer}, ${text}`}
      data-testid={testId}
      style={style}
    >
      {children}
    </div>
  );
}
