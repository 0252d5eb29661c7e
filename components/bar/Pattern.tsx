import type { ModelSummary } from '@/lib/api/schemas';

/** The layer pattern as one tick a block: filled and tall for differential blocks. */
export function Pattern({ layers }: { layers: ModelSummary['layers'] }) {
  const pitch = layers.length > 24 ? 2 : 4;
  return (
    <svg className="pattern" width={layers.length * pitch} height="8" aria-hidden="true">
      {layers.map((kind, k) => (
        <rect
          // biome-ignore lint/suspicious/noArrayIndexKey: blocks are known by their place.
          key={k}
          x={k * pitch}
          y={kind.startsWith('diff') ? 0 : 4}
          width={pitch - 1}
          height={kind.startsWith('diff') ? 8 : 4}
          fill={kind.startsWith('diff') ? 'var(--ink-2)' : 'var(--line-strong)'}
        />
      ))}
    </svg>
  );
}
