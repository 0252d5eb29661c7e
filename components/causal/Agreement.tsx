'use client';
import { memo } from 'react';
import { formatSigned, type Maybe } from '@/lib/figures/numbers';
import { tokenOfA, type View } from '../data/view';
import { clearHover, hover } from '../state/hover';
import { SteppedFigure } from '../ui/SteppedFigure';
import type { CheckedCell } from './results';

const SIDE = 172;
const EDGE = 26;

/** Two digits, and no sign for what rounds to 0. */
const correlationText = (value: Maybe): string =>
  typeof value === 'number' ? value.toFixed(2).replace('-', '−') : '–';

/** Estimates against exact values, a dot for each cell that was computed, and how far their order agrees. */
export const Agreement = memo(function Agreement(props: {
  view: View;
  checked: readonly (readonly CheckedCell[])[];
  /** Spearman’s of each model. */
  correlations: readonly Maybe[];
  /** What they are of. */
  of: 'effects' | 'changes';
}) {
  const { view, checked, correlations, of } = props;
  const cells = view.models.flatMap((model, k) =>
    checked[k].map(({ layer, token, estimated, exact }) => ({
      key: `${model.slot}.${layer}.${token}`,
      ...{ slot: model.slot, layer, estimated, exact, ofA: tokenOfA(model, token) },
      text: `${model.slot}, layer ${layer}, token ${token}: estimated ${formatSigned(estimated)}, exact ${formatSigned(exact)}`,
    })),
  );
  if (cells.length === 0) return null;
  const all = checked.flat().flatMap(({ estimated, exact }) => [estimated, exact]);
  const high = Math.max(1e-9, ...all);
  const least = Math.min(0, ...all);
  // What is as good as 0 has no place of its own beside it.
  const low = least < -high / 50 ? least : 0;
  const at = (value: number) => EDGE + ((value - low) / (high - low)) * (SIDE - 2 * EDGE);
  const [x, y] = [at, (value: number) => SIDE - at(value)];
  const words = view.models.map(
    ({ slot }, k) => `${slot} ${correlationText(correlations[k])} over ${checked[k].length} cells`,
  );
  return (
    <div className="block" data-testid="agreement">
      <h3>Estimated against exact</h3>
      <SteppedFigure
        label={`Cell, in estimated against exact ${of}`}
        count={cells.length}
        textOf={(k) => cells[k].text}
        onStep={(k) =>
          k === undefined ? clearHover() : hover({ origin: 'causal', layer: cells[k].layer, destination: cells[k].ofA })
        }
        testId="agreement-figure"
      >
        {(item) => (
          <svg
            width={SIDE}
            height={SIDE}
            role="img"
            aria-label={`Estimated against exact ${of}; rank correlation ${words.join(', ')}`}
          >
            <path className="rule" d={`M${x(low)},${y(low)}H${x(high)}M${x(low)},${y(low)}V${y(high)}`} />
            <path className="grid" d={`M${x(low)},${y(low)}L${x(high)},${y(high)}`} />
            {[low, high].map((value) => (
              <g key={value}>
                <text className="axis small" x={x(value)} y={y(low) + 12} textAnchor="middle">
                  {formatSigned(value)}
                </text>
                {value !== low && (
                  <text className="axis small" x={x(low)} y={y(value) - 5} textAnchor="middle">
                    {formatSigned(value)}
                  </text>
                )}
              </g>
            ))}
            <text className="axis small" x={SIDE / 2} y={SIDE - 2} textAnchor="middle">
              estimated
            </text>
            <text
              className="axis small"
              x={0}
              y={0}
              textAnchor="middle"
              transform={`translate(9,${SIDE / 2}) rotate(-90)`}
            >
              exact
            </text>
            {cells.map(({ key, slot, estimated, exact, text }, k) => (
              <circle key={key} className={`${slot}-fill`} cx={x(estimated)} cy={y(exact)} r={k === item ? 6 : 3}>
                <title>{text}</title>
              </circle>
            ))}
          </svg>
        )}
      </SteppedFigure>
      <p className="note">
        Rank correlation of the strongest cells: <span data-testid="agreement-words">{words.join(', ')}</span>.
      </p>
    </div>
  );
});
