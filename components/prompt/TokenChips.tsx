'use client';
import { type KeyboardEvent, memo, type SyntheticEvent, useEffect, useMemo, useRef, useState } from 'react';
import type { Token } from '@/lib/api/schemas';
import { tokenClasses } from '@/lib/vocabulary';
import { sameWord, spanOfTokens, tokensInSpan } from '../charts/tokens';
import { clearHover, hover, useHover } from '../state/hover';
import { type ModelSlot, type Spans, select, useSelection } from '../state/selection';
import { Chip } from './Chip';
import { Lanes } from './Lanes';
import { MARK_HEIGHT, PaintedText, useHoverMarks } from './paint';
import { marked, repainted } from './spans';

export type ClickSets = 'position' | 'needle' | 'competing' | 'question' | 'target';

const isPainted = (sets: ClickSets): sets is 'competing' | 'question' => sets === 'competing' || sets === 'question';

/** What a drag over tokens does: where it began, and of a painted class what there was, and whether it puts or takes. */
interface Drag {
  readonly from: number;
  readonly spans: Spans;
  readonly put: boolean;
}

interface ChipsProps {
  readonly tokens: readonly Token[];
  readonly clickSets: ClickSets;
  /** Models with a lane; none while the prompt is not that of the maps. */
  readonly lanes: readonly ModelSlot[];
  /** The model whose row is painted onto the text itself. */
  readonly painted?: ModelSlot;
}

/** The token that an event of the list belongs to. */
function tokenOf(event: SyntheticEvent): number | undefined {
  const chip = event.target instanceof Element ? event.target.closest<HTMLElement>('[data-token]') : null;
  return chip ? Number(chip.dataset.token) : undefined;
}

