'use client';
import { memo } from 'react';
import { formatPlain } from '@/lib/figures/numbers';
import type { LayerMaps } from '../data/mapQueries';
import { useMapWords } from '../data/mapWords';
import { usePanels } from '../data/panels';
import { useShownMaps } from '../data/shownMaps';
import type { View } from '../data/view';
import { entryMeaning, SPAN_INFO } from '../state/forms';
import { useMaximised } from '../state/maximised';
import { isEnded } from '../state/run';
import { spanOf, useSelection } from '../state/selection';
import { Convention } from '../ui/Convention';
import { useNarrow, useWidth } from '../ui/measure';
import { Id } from '../ui/parts';
import { Section } from '../ui/Section';
import { AttentionMaps } from './AttentionMaps';
import { DockedPair } from './DockedPair';
import { Finding } from './Finding';
import { Legend } from './Legend';
import { MapControls, MoreMapControls, useMapsSet, ZoomedTo } from './MapControls';
import { PairInspector } from './PairInspector';
import { rowTable } from './rowTable';

/** Largest side of a map that has the page for itself: legend and labels stay on the screen with it. */
const sideOfMaximised = () => Math.max(560, window.innerHeight - 300);

/** What an entry means, and the convention of each map, said once where the models share it. */
function Meaning({ entries }: { entries: readonly LayerMaps[] }) {
  const softmax = entries.some(({ map }) => map?.metadata.form === 'softmax');
  const meaning = useSelection((s) => entryMeaning(softmax ? 'softmax' : s.form, spanOf(s)));
  const said = entries.filter(({ map }) => map !== undefined);
  const texts = new Set(said.map(({ map }) => map?.metadata.convention));
  return (
    <Convention plain={meaning}>
      <b>Convention.</b>{' '}
      {texts.size <= 1
        ? (said[0]?.map?.metadata.convention ?? 'stated with the first map')
        : said.map(({ model, map }) => (
            <span key={model.slot}>
              <Id slot={model.slot} small /> {map?.metadata.convention}{' '}
            </span>
          ))}
    </Convention>
  );
}

export const AttentionSection = memo(function AttentionSection(props: {
  /** With the layer whose maps are shown. */
  view: View;
  /** The selected layer, where its maps are not computed yet. */
  chosenLayer?: number;
  staleMark: string;
}) {
  const { view, staleMark } = props;
  const { chosenLayer = view.layer } = props;
  const { entries, maps, channels } = useShownMaps();
  const panels = usePanels(entries, maps);
  const [ref, width] = useWidth();
  const narrow = useNarrow();
  const span = useSelection(spanOf);
  const last = Math.max(...view.models.map(({ layers }) => layers)) - 1;
  const maximised = useMaximised((s) => s.section === 'attention');
  const words = useMapWords(view);
  const set = useMapsSet();
  // The table follows the locked row.
  useSelection((s) => s.lock);
  return (
    <Section
      id="attention"
      title={
        <>
          {SPAN_INFO[span].title}, {span === 'layer' ? `layer ${view.layer}` : `layers ${view.layer}–${last}`}
          <span className="paper-only">: {words}</span>{' '}
          <em>{chosenLayer === view.layer ? staleMark : `until layer ${chosenLayer} is computed`}</em>
        </>
      }
      controls={<MapControls view={view} />}
      more={<MoreMapControls view={view} peak={maps[0] && formatPlain(maps[0].half.peak)} />}
      moreSet={set}
      table={() => rowTable(view, maps, useSelection.getState().lock?.destination ?? view.position)}
      canMaximise
      aside={<PairInspector view={view} maps={maps} />}
    >
      <Finding view={view} maps={maps} />
      <div ref={ref} style={{ minHeight: 480 }}>
        {width > 0 && (
          <AttentionMaps
            view={view}
            entries={entries}
            maps={maps}
            panels={panels}
            channels={channels}
            width={width}
            narrow={narrow}
            ended={isEnded(view.run)}
            most={maximised ? sideOfMaximised() : undefined}
          />
        )}
      </div>
      {(narrow || maximised) && <DockedPair view={view} maps={maps} />}
      <ZoomedTo view={view} />
      <Legend panels={panels} />
      <Meaning entries={entries} />
    </Section>
  );
});
