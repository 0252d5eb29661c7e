import {
  appendFileSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { filesBelow } from '../ledger.mjs';
import { QUESTION } from '../models.mjs';
import { Server } from '../server.mjs';
import { sha256 } from '../world.mjs';

const DAMAGES = {
  'pg_control of zeros': (data) => writeFileSync(join(data, 'database', 'global', 'pg_control'), Buffer.alloc(8192)),
  'no PG_VERSION': (data) => rmSync(join(data, 'database', 'PG_VERSION')),
  'a journal of zeros': (data) => {
    const folder = join(data, 'database', 'pg_wal');
    for (const name of readdirSync(folder).filter((file) => /^[0-9A-F]{24}$/.test(file)))
      writeFileSync(join(folder, name), Buffer.alloc(4096));
  },
  'no base folder': (data) => rmSync(join(data, 'database', 'base'), { recursive: true }),
  'a torn lock': (data) => writeFileSync(join(data, 'lock.json'), '{"pid":'),
  'a lock that is a folder': (data) => {
    rmSync(join(data, 'lock.json'), { recursive: true, force: true });
    mkdirSync(join(data, 'lock.json'));
  },
};

/** Changes to a file of arrays that leave its header and its numbers at odds. */
const TAMPERINGS = [
  (bytes) => bytes.subarray(0, bytes.length / 2),
  (bytes) => Buffer.alloc(bytes.length),
  (bytes) => Buffer.concat([bytes.subarray(0, 8), Buffer.alloc(bytes.length - 8, '[')]),
  (bytes) => restructured(bytes, (structure) => ({ ...structure, L: 4000 })),
  (bytes) => restructured(bytes, (structure) => ({ ...structure, L: -5 })),
];

function restructured(bytes, change) {
  const end = 8 + Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.subarray(8, end).toString());
  header.__metadata__.structure = JSON.stringify(change(JSON.parse(header.__metadata__.structure)));
  const text = Buffer.from(JSON.stringify(header));
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([size, text, bytes.subarray(end)]);
}

async function store(world, data) {
  const server = await Server.start(world, { data });
  const ids = [await server.run(QUESTION), await server.run(QUESTION)];
  await server.kept(...ids);
  await server.stop();
  return ids;
}

const arrayDigests = (data) =>
  filesBelow(join(data, 'runs'))
    .filter((path) => path.endsWith('.safetensors'))
    .map((path) => `${path} ${sha256(readFileSync(path))}`);

export default {
  name: 'damaged-store',
  title: 'a store with a damaged database, lock or arrays',
  async run(world) {
    const data = world.make('tampered');
    const ids = await store(world, data);
    const chosen = world.random.shuffled(Object.entries(DAMAGES)).slice(0, world.quick ? 1 : 4);
    for (const [name, damage] of chosen) {
      const damaged = join(world.folder, name.replaceAll(' ', '-'));
      cpSync(data, damaged, { recursive: true });
      const before = arrayDigests(damaged);
      damage(damaged);
      const server = await Server.start(world, { data: damaged });
      const { archive } = await server.list();
      const told = archive.state === 'open' || /[.!]$/.test(archive.message ?? '');
      world.check(
        'a damaged store opens, or says in a sentence that it does not',
        told,
        `${name}: ${JSON.stringify(archive)}`,
      );
      const id = await server.run(QUESTION);
      await server.ended(id);
      const { json } = await server.get(`/api/runs/${id}`);
      world.check('the server computes beside a damaged store', json.state === 'done', json);
      await server.stop();
      const after = new Set(arrayDigests(damaged));
      world.check(
        'a damaged database costs no arrays',
        before.every((line) => after.has(line)),
        name,
      );
      world.count('stores damaged');
    }
    const [file] = filesBelow(join(data, 'runs', ids[0])).filter((path) => path.endsWith('model-0.safetensors'));
    const whole = readFileSync(file);
    const server = await Server.start(world, { data });
    await server.list();
    for (const tamper of TAMPERINGS) {
      writeFileSync(file, tamper(whole));
      for (const reading of ['map?layer=0', 'lens?', 'signal?', 'channels?layer=0', 'thumbnails?']) {
        const { status } = await server.get(`/api/runs/${ids[0]}/${reading}`);
        world.check(
          'arrays that cannot be read are told as such',
          status === 200 || (status >= 400 && status < 500),
          `${reading} ${status}`,
        );
      }
      world.count('arrays tampered with');
      const { json } = await server.get('/api/health');
      world.check('health answers beside tampered arrays', json?.status === 'ready', json);
    }
    const other = await server.get(`/api/runs/${ids[1]}/map?layer=0`);
    world.check('whole runs open beside tampered ones', other.status === 200, other.status);
    await server.stop();
    appendFileSync(file, '');
    truncateSync(file, 0);
    const last = await Server.start(world, { data });
    const { archive } = await last.list();
    world.check('a store with an empty file of arrays opens', archive.state === 'open', archive);
    await last.stop();
  },
};
