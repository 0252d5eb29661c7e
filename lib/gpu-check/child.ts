import { openGpuDevice } from './adapter';
import type { Group, Message, Size } from './step';

/** A processor that imitates a GPU, shared with others, may take this many times as long. */
const SLOWER = 15;

/** Runs a group's steps from number `skip` on, and says on stdout, line by line, what it begins and finds. */
export async function runGroup(group: Group, size: Size, skip: number): Promise<void> {
  const say = (message: Message) => void process.stdout.write(`${JSON.stringify(message)}\n`);
  let open = false;
  for (const { name, seconds, run } of (await group.steps(size)).slice(skip)) {
    say({ begin: name, seconds: seconds * (size.small ? SLOWER : 1) });
    try {
      if (!open) await openGpuDevice();
      open = true;
      say({ found: name, finding: await run() });
    } catch (error) {
      say({ found: name, finding: { ok: false, note: (error as Error).message.split('\n')[0] } });
    }
  }
}
