import { EventEmitter } from 'node:events';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import next from 'next';
import { closeService, roomForWork } from '../service';
import { endOnSignals } from './ending';
import { listen, notices } from './listen';
import { say } from './say';
import { makeDoor } from './server';
import type { DoorSettings } from './settings';

export { readDoorSettings } from './settings';

/** For what computes to stop and what has ended to be kept. ms */
const CLOSING = 2000;

/** For the last bytes of answers and event streams, once everything has ended. ms */
const LAST_BYTES = 200;

/**
 * Serves the pages of `dir` through the door, in this process, until a signal ends it.
 * @param dev compiles pages as they are asked for
 * @throws Error with one sentence when it cannot listen.
 */
export async function serve(settings: DoorSettings, { dir, dev }: { dir: string; dev: boolean }): Promise<void> {
  // Next adds itself to whatever server it sees: given this one it only gets what the door has let through.
  const upgrades = new EventEmitter() as Server;
  const app = next({ dir, dev, hostname: settings.host, port: settings.port, httpServer: upgrades });
  let ready: Promise<void> | undefined;
  const handle = app.getRequestHandler();
  const request = async (asked: IncomingMessage, response: ServerResponse) => {
    try {
      await ready;
      await handle(asked, response);
    } catch (error) {
      console.error(error);
      response.destroy();
    }
  };
  const door = makeDoor(settings, {
    request: (asked, response) => void request(asked, response),
    room: roomForWork,
    ...(dev ? { upgrade: (asked, socket, head) => upgrades.emit('upgrade', asked, socket, head) } : {}),
  });
  await listen(door.server, settings);
  endOnSignals(async () => {
    const closed = new Promise((resolve) => door.server.once('close', resolve));
    door.close();
    const whole = await closeService(CLOSING);
    await Promise.race([closed, wait(LAST_BYTES)]);
    await app.close();
    return whole;
  });
  ready = app.prepare();
  for (const line of notices(settings)) say(line);
  await ready;
}
