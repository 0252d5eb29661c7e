'use client';
import { memo, useMemo } from 'react';
import { formatSigned } from '@/lib/figures/numbers';
import { curveScale } from '@/lib/figures/scale';
import { layerAxis } from '../charts/layerAxis';
import { useAttributions } from '../data/queries';
import type { View } from '../data/view';
import { isEnded } from '../state/run';
import { Convention } from '../ui/Convention';
import { LayerFigures } from '../ui/LayerFigures';
import { useNarrow, useWidth } from '../ui/measure';
import { TokenText } from '../ui/parts';
import { Section } from '../ui/Section';
import { useSteady } from '../ui/steady';
import { AttributionAside } from './AttributionAside';
import { Finding } from './Finding';
import { WATERFALL_BOTTOM, WATERFALL_TOP, Waterfall } from './Waterfall';
import { attributionTable, runningSums, type Step, waterfall } from './waterfall';

const NO_STEPS: readonly Step[] = [];

/** The target's logit taken apart: embedding, blocks and branches of both models, on the shared layer axis. */
export const AttributionSection = memo(function AttributionSection(props: {
  view: View;
  targets: readonly (number | undefined)[];
  staleMark: string;
}) {
  const { view, targets, staleMark } = props;
  const asked = useAttributions(view, targets);
  const replies = useSteady(asked.map(({ data }) => data));
  const problem = asked.find(({ error }) => error)?.error;
  const [ref, width] = useWidth();
  const narrow = useNarrow();
  const axis = useMemo(() => layerAxis(width, view.layers, narrow), [width, view.layers, narrow]);
  const steps = useMemo(
    () => replies.map((reply) => (reply ? waterfall(reply, view.layers) : NO_STEPS)),
    [replies, view.layers],
  );
  const scale = useMemo(
    () =>
      curveScale(
        steps.flat().flatMap(({ from, to }) => [from, to]),
        false,
        WATERFALL_BOTTOM,
        WATERFALL_TOP,
        4,
      ),
    [steps],
  );
  const caption = `Contributions to the logit of ${view.target.trim()} at position ${view.position}`;
  const known = replies.find((reply) => reply !== undefined);
  return (
    <Section
      id="attribution"
      title={
        <>
          Logit of <TokenText text={view.target.trim()} /> by part <em>{staleMark}</em>
        </>
      }
      controls={
        <>
          <span className="grow" />
          <span className="note key" data-export="key">
            <svg width="34" height="10" aria-hidden="true">
              <rect x="1" y="1" width="12" height="8" fill="var(--ink-2)" />
              <rect x="20.5" y="1.5" width="11" height="7" fill="var(--bg)" stroke="var(--ink-2)" />
            </svg>
            raises, lowers the logit
          </span>
        </>
      }
      table={() =>
        attributionTable(
          caption,
          view.models.map(({ slot }, k) => ({ slot, steps: steps[k] })),
          view.layers,
        )
      }
      canMaximise
      aside={<AttributionAside view={view} replies={replies} steps={steps} />}
    >
      <Finding view={view} steps={steps} />
      <div ref={ref} style={{ minHeight: 320, display: 'grid', gap: 8, alignContent: 'start' }}>
        {problem ? (
          <p className="note bad" role="alert">
            {problem.message}
          </p>
        ) : (
          width > 0 && (
            <LayerFigures
              view={view}
              label="Layer, in the logit by part"
              text={`sum so far: ${view.models.map(({ slot }, k) => `${slot} ${formatSigned(runningSums(steps[k], view.layers)[view.layer + 1])}`).join(', ')}`}
              testId="attribution-figures"
              style={{ display: 'grid', gap: 8 }}
            >
              {view.models.map(({ slot }, k) =>
                replies[k] ? (
                  <Waterfall
                    key={slot}
                    slot={slot}
                    steps={steps[k]}
                    axis={axis}
                    scale={scale}
                    layer={view.layer}
                    caption={`${caption}, ${slot}`}
                  />
                ) : (
                  <p key={slot} className="note">
                    {isEnded(view.run) ? 'Another forward pass is running.' : 'Waits for the end of the run.'}
                  </p>
                ),
              )}
            </LayerFigures>
          )
        )}
      </div>
      <Convention plain="Bars run from the sum before a part to the sum after it; the last bar is the logit itself.">
        <b>Convention.</b>{' '}
        {known ? `${known.convention[0].toUpperCase()}${known.convention.slice(1)}.` : 'Stated with the first answer.'}
      </Convention>
    </Section>
  );
});
