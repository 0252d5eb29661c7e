import type { Finding } from './step';

/** Width of the names of steps. */
const NAMES = 58;

const short = (value: unknown, digits: number): string =>
  typeof value === 'number' && Number.isFinite(value) ? value.toFixed(digits) : '–';

/** A step and what it found as lines for people. */
export function linesOf(name: string, finding: Finding): string[] {
  const head = `${finding.ok ? 'ok  ' : 'FAIL'} ${name.padEnd(NAMES)}`;
  return [`${head} ${factsOf(finding)}${finding.note ? ` (${finding.note})` : ''}`.trimEnd(), ...moreOf(finding)];
}

function factsOf(finding: Finding): string {
  if (finding.launches !== undefined) {
    const { wall_ms, gpu_ms, derived_ms, launches, reads, gb_s, tflop_s } = finding;
    return [
      `wall ${short(wall_ms, 2)} ms`,
      `GPU ${short(gpu_ms, 2)} ms`,
      `derived ${short(derived_ms, 2)} ms`,
      `${launches} launches`,
      `${reads} reads`,
      `${short(gb_s, 0)} GB/s`,
      `${short(tflop_s, 2)} TFLOP/s`,
    ].join(', ');
  }
  if (finding.gb_s !== undefined) return `${short(finding.gb_s, 1)} GB/s, ${short(finding.tflop_s, 3)} TFLOP/s`;
  if (finding.error !== undefined) {
    const gradient =
      finding.gradient === undefined ? '' : `, of gradients ${Number(finding.gradient).toExponential(1)}`;
    return `largest error ${Number(finding.error).toExponential(1)}${gradient}`;
  }
  if (finding.description !== undefined) return String(finding.description);
  return '';
}

/** The slowest programs, or the lines of a peer, one each. */
function moreOf({ slowest, lines }: Finding): string[] {
  const shares = (slowest ?? []) as { name: string; launches: number; ms: number }[];
  const peers = (lines ?? []) as { what?: string; ms?: number; error?: number; note?: string }[];
  return [
    ...shares.map(({ name, launches, ms }) => `       ${short(ms, 3).padStart(9)} ms  ${launches} × ${name}`),
    ...peers.map(({ what, ms, error, note }) => {
      const figure = error === undefined ? `${short(ms, 3).padStart(9)} ms` : error.toExponential(1).padStart(12);
      return `       ${figure}  ${what}${note ? ` (${note})` : ''}`;
    }),
  ];
}