/** The prompt's tokens: click, drag or keys set read-out, needle, target and classes. */
export const TokenChips = memo(function TokenChips({ tokens, clickSets, lanes, painted }: ChipsProps) {
  const position = useSelection((s) => (s.position < 0 ? tokens.length - 1 : Math.min(s.position, tokens.length - 1)));
  const needleSpan = useSelection((s) => s.needle);
  const competing = useSelection((s) => s.competing);
  const question = useSelection((s) => s.question);
  const target = useSelection((s) => s.target);
  const [cursor, setCursor] = useState(-1);
  const drag = useRef<Drag | null>(null);
  const box = useRef<HTMLDivElement>(null);
  const list = useRef<HTMLDivElement>(null);
  const needle = useMemo(() => tokensInSpan(tokens, needleSpan ?? undefined), [tokens, needleSpan]);
  const classes = useMemo(() => {
    const tokensOf = (spans: Spans) =>
      spans.flatMap((span) => {
        const own = tokensInSpan(tokens, span);
        return own ? [[own[0], own[1] + 1] as const] : [];
      });
    const spans = { competing: tokensOf(competing), question: tokensOf(question) };
    return tokenClasses(position + 1, { needle: needle && [needle[0], needle[1] + 1], ...spans });
  }, [tokens, needle, competing, question, position]);
  const focusable = cursor >= 0 && cursor < tokens.length ? cursor : position;
  const destinationMark = useRef<SVGRectElement>(null);
  const sourceMark = useRef<SVGRectElement>(null);
  useHoverMarks(box, list, destinationMark, sourceMark);
  // The tokens of a class that is under the pointer elsewhere, without a render.
  useEffect(
    () =>
      useHover.subscribe(({ tokenClass = '' }) => {
        if (list.current && list.current.dataset.tokenClass !== tokenClass)
          list.current.dataset.tokenClass = tokenClass;
      }),
    [],
  );

  useEffect(() => {
    const view = box.current;
    const inside = list.current;
    if (!view || !inside) return;
    const reveal = () => {
      const chip = inside.children[position] as HTMLElement | undefined;
      if (!chip) return;
      const top = chip.offsetTop;
      if (top < view.scrollTop || top + chip.offsetHeight > view.scrollTop + view.clientHeight)
        view.scrollTop = top - (view.clientHeight - chip.offsetHeight) / 2;
    };
    reveal();
    // Other tokens, lanes, a narrower screen or the page's own font move the read-out to another line.
    const observer = new ResizeObserver(reveal);
    observer.observe(inside);
    return () => observer.disconnect();
  }, [position]);

  const setNeedle = (from: number, to: number) => {
    const [start, end] = spanOfTokens(tokens, from, to);
    select({ needle: [start, end] });
  };
  const begin = (from: number): Drag => {
    const spans = isPainted(clickSets) ? useSelection.getState()[clickSets] : [];
    return { from, spans, put: !marked(tokens, spans)[from] };
  };
  const extend = ({ from, spans, put }: Drag, to: number) => {
    if (isPainted(clickSets)) select({ [clickSets]: repainted(tokens, spans, [from, to], put) });
    else setNeedle(from, to);
  };
  const choose = (k: number) => {
    if (clickSets === 'position') select({ position: k === tokens.length - 1 ? -1 : k });
    else if (clickSets === 'target') select({ target: tokens[k].text });
    else extend(begin(k), k);
  };
  const focus = (k: number) => {
    setCursor(k);
    hover({ origin: 'chip', destination: k, source: k });
    (list.current?.children[k] as HTMLElement | undefined)?.focus();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const k = tokenOf(event);
    if (k === undefined) return;
    const steps: Record<string, number> = { ArrowLeft: k - 1, ArrowRight: k + 1, Home: 0, End: tokens.length - 1 };
    if (event.key in steps) {
      const to = Math.min(tokens.length - 1, Math.max(0, steps[event.key]));
      event.preventDefault();
      if (event.shiftKey && isPainted(clickSets)) extend({ ...begin(k), put: true }, to);
      else if (event.shiftKey) {
        const fixed = needle && (k === needle[0] || k === needle[1]) ? (k === needle[0] ? needle[1] : needle[0]) : k;
        setNeedle(fixed, to);
      }
      focus(to);
    } else if (event.key === 'Enter' || event.key === ' ') {
      event.preventDefault();
      choose(k);
    }
  };
  const endDrag = () => {
    drag.current = null;
  };

  const chips = useMemo(
    () =>
      tokens.map((token, k) => {
        const inNeedle = needle !== undefined && k >= needle[0] && k <= needle[1];
        const ends = [needle?.[0] === k && 'first', needle?.[1] === k && 'last'];
        const names = [
          'chip',
          classes[k] && `class-${classes[k]}`,
          k > 0 && token.start > tokens[k - 1].end && 'gap',
          inNeedle && 'needle',
          ...ends,
          k === position && 'position',
          sameWord(token.text, target) && 'target',
        ];
        return (
          <Chip
            key={`${token.start}:${token.id}`}
            token={token}
            index={k}
            classes={names.filter(Boolean).join(' ')}
            onPaper={['keep', inNeedle && 'bracket', ...ends].filter(Boolean).join(' ')}
            selected={k === position}
            focusable={k === focusable}
          />
        );
      }),
    [tokens, needle, classes, position, target, focusable],
  );
  return (
    <div className="chips-frame">
      <div
        ref={box}
        className={painted ? 'chips painted' : 'chips'}
        role="listbox"
        tabIndex={-1}
        aria-label="Prompt tokens"
        aria-orientation="horizontal"
        data-arrows
        onClick={(event) => {
          const k = tokenOf(event);
          // A drag that set the needle or a class ends in a click on its last token.
          if (k !== undefined && (clickSets === 'position' || clickSets === 'target')) choose(k);
        }}
        onKeyDown={onKeyDown}
        onPointerDown={(event) => {
          const k = tokenOf(event);
          if (clickSets === 'position' || clickSets === 'target' || k === undefined) return;
          event.currentTarget.releasePointerCapture(event.pointerId);
          drag.current = begin(k);
          extend(drag.current, k);
        }}
        onPointerOver={(event) => {
          const k = tokenOf(event);
          if (k === undefined) return;
          hover({ origin: 'chip', destination: k, source: k });
          if (drag.current !== null && event.buttons > 0) extend(drag.current, k);
        }}
        onPointerLeave={() => {
          endDrag();
          clearHover();
        }}
        onPointerUp={endDrag}
        onFocus={(event) => setCursor(tokenOf(event) ?? -1)}
        onBlur={clearHover}
      >
        <div ref={list} className="chip-list" role="presentation">
          {chips}
        </div>
        <Lanes view={box} list={list} tokens={tokens} lanes={lanes} row={position} />
        {painted && lanes.includes(painted) && <PaintedText list={list} slot={painted} position={position} />}
      </div>
      <svg className="chip-marks" aria-hidden="true">
        <rect className="extent" data-export="omit" width="100%" height="100%" />
        <rect ref={sourceMark} className="mark-source" height={MARK_HEIGHT} rx="2" visibility="hidden" />
        <rect ref={destinationMark} className="mark-destination" height={MARK_HEIGHT} rx="2" visibility="hidden" />
      </svg>
    </div>
  );
});
