import { extent, line, scaleLinear, schemeTableau10 } from 'd3';
import type { OrderSummary, Watched } from '@/lib/analysis';

interface Drawn {
  readonly model: string;
  readonly orders: readonly OrderSummary[];
}

const [WIDTH, HEIGHT, LEFT, TOP, GAP, LEGEND] = [300, 200, 52, 44, 62, 150];

const escaped = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');

/** Deletion and insertion curves of every model, a row each: mean over prompts of what is watched, by share of sources. */
export function curvesSvg(models: readonly Drawn[], watch: Watched): string {
  const kinds = ['deletion', 'insertion'] as const;
  const width = LEFT + kinds.length * (WIDTH + GAP) + LEGEND;
  const height = models.length * (HEIGHT + TOP + 40);
  const colour = (k: number, order: string) => (order === 'random' ? '#8a9096' : schemeTableau10[k % 9]);
  const panels = models.flatMap(({ model, orders }, row) => {
    const values = orders.flatMap(({ deletion, insertion }) => [...deletion, ...insertion]);
    const y = scaleLinear(extent(values) as [number, number], [HEIGHT, 0]).nice();
    const x = scaleLinear([0, 1], [0, WIDTH]);
    const top = row * (HEIGHT + TOP + 40) + TOP;
    return kinds.map((kind, column) => {
      const path = line<number>(
        (_, k) => x(k / (orders[0][kind].length - 1)),
        (value) => y(value),
      );
      const curves = orders.map(
        ({ order, [kind]: values }, k) =>
          `<path d="${path(values)}" fill="none" stroke="${colour(k, order)}" stroke-width="1.6"${order === 'random' ? ' stroke-dasharray="4 3"' : ''}/>`,
      );
      const ticks = y
        .ticks(5)
        .map(
          (tick) =>
            `<line x2="${WIDTH}" y1="${y(tick)}" y2="${y(tick)}" stroke="#e3e6e9"/><text x="-8" y="${y(tick) + 3.5}" text-anchor="end">${tick}</text>`,
        );
      const shares = x
        .ticks(4)
        .map(
          (tick) => `<text x="${x(tick)}" y="${HEIGHT + 15}" text-anchor="middle">${Math.round(100 * tick)} %</text>`,
        );
      const legend =
        column < kinds.length - 1
          ? []
          : orders.map(
              ({ order }, k) =>
                `<g transform="translate(${WIDTH + 22},${8 + 17 * k})"><line x2="18" stroke="${colour(k, order)}" stroke-width="2"${order === 'random' ? ' stroke-dasharray="4 3"' : ''}/><text x="24" y="4">${order.replace('_', ' ')}</text></g>`,
            );
      const title = kind === 'deletion' ? 'sources removed' : 'sources given back';
      return `<g transform="translate(${LEFT + column * (WIDTH + GAP)},${top})"><text y="-14" font-weight="600">${escaped(model)}: ${kind}</text>${ticks.join('')}${shares.join('')}<text x="${WIDTH / 2}" y="${HEIGHT + 31}" text-anchor="middle">${title}</text>${curves.join('')}${legend.join('')}</g>`;
    });
  });
  const unit = watch === 'logit' ? 'logits' : 'ln p of the target';
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="sans-serif" font-size="11" fill="#15191d"><rect width="100%" height="100%" fill="#fcfcfb"/><text x="${LEFT}" y="14">mean over prompts, ${unit}</text>${panels.join('')}</svg>\n`;
}
