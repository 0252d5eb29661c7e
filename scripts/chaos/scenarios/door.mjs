import { readFileSync } from 'node:fs';
import { QUESTION } from '../models.mjs';
import { Server } from '../server.mjs';

/** Addresses at which somebody listens on a port, from the kernel: hexadecimal, as /proc has them. */
function listeners(port) {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  return ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((path) =>
    readFileSync(path, 'utf8')
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .filter(([, local, , state]) => state === '0A' && local?.endsWith(`:${hex}`))
      .map(([, local]) => local.split(':')[0]),
  );
}

const LOOPBACK = ['0100007F', '00000000000000000000000001000000'];

export default {
  name: 'door',
  title: 'foreign hosts and origins, and environments that would open the door',
  async run(world) {
    const environments = [
      { HOST: '' },
      { HOST: 'x86_64-conda-linux-gnu' },
      { HOST: '0.0.0.0' },
      { STATESCOPE_HOST: '' },
    ];
    let server;
    for (const env of world.quick ? environments.slice(0, 2) : environments) {
      await server?.stop();
      server = await Server.start(world, { data: 'none', env });
      const open = listeners(server.port).filter((address) => !LOOPBACK.includes(address));
      world.check('the server listens on loopback alone', open.length === 0, `${JSON.stringify(env)}: ${open}`);
      world.count('environments tried');
    }

    const evil = `evil.example:${server.port}`;
    const strangers = [
      { host: evil },
      { host: evil, origin: `http://${evil}`, 'sec-fetch-site': 'same-origin' },
      { host: '192.0.2.2' },
      { host: 'localhost.evil.example' },
      { host: `evil.example@127.0.0.1:${server.port}` },
    ];
    for (const headers of strangers) {
      for (const path of ['/api/models', '/api/runs', '/api/health', '/', '/runs']) {
        const { status } = await server.get(path, { headers });
        world.check(
          'foreign hosts read nothing',
          status >= 400 && status < 500,
          `${JSON.stringify(headers)} ${path}: ${status}`,
        );
      }
      const { status } = await server.post('/api/runs', QUESTION, { headers });
      world.check(
        'foreign hosts start nothing',
        status >= 400 && status < 500,
        `${JSON.stringify(headers)}: ${status}`,
      );
    }
    const own = `127.0.0.1:${server.port}`;
    const sites = [
      { host: own, origin: 'http://evil.example' },
      { host: own, origin: 'null' },
      { host: own, 'sec-fetch-site': 'cross-site' },
      { host: own, origin: `http://127.0.0.1:${server.port + 1}` },
    ];
    for (const headers of sites) {
      const { status } = await server.post('/api/runs', QUESTION, { headers });
      world.check(
        'foreign origins start nothing',
        status >= 400 && status < 500,
        `${JSON.stringify(headers)}: ${status}`,
      );
      const read = await server.get('/api/runs', { headers });
      world.check(
        'foreign origins read nothing',
        read.status >= 400 && read.status < 500,
        `${JSON.stringify(headers)}: ${read.status}`,
      );
    }
    world.count('bad inputs', strangers.length * 6 + sites.length * 2);
    for (const host of [own, `localhost:${server.port}`]) {
      const { status } = await server.post('/api/runs', QUESTION, { headers: { host, origin: `http://${host}` } });
      world.check('the page itself is let in', status === 202, `${host}: ${status}`);
    }
    await server.stop();
  },
};
