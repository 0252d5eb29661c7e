/** What this GPU cannot hold or start; the message says what to give instead. */
export class DeviceLimitError extends Error {
  override readonly name = 'DeviceLimitError';

  constructor(what: string) {
    super(`${what}: give less text or fewer rows at a time, or take the native device.`);
  }
}

/** Workgroups along an axis that every device starts; no adapter offers more. */
export const MOST_GROUPS = 65535;

const gigabytes = (bytes: number) => `${(bytes / 1e9).toPrecision(3)} GB`;

/** Bytes of one array that a program can reach. */
export const reachOf = ({ maxBufferSize, maxStorageBufferBindingSize }: GPUSupportedLimits): number =>
  Math.min(maxBufferSize, maxStorageBufferBindingSize);

/** @throws DeviceLimitError where an array of so many words of 32 bits is larger than a program can reach */
export function requireReach(words: number, reach: number): void {
  const bytes = 4 * words;
  if (bytes > reach)
    throw new DeviceLimitError(
      `An array takes ${gigabytes(bytes)} and a program on this GPU reaches ${gigabytes(reach)} of one`,
    );
}

/**
 * @param chained whether the program knows its workgroups by their number alone, so that they may go on along other axes
 * @throws DeviceLimitError where it needs more workgroups than the device starts
 */
export function requireGroups(groups: readonly number[], chained: boolean): void {
  const most = Math.max(...groups);
  const alongOne = groups.every((count, axis) => axis === 0 || count === 1);
  if (most > MOST_GROUPS && !(chained && alongOne))
    throw new DeviceLimitError(`A program needs ${most} groups of threads and a GPU starts ${MOST_GROUPS}`);
}
