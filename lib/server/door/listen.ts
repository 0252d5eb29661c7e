import type { Server } from 'node:http';
import { networkInterfaces } from 'node:os';
import { type DoorSettings, inUrl } from './settings';

function sentenceFor({ code, message }: NodeJS.ErrnoException, { host, port }: DoorSettings): string {
  switch (code) {
    case 'EADDRINUSE':
      return `Port ${port} of ${host} is taken: stop the program that has it, or choose another with PORT.`;
    case 'EACCES':
      return `Port ${port} may not be used by this user: choose another with PORT, 1024 or above.`;
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `STATESCOPE_HOST is "${host}", which is no known name: give an address of this machine.`;
    case 'EADDRNOTAVAIL':
      return `STATESCOPE_HOST is "${host}", which is not an address of this machine.`;
    default:
      return `It cannot listen on ${inUrl(host)}:${port}: ${message}.`;
  }
}

/** @throws Error with one sentence that says what to change. */
export function listen(server: Server, settings: DoorSettings): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (error: Error) => reject(new Error(sentenceFor(error, settings)));
    server.once('error', failed);
    server.listen(settings.port, settings.host, () => {
      server.off('error', failed);
      resolve();
    });
  });
}

const isAny = (host: string): boolean => host === '0.0.0.0' || host === '::';

/** Addresses by which other machines reach this one. */
const addresses = (): string[] =>
  Object.values(networkInterfaces())
    .flatMap((found) => found ?? [])
    .filter(({ internal, family }) => !internal && family === 'IPv4')
    .map(({ address }) => address);

/** What whoever started the server must know: where it is, who reaches it, and by what right. */
export function notices(settings: DoorSettings): string[] {
  const { host, port, open, token, tokenIsNew, allowedHosts, readOnly } = settings;
  const query = token !== null && tokenIsNew ? `/?token=${token}` : '';
  const url = (name: string) => `http://${inUrl(name)}:${port}${query}`;
  const lines = [`open ${url(isAny(host) ? '127.0.0.1' : host)}`];
  if (isAny(host)) lines.push(...addresses().map((address) => `  or ${url(address)}`));
  if (token !== null && !tokenIsNew) lines.push('it asks for the token of STATESCOPE_TOKEN');
  if (open || allowedHosts.length > 0) {
    const who = token === null ? 'Everybody who reaches it' : 'Everybody who reaches it and has the token';
    const may = readOnly ? 'reads all runs and computes' : 'reads, changes and removes all runs, and computes';
    const where = open ? `It listens on ${host}, beyond this machine` : `It is offered as ${allowedHosts.join(', ')}`;
    const plain = open ? ' Nothing is encrypted: docs/deploy.md says how a proxy adds TLS.' : '';
    lines.push(`${where}. ${who} ${may}.${plain}`);
  }
  if (readOnly) lines.push('read-only: runs are not kept, named or removed, and folders of models stay as they are');
  return lines;
}
