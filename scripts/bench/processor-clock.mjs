// For `node --import`, on Linux: time is the processor time of the thread that asks, so that what measures itself says what it
// costs and not how busy the machine is. Waiting takes no time.
import { readFileSync } from 'node:fs';

const nothing = new Int32Array(new SharedArrayBuffer(4));

performance.now = () => {
  // Linux counts what a thread has run when it lets go of its processor.
  Atomics.wait(nothing, 0, 0, 0.1);
  return Number(readFileSync('/proc/thread-self/schedstat', 'latin1').split(' ', 1)[0]) / 1e6;
};
