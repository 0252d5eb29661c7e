import { Postgres } from '../lib/postgres.mjs';

/** A PostgreSQL server that runs until its scenario ends. */
export async function postgresOf(world) {
  const postgres = await Postgres.create();
  world.defer(() => postgres.remove());
  await postgres.start();
  return postgres;
}
