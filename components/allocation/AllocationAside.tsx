'use client';
import type { AllocationResult, LayerAllocation, MeasuredValue } from '@/lib/api/allocation';
import { formatP, formatPlain, formatSigned, formatValue } from '@/lib/figures/numbers';
import { type Found, MEASURE_INFO, type Measure, type Part, pairedAt, readOf, STACKED } from '../charts/allocation';
import type { View } from '../data/view';
import { clearHover, hover, useHover } from '../state/hover';
import { Id, ValueRow } from '../ui/parts';

const count = (tokens: number) => (tokens === 0 ? '–' : Number.isInteger(tokens) ? String(tokens) : tokens.toFixed(1));

/** Mean with its interval below. */
function Interval({ value, signed }: { value: MeasuredValue | undefined; signed: boolean }) {
  if (!value) return '–';
  const { mean, low, high } = value;
  return (
    <>
      {formatValue(mean, signed)}
      {low !== undefined && high !== undefined && (
        <small>
          {formatValue(low, signed)} to {formatValue(high, signed)}
        </small>
      )}
    </>
  );
}

function Classes(props: { one: LayerAllocation; measure: Measure; part: Part; view: View }) {
  const { one, measure, part, view } = props;
  const hovered = useHover(
    (s) => s.tokenClass ?? (s.source === undefined ? undefined : view.models[0].classes[s.source]),
  );
  const read = readOf(one, part);
  const { signed, label } = MEASURE_INFO[measure];
  const point = (tokenClass: (typeof STACKED)[number]) => ({
    className: hovered === tokenClass ? 'strong' : undefined,
    onPointerEnter: () => hover({ origin: 'allocation', layer: one.layer, tokenClass }),
  });
  return (
    <>
      <table className="values classes" onPointerLeave={clearHover}>
        <thead>
          <tr>
            <th scope="col">class</th>
            <th scope="col">tokens</th>
            <th scope="col">{label}</th>
          </tr>
        </thead>
        <tbody>
          {STACKED.map((name) => (
            <tr key={name} {...point(name)}>
              <th scope="row">
                <i className={`class-${name}`} /> {name}
              </th>
              <td>{count(one.tokens[name])}</td>
              <td>
                <Interval value={read[measure][name]} signed={signed} />
              </td>
            </tr>
          ))}
          <tr className="rule">
            <th scope="row">needle / context</th>
            <td>{formatPlain(one.chance)}</td>
            <td>
              <Interval value={read.needle_against_context} signed={false} />
            </td>
          </tr>
        </tbody>
      </table>
      {one.differential && (
        <table className="values classes" onPointerLeave={clearHover}>
          <thead>
            <tr>
              <th scope="col">subtraction</th>
              <th scope="col">removed</th>
              <th scope="col">cosine</th>
              <th scope="col">dB</th>
            </tr>
          </thead>
          <tbody>
            {STACKED.map((name) => (
              <tr key={name} {...point(name)}>
                <th scope="row">{name}</th>
                {[one.removed, one.cosine, one.rejection_db].map((values, column) => (
                  // biome-ignore lint/suspicious/noArrayIndexKey: the columns are fixed.
                  <td key={column}>{formatSigned(values?.[name]?.mean)}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </>
  );
}

/** Exact numbers of the layer under the pointer, else of the selected one. */
export function AllocationAside(props: {
  view: View;
  found: readonly Found[];
  measure: Measure;
  part: Part;
  result: AllocationResult | undefined;
  /** Whether it is said elsewhere why there are none. */
  failed: boolean;
  /** What they are of: this prompt, or so many stories or prompts. */
  words: string;
}) {
  const { view, found, measure, part, result, failed, words } = props;
  const hovered = useHover((s) => s.layer);
  const layer = Math.min(view.layers - 1, Math.max(0, hovered ?? view.layer));
  const names = view.models.map(({ name }) => name);
  const paired = pairedAt(result, names, layer);
  return (
    <aside aria-label="Allocation in one layer">
      {found.map(({ slot, layers }) => {
        const one = layers?.find((each) => each.layer === layer);
        return (
          <div key={slot} className="block" data-testid={`allocated-${slot}`}>
            <h3>
              <Id slot={slot} /> Layer {layer} <em>{words}</em>
            </h3>
            {one ? (
              <Classes one={one} measure={measure} part={part} view={view} />
            ) : (
              <p className="note">{layers ? 'No such layer.' : failed ? 'Not computed.' : 'Not computed yet.'}</p>
            )}
          </div>
        );
      })}
      {paired && (
        <div className="block" data-testid="allocation-paired">
          <h3>
            <Id slot="B" /> minus <Id slot="A" /> <em>needle / context, whole blocks</em>
          </h3>
          <table className="values">
            <tbody>
              <ValueRow name="difference" values={[formatSigned(paired.mean)]} />
              <ValueRow name="95 % interval" values={[`${formatSigned(paired.low)} to ${formatSigned(paired.high)}`]} />
              <ValueRow name="p, paired" values={[formatP(paired.p)]} />
            </tbody>
          </table>
        </div>
      )}
    </aside>
  );
}
