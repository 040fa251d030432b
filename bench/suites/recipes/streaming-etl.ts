import { createReadStream } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Readable } from 'node:stream';
import pg from 'pg';
import { copy as copyNaively } from '../../../docs/recipes/naive/streaming-etl.js';
import { copy, type Load } from '../../../docs/recipes/streaming-etl.js';
import { elapsedMs } from '../../harness/stopwatch.js';
import type { RecipeCost } from './recipe.js';

const size = 50_000;

export const streamingEtl: RecipeCost = {
  name: 'streaming-etl',
  async measure(engines) {
    const { connectionOptions } = await engines.postgres();
    const pool = new pg.Pool({ ...connectionOptions, max: 8 });
    const folder = await mkdtemp(path.join(tmpdir(), 'latchkey-etl-'));
    const file = path.join(folder, 'events.ndjson');
    try {
      await writeFile(file, Array.from({ length: size }, (_, id) => `{"id":${id}}\n`).join(''));
      const naive = await copied(pool, file, copyNaively);
      const recipe = await copied(pool, file, copy);
      const rows = size.toLocaleString('en-US');
      return [
        { what: `most rows in memory, of ${rows}`, naive: naive.most, recipe: recipe.most },
        { what: `${rows} rows into PostgreSQL`, unit: 'ms', naive: naive.tookMs, recipe: recipe.tookMs },
      ];
    } finally {
      await pool.end();
      await rm(folder, { recursive: true });
    }
  },
};

/** Rows are in memory from when they are parsed until they are written. */
async function copied(pool: pg.Pool, file: string, way: (input: Readable, load: Load) => Promise<void>) {
  await pool.query('drop table if exists events');
  await pool.query('create table events (id int primary key)');
  let [parsed, written, most] = [0, 0, 0];
  const { parse } = JSON;
  JSON.parse = (text) => {
    most = Math.max(most, ++parsed - written);
    return parse(text);
  };
  try {
    const tookMs = await elapsedMs(() =>
      way(createReadStream(file), async (rows) => {
        await pool.query('insert into events select * from unnest($1::int[])', [rows.map(({ id }) => id)]);
        written += rows.length;
      }),
    );
    return { tookMs, most };
  } finally {
    JSON.parse = parse;
  }
}
