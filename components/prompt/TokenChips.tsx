'use client';
import { type KeyboardEvent, type PointerEvent, useEffect, useRef, useState } from 'react';
import type { Token } from '@/lib/api/schemas';
import type { DrawnMap } from '../attention/drawnMaps';
import { cssColour } from '../charts/palette';
import { sameWord, spanOfTokens, tokensInSpan } from '../charts/tokens';
import { ownToken } from '../data/view';
import { clearHover, hover, useHover } from '../state/hover';
import { select, useSelection } from '../state/selection';
import { TokenText } from '../ui/parts';

export type ClickSets = 'position' | 'needle' | 'target';

interface ChipsProps {
  readonly tokens: readonly Token[];
  readonly clickSets: ClickSets;
  /** Maps of the selected layer, for the lanes; empty while there are none or the prompt has changed. */
  readonly maps: readonly (DrawnMap | undefined)[];
}

/** What the read-out position reads from token k of model A, as a colour. */
function laneColour(map: DrawnMap | undefined, k: number): string | undefined {
  if (!map) return undefined;
  const { model } = map.source;
  const source = ownToken(model, k);
  if (source === undefined || source > model.position) return undefined;
  return cssColour(map.table, map.scale.position(map.values[model.position * map.L + source]));
}

/** The prompt's tokens: click, drag or keys set read-out, needle and target. */
export function TokenChips({ tokens, clickSets, maps }: ChipsProps) {
  const position = useSelection((s) => (s.position < 0 ? tokens.length - 1 : Math.min(s.position, tokens.length - 1)));
  const needleSpan = useSelection((s) => s.needle);
  const target = useSelection((s) => s.target);
  const destination = useHover((s) => s.destination);
  const source = useHover((s) => s.source);
  const [cursor, setCursor] = useState(-1);
  const dragFrom = useRef<number | null>(null);
  const list = useRef<HTMLDivElement>(null);
  const needle = tokensInSpan(tokens, needleSpan ?? undefined);
  const focusable = cursor >= 0 && cursor < tokens.length ? cursor : position;

  useEffect(() => {
    const box = list.current;
    const chip = box?.children[position] as HTMLElement | undefined;
    if (!box || !chip) return;
    const top = chip.offsetTop - box.offsetTop;
    if (top < box.scrollTop || top + chip.offsetHeight > box.scrollTop + box.clientHeight)
      box.scrollTop = top - box.clientHeight / 2;
  }, [position]);

  const setNeedle = (from: number, to: number) => {
    const [start, end] = spanOfTokens(tokens, from, to);
    select({ needle: [start, end] });
  };
  const choose = (k: number) => {
    if (clickSets === 'position') select({ position: k === tokens.length - 1 ? -1 : k });
    else if (clickSets === 'target') select({ target: tokens[k].text });
    else setNeedle(k, k);
  };
  const onPointerDown = (event: PointerEvent<HTMLButtonElement>, k: number) => {
    if (clickSets !== 'needle') return;
    event.currentTarget.releasePointerCapture(event.pointerId);
    dragFrom.current = k;
  };
  const onPointerEnter = (event: PointerEvent, k: number) => {
    hover({ origin: 'chip', destination: k, source: k });
    if (dragFrom.current !== null && event.buttons > 0) setNeedle(dragFrom.current, k);
  };
  const focus = (k: number) => {
    setCursor(k);
    hover({ origin: 'chip', destination: k, source: k });
    (list.current?.children[k] as HTMLElement | undefined)?.focus();
  };
  const onKeyDown = (event: KeyboardEvent, k: number) => {
    const steps: Record<string, number> = { ArrowLeft: k - 1, ArrowRight: k + 1, Home: 0, End: tokens.length - 1 };
    if (event.key in steps) {
      const to = Math.min(tokens.length - 1, Math.max(0, steps[event.key]));
      event.preventDefault();
      if (event.shiftKey) {
        const fixed = needle && (k === needle[0] || k === needle[1]) ? (k === needle[0] ? needle[1] : needle[0]) : k;
        setNeedle(fixed, to);
      }
      focus(to);
    } else if (event.key === 'Enter' || event.key === ' ') {
      event.preventDefault();
      choose(k);
    }
  };

  return (
    <div
      ref={list}
      className="chips"
      role="listbox"
      aria-label="Prompt tokens"
      aria-orientation="horizontal"
      data-arrows
      onPointerLeave={() => {
        dragFrom.current = null;
        clearHover();
      }}
      onPointerUp={() => {
        dragFrom.current = null;
      }}
    >
      {tokens.map((token, k) => {
        const inNeedle = needle && k >= needle[0] && k <= needle[1];
        const classes = [
          'chip',
          k > 0 && token.start > tokens[k - 1].end && 'gap',
          inNeedle && 'needle',
          needle?.[0] === k && 'first',
          needle?.[1] === k && 'last',
          k === position && 'position',
          sameWord(token.text, target) && 'target',
          k === destination && 'destination',
          k === source && 'source',
        ];
        return (
          <button
            type="button"
            key={`${token.start}:${token.id}`}
            role="option"
            aria-selected={k === position}
            data-testid={`chip-${k}`}
            tabIndex={k === focusable ? 0 : -1}
            className={classes.filter(Boolean).join(' ')}
            onClick={() => choose(k)}
            onPointerDown={(event) => onPointerDown(event, k)}
            onPointerEnter={(event) => onPointerEnter(event, k)}
            onKeyDown={(event) => onKeyDown(event, k)}
            onFocus={() => setCursor(k)}
            onBlur={clearHover}
          >
            <span>
              <TokenText text={token.text} />
            </span>
            {maps.map((map) => {
              const colour = laneColour(map, k);
              return map && colour ? (
                <i key={map.source.model.slot} className={map.source.model.slot} style={{ background: colour }} />
              ) : null;
            })}
          </button>
        );
      })}
    </div>
  );
}
