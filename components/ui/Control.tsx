import type { ReactNode } from 'react';

/** A control of a figure with its caption; no part of the figure on paper. */
export const Control = (props: { caption?: string; title?: string; children: ReactNode }) => (
  <span className="control" title={props.title} data-export="omit">
    {props.caption && <span className="caption">{props.caption}</span>}
    {props.children}
  </span>
);
