import type { ModelSummary } from '@/lib/api/schemas';

/** The layer pattern as one tick a block: filled and tall for differential blocks. */
export function Pattern({ differential }: Pick<ModelSummary, 'differential'>) {
  const pitch = differential.length > 24 ? 2 : 4;
  return (
    <svg
      className="pattern"
      width={differential.length * pitch}
      height="8"
      viewBox={`0 0 ${differential.length * pitch} 8`}
      preserveAspectRatio="none"
      aria-hidden="true"
    >
      {differential.map((subtracts, k) => (
        <rect
          // biome-ignore lint/suspicious/noArrayIndexKey: blocks are known by their place.
          key={k}
          x={k * pitch}
          y={subtracts ? 0 : 4}
          width={pitch - 1}
          height={subtracts ? 8 : 4}
          fill={subtracts ? 'var(--ink-2)' : 'var(--line-strong)'}
        />
      ))}
    </svg>
  );
}
