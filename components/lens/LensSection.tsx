'use client';
import { memo, useMemo } from 'react';
import type { Lens } from '@/lib/api/bodies';
import { formatPlain } from '@/lib/figures/numbers';
import { colourTable } from '@/lib/figures/palette';
import { layerAxis } from '../charts/layerAxis';
import { type LensColour, lensLegend } from '../charts/lensCells';
import { displayToken } from '../charts/tokens';
import { rowChoices, rowRange } from '../data/lensRows';
import { useLensKind, useModels, useTargetIds, useTokenTexts } from '../data/queries';
import { lensRow } from '../data/series';
import { ownToken, tokenOfA, type View } from '../data/view';
import { type LensRows, select, useSelection } from '../state/selection';
import { usePalette } from '../state/theme';
import { Check } from '../ui/Check';
import { Control } from '../ui/Control';
import { LayerFigures } from '../ui/LayerFigures';
import { LensSwitch } from '../ui/LensSwitch';
import { useNarrow, useWidth } from '../ui/measure';
import { RampBar } from '../ui/RampBar';
import { Section } from '../ui/Section';
import { Segmented } from '../ui/Segmented';
import { Finding } from './Finding';
import { LensAside } from './LensAside';
import { LensDifference } from './LensDifference';
import { LensGrid, ROW } from './LensGrid';
import { lensTable } from './lensTable';

const COLOURS: readonly { value: LensColour; label: string; testId: string }[] = [
  { value: 'top', label: 'top p', testId: 'lens-colour-top' },
  { value: 'target', label: 'target p', testId: 'lens-colour-target' },
  { value: 'rank', label: 'target rank', testId: 'lens-colour-rank' },
  { value: 'entropy', label: 'entropy', testId: 'lens-colour-entropy' },
  { value: 'kl', label: 'KL', testId: 'lens-colour-kl' },
];
function Scale({ colour, vocabulary }: { colour: LensColour; vocabulary: number }) {
  const table = colourTable(usePalette(), 'sequential');
  const { low, high, meaning } = lensLegend(colour, vocabulary);
  return (
    <span className="note scale" data-export="key">
      {low}
      <RampBar table={table} />
      {high}&ensp;{meaning}
    </span>
  );
}

export const LensSection = memo(function LensSection(props: {
  view: View;
  lenses: readonly (Lens | undefined)[];
  staleMark: string;
}) {
  const { view, lenses, staleMark } = props;
  const colour = useSelection((s) => s.lensColour);
  const chosen = useSelection((s) => s.lensRows);
  const [ref, width] = useWidth();
  const narrow = useNarrow();
  const { choice, kind: lensKind } = useLensKind(view.models);
  const { data: models } = useModels();
  const axis = useMemo(() => layerAxis(width, view.layers, narrow), [width, view.layers, narrow]);
  const vocabulary = models?.models.find(({ name }) => name === view.models[0].name)?.vocab_size ?? 50_000;
  const { needle, position } = view.models[0];
  const choices = rowChoices(view.tokens.length, position, needle);
  const rowsKnown = chosen !== 'needle' || needle ? chosen : 'last';
  const [from, to] = rowRange(rowsKnown, view.tokens.length, position, needle);
  const rows = useMemo(() => Array.from({ length: to - from + 1 }, (_, k) => from + k), [from, to]);
  const rowsOf = useMemo(
    () =>
      view.models.map((model) =>
        model.fromA
          ? model.tokens
              .map((_, own) => own)
              .filter((own) => {
                const ofA = tokenOfA(model, own);
                return ofA !== undefined && ofA >= from && ofA <= to && ownToken(model, ofA) === own;
              })
          : rows,
      ),
    [view.models, rows, from, to],
  );
  const first = useTokenTexts(view.models[0]);
  const second = useTokenTexts(view.models[view.models.length - 1]);
  const texts = [first, second];
  const difference = useSelection((s) => s.difference) && view.models.length > 1;
  const said = view.models.map(({ slot, position: own }, k) => {
    const lens = lenses[k];
    const cell = lens && lensRow(lens, own, view.layers)[view.layer + 1];
    return `${slot} ${cell ? `${displayToken(texts[k](cell.topId))} ${formatPlain(cell.topProb)}` : 'not computed'}`;
  });
  const controls = (
    <>
      <Control caption="Colour">
        <Segmented
          label="Lens colour"
          options={COLOURS}
          value={colour}
          onChange={(value) => select({ lensColour: value })}
        />
      </Control>
      <Control caption="Positions">
        <span className="select">
          <select
            aria-label="Positions shown"
            data-testid="lens-rows"
            value={rowsKnown}
            onChange={(event) => select({ lensRows: event.target.value as LensRows })}
          >
            {choices.telling.map(({ value, label }) => (
              <option key={value} value={value}>
                {label}
              </option>
            ))}
            <optgroup label="All positions">
              {choices.pages.map(({ value, label }) => (
                <option key={value} value={value}>
                  {label}
                </option>
              ))}
            </optgroup>
          </select>
        </span>
      </Control>
      <span className="grow" />
      <Scale colour={colour} vocabulary={vocabulary} />
    </>
  );
  return (
    <Section
      id="lens"
      title={
        <>
          Lens: top token by layer and position <em>{staleMark}</em>
        </>
      }
      controls={controls}
      more={
        (choice || view.models.length > 1) && (
          <>
            <LensSwitch view={view} name="grid" />
            {view.models.length > 1 && (
              <Check
                label="B − A"
                testId="lens-difference-toggle"
                checked={difference}
                onChange={(checked) => select({ difference: checked })}
              />
            )}
          </>
        )
      }
      moreSet={[difference, lensKind === 'tuned'].filter(Boolean).length}
      table={() => lensTable(view, lenses, position, (k, id) => texts[k](id))}
      canMaximise
      aside={<LensAside view={view} lenses={lenses} rows={rows} />}
    >
      <Finding view={view} lenses={lenses} targets={useTargetIds(view)} texts={texts} />
      <div ref={ref} style={{ minHeight: view.models.length * (rows.length * ROW + 20) }}>
        {width > 0 && (
          <LayerFigures
            view={view}
            label="Layer, in the lens"
            text={`top token at position ${position}: ${said.join(', ')}`}
            testId="lens-figures"
            style={{ display: 'grid', gap: 8 }}
          >
            {view.models.map((model, k) => (
              <LensGrid
                key={model.slot}
                view={view}
                model={model}
                axis={axis}
                lens={lenses[k]}
                colour={colour}
                vocabulary={vocabulary}
                rows={rowsOf[k]}
              />
            ))}
            {difference && <LensDifference view={view} axis={axis} lenses={lenses} colour={colour} rows={rows} />}
          </LayerFigures>
        )}
      </div>
    </Section>
  );
});
