import { type ColourTable, cssColour } from '@/lib/figures/palette';

const STEPS = 48;
const STEP = 2;

/** A ramp in so many steps, low to high: drawn, so that an exported figure has it too. */
export const RampBar = ({ table }: { table: ColourTable }) => (
  <svg width={STEPS * STEP} height="8" shapeRendering="crispEdges" aria-hidden="true" data-ramp>
    {Array.from({ length: STEPS }, (_, k) => (
      // biome-ignore lint/suspicious/noArrayIndexKey: steps are known by their place.
      <rect key={k} x={k * STEP} width={STEP} height="8" fill={cssColour(table, k / (STEPS - 1))} />
    ))}
  </svg>
);
