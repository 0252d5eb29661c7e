'use client';
import { memo, useMemo } from 'react';
import { formatPlain } from '@/lib/figures/numbers';
import { labelPriorities, thinLabels } from '../charts/labels';
import { cut, displayToken } from '../charts/tokens';
import type { View } from '../data/view';
import { clearHover, hover, useHover } from '../state/hover';
import { select } from '../state/selection';
import { HitArea } from '../ui/HitArea';
import { SteppedFigure } from '../ui/SteppedFigure';
import type { TokenValues } from './tokenValues';
import { stepPath, TRACKS, trackScale } from './trackRows';

const ROW = 46;
const LABELS = 54;
const LABEL_LENGTH = 7;

/** Places on the token axis: tokens of model A from left to right. */
interface TokenAxis {
  readonly width: number;
  readonly gutter: number;
  readonly pitch: number;
}

const lineAt = ({ gutter, pitch }: TokenAxis, token: number) => Math.round(gutter + (token + 0.5) * pitch) + 0.5;

/** The tokens under the pointer, anywhere on the page. Only this is redrawn on hover. */
function TrackOverlay({ axis, view, height }: { axis: TokenAxis; view: View; height: number }) {
  const destination = useHover((s) => s.destination);
  const source = useHover((s) => s.source);
  const tokens = [...new Set([destination, source])].filter((token) => token !== undefined);
  const read = lineAt(axis, view.position);
  return (
    <svg className="layer overlay" width={axis.width} height={height} aria-hidden="true">
      <line className="hovered" x1={read} x2={read} y1="0" y2={height - LABELS} strokeOpacity=".9" />
      {tokens.map((token) => (
        <line
          key={token}
          className="hovered"
          x1={lineAt(axis, token)}
          x2={lineAt(axis, token)}
          y1="0"
          y2={height - LABELS}
          strokeDasharray="2 2"
        />
      ))}
    </svg>
  );
}

/** Δ, half-life, gate and state norm of both models along the tokens, a row each on a shared scale. */
export const TrackFigure = memo(function TrackFigure(props: {
  view: View;
  values: readonly TokenValues[];
  width: number;
  narrow: boolean;
}) {
  const { view, values, width, narrow } = props;
  const { tokens } = view;
  const axis: TokenAxis = useMemo(() => {
    const gutter = narrow ? 40 : 80;
    return { width, gutter, pitch: (width - gutter) / tokens.length };
  }, [width, narrow, tokens.length]);
  const rows = useMemo(
    () =>
      TRACKS.map(({ name, log }, row) => {
        const top = row * ROW;
        const own = values.map((of) => of(name));
        const scale = trackScale(
          own.flatMap((track) => (track ? [track] : [])),
          log,
          top + ROW - 5,
          top + 7,
        );
        const x = (token: number) => axis.gutter + token * axis.pitch;
        return { scale, base: top + ROW - 5, paths: own.map((track) => (track ? stepPath(track, x, scale.y) : '')) };
      }),
    [values, axis],
  );
  const labels = useMemo(() => {
    const { position, needle } = view.models[0];
    return thinLabels(labelPriorities(tokens, { position, needle, target: view.target }), axis.pitch, 11);
  }, [tokens, view, axis]);
  const height = TRACKS.length * ROW + LABELS;
  const at = (x: number) => Math.min(tokens.length - 1, Math.max(0, Math.floor(x / axis.pitch)));
  const needle = view.models[0].needle;
  const said = (token: number) =>
    TRACKS.map(({ name, label }) =>
      [label, ...values.map((of, k) => `${view.models[k].slot} ${formatPlain(of(name)?.[token])}`)].join(' '),
    ).join(', ');
  return (
    <SteppedFigure
      label="Token, in the tracks"
      count={tokens.length}
      start={view.position}
      textOf={(token) => `${token} ${tokens[token].text.trim()}: ${said(token)}`}
      onStep={(token) =>
        token === undefined ? clearHover() : hover({ origin: 'chip', destination: token, source: token })
      }
      testId="tracks-figure"
    >
      {() => (
        <div
          className="figure"
          role="img"
          aria-label={`Δ, half-life, gate and state norm of layer ${view.layer} along ${tokens.length} tokens`}
          data-testid="tracks"
          style={{ height }}
        >
          <svg className="layer" width={width} height={height} aria-hidden="true">
            {TRACKS.map(({ name, label, unit }, row) => {
              const { scale, base, paths } = rows[row];
              return (
                <g key={name}>
                  <text className="title" x="0" y={base - 18}>
                    {label}
                  </text>
                  {unit && !narrow && (
                    <text className="axis small" x="0" y={base - 7}>
                      {unit}
                    </text>
                  )}
                  <text className="axis small" x={axis.gutter - 6} y={base - 31} textAnchor="end">
                    {formatPlain(scale.high)}
                  </text>
                  <text className="axis small" x={axis.gutter - 6} y={base + 3} textAnchor="end">
                    {formatPlain(scale.low)}
                  </text>
                  <line className="grid" x1={axis.gutter} x2={width} y1={base + 0.5} y2={base + 0.5} />
                  {scale.low < 0 && (
                    <line className="rule" x1={axis.gutter} x2={width} y1={scale.y(0) + 0.5} y2={scale.y(0) + 0.5} />
                  )}
                  {paths.map((path, k) => (
                    <path key={view.models[k].slot} className={`track ${view.models[k].slot}-line`} d={path} />
                  ))}
                </g>
              );
            })}
            {needle && (
              <path
                className="bracket"
                d={`M${axis.gutter + needle[0] * axis.pitch + 0.5},${height - LABELS + 3}v-3H${axis.gutter + (needle[1] + 1) * axis.pitch - 0.5}v3`}
              />
            )}
            {labels.map((token) => (
              <text
                key={token}
                className={`token${token === view.position ? ' strong' : ''}`}
                transform={`translate(${axis.gutter + (token + 0.5) * axis.pitch + 3.2},${height - LABELS + 7}) rotate(-90)`}
                textAnchor="end"
              >
                {cut(displayToken(tokens[token].text), LABEL_LENGTH)}
              </text>
            ))}
          </svg>
          <TrackOverlay axis={axis} view={view} height={height} />
          <HitArea
            testId="tracks-hit"
            style={{ left: axis.gutter, width: width - axis.gutter, top: 0, height }}
            onPoint={(x) => hover({ origin: 'chip', destination: at(x), source: at(x) })}
            onLeave={clearHover}
            onPick={(x) => select({ position: at(x) === tokens.length - 1 ? -1 : at(x) })}
          />
        </div>
      )}
    </SteppedFigure>
  );
});
