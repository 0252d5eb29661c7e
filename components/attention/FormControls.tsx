'use client';
import { BLOCK_COMPONENTS } from '@/lib/vocabulary';
import type { View } from '../data/view';
import { COMPONENT_LABELS, SPAN_INFO, SPANS } from '../state/forms';
import { select, selectSpan, useSelection } from '../state/selection';
import { Check } from '../ui/Check';
import { Choice } from '../ui/Choice';

/** Whether one layer's map is shown, or a product over all layers from it on. */
export function Layers() {
  const span = useSelection((s) => s.span);
  return (
    <Choice
      caption="Layers"
      label="Layers that the map spans"
      testId="span-select"
      value={span}
      options={SPANS.map((value) => ({ value, label: SPAN_INFO[value].label }))}
      onChange={selectSpan}
    />
  );
}

/** Parts of the block that the map leaves out. */
export function Without({ view }: { view: View }) {
  const without = useSelection((s) => s.without);
  const heads = view.models.some(({ model }) => (model.blocks[view.layer]?.heads ?? 0) > 0);
  return (
    <fieldset className="control" data-export="omit" aria-label="Left out of the block">
      {BLOCK_COMPONENTS.filter((part) => heads || part !== 'norm').map((part) => (
        <Check
          key={part}
          label={COMPONENT_LABELS[part]}
          testId={`without-${part}`}
          checked={without.includes(part)}
          onChange={(checked) =>
            select({ without: BLOCK_COMPONENTS.filter((each) => (each === part ? checked : without.includes(each))) })
          }
        />
      ))}
    </fieldset>
  );
}
