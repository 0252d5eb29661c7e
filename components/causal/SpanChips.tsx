'use client';
import { type KeyboardEvent, memo, type SyntheticEvent, useMemo, useRef, useState } from 'react';
import type { Token } from '@/lib/api/schemas';
import { clearHover, hover } from '../state/hover';
import { TokenText } from '../ui/parts';
import { extended } from './grid';
import { setCausal, useCausal } from './settings';

function tokenOf(event: SyntheticEvent): number | undefined {
  const chip = event.target instanceof Element ? event.target.closest<HTMLElement>('[data-source]') : null;
  return chip ? Number(chip.dataset.source) : undefined;
}

/** The sources that can be cut, in a few lines of text: a drag, or Shift and the arrows, chooses a span of them. */
export const SpanChips = memo(function SpanChips({ tokens }: { tokens: readonly Token[] }) {
  const span = useCausal((s) => s.span);
  const [cursor, setCursor] = useState(0);
  const from = useRef<number | null>(null);
  const list = useRef<HTMLDivElement>(null);
  const focusable = Math.min(cursor, tokens.length - 1);
  const toggle = (k: number) => setCausal({ span: span?.[0] === k && span[1] === k ? null : [k, k] });
  const onKeyDown = (event: KeyboardEvent) => {
    const k = tokenOf(event);
    if (k === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    const steps: Record<string, number> = { ArrowLeft: k - 1, ArrowRight: k + 1, Home: 0, End: tokens.length - 1 };
    if (event.key === 'Enter' || event.key === ' ') {
      event.preventDefault();
      toggle(k);
    } else if (event.key in steps) {
      event.preventDefault();
      const to = Math.min(tokens.length - 1, Math.max(0, steps[event.key]));
      if (event.shiftKey) setCausal({ span: extended(span, k, to) });
      setCursor(to);
      hover({ origin: 'causal', destination: to });
      list.current?.querySelector<HTMLElement>(`[data-source="${to}"]`)?.focus();
    }
  };
  const chips = useMemo(
    () =>
      tokens.map(({ start, id, text }, k) => {
        const inside = span !== null && k >= span[0] && k <= span[1];
        const gap = k > 0 && start > tokens[k - 1].end;
        return (
          <button
            key={`${start}:${id}`}
            type="button"
            role="option"
            aria-selected={inside}
            data-source={k}
            data-testid={`source-${k}`}
            tabIndex={k === focusable ? 0 : -1}
            data-export="keep"
            className={`chip${gap ? ' gap' : ''}${inside ? ' knocked' : ''}`}
          >
            <span>
              <TokenText text={text} />
            </span>
          </button>
        );
      }),
    [tokens, span, focusable],
  );
  return (
    <div
      ref={list}
      className="chips sources"
      role="listbox"
      tabIndex={-1}
      aria-label="Sources that can be knocked out"
      aria-orientation="horizontal"
      aria-multiselectable
      data-arrows
      data-testid="sources"
      onKeyDown={onKeyDown}
      onPointerDown={(event) => {
        const k = tokenOf(event);
        if (k === undefined) return;
        event.currentTarget.releasePointerCapture(event.pointerId);
        from.current = k;
      }}
      onPointerOver={(event) => {
        const k = tokenOf(event);
        if (k === undefined) return;
        hover({ origin: 'causal', destination: k });
        const held = from.current;
        if (held !== null && event.buttons > 0) setCausal({ span: [Math.min(held, k), Math.max(held, k)] });
      }}
      onPointerUp={(event) => {
        const k = tokenOf(event);
        if (k !== undefined && k === from.current) toggle(k);
        from.current = null;
      }}
      onPointerLeave={() => {
        from.current = null;
        clearHover();
      }}
      onFocus={(event) => setCursor(tokenOf(event) ?? 0)}
      onBlur={clearHover}
    >
      {chips}
    </div>
  );
});
