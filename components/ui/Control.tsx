import type { ReactNode } from 'react';

/**
 * A control of a figure with its caption; no part of the figure on paper, where it is said what it is set to unless it is a
 * mere `tool`.
 */
export const Control = (props: { caption?: string; title?: string; tool?: boolean; children: ReactNode }) => (
  <span className="control" title={props.title} data-export={props.tool ? 'omit tool' : 'omit'}>
    {props.caption && <span className="caption">{props.caption}</span>}
    {props.children}
  </span>
);
