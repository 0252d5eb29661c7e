import type { ModelSummary } from '@/lib/api/schemas';

/** Models whose name or description has every word of a query, in their order. */
export function searchModels(models: readonly ModelSummary[], query: string): ModelSummary[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  return models.filter(({ name, summary, format, dtype }) => {
    const text = `${name} ${summary} ${format} ${dtype}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
}
