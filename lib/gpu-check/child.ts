import { openGpuDevice } from './adapter';
import type { Group, Message, Size } from './step';

/** A processor that imitates a GPU, shared with others, may take this many times as long. */
const SLOWER = 15;

/**
 * Runs a group's steps from number `skip` on, and says on stdout, line by line, what it begins and finds. Without a device the first
 * step says why, and the others are not tried.
 */
export async function runGroup(group: Group, size: Size, skip: number): Promise<void> {
  const say = (message: Message) => void process.stdout.write(`${JSON.stringify(message)}\n`);
  const wrong = (error: unknown) => ({ ok: false, note: (error as Error).message.split('\n')[0] });
  let open = group.elsewhere ?? false;
  for (const { name, seconds, run } of (await group.steps(size)).slice(skip)) {
    say({ begin: name, seconds: seconds * (size.small ? SLOWER : 1) });
    if (!open) {
      try {
        await openGpuDevice();
        open = true;
      } catch (error) {
        return say({ found: name, finding: wrong(error) });
      }
    }
    try {
      say({ found: name, finding: await run() });
    } catch (error) {
      say({ found: name, finding: wrong(error) });
    }
  }
}
