/** Recipes that move many rows: a real database, real files, real threads. */
import { createReadStream } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { monitorEventLoop } from 'latchkey/event-loop';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { importAll, profiles } from '../../docs/recipes/batches.js';
import { importProducts, type Product } from '../../docs/recipes/naive/batches.js';
import { copy as copyNaively } from '../../docs/recipes/naive/streaming-etl.js';
import { OffThread } from '../../docs/recipes/off-thread.js';
import { copy, type Row } from '../../docs/recipes/streaming-etl.js';
import { type PostgresServer, startPostgres } from '../support/engines/postgres.js';

let server: PostgresServer;
let pool: pg.Pool;
let folder: string;
beforeAll(async () => {
  server = await startPostgres();
  pool = new pg.Pool({ ...server.connectionOptions, max: 8 });
  pool.on('error', () => {});
  folder = await mkdtemp(path.join(tmpdir(), 'latchkey-etl-'));
});
afterAll(async () => {
  await pool.end();
  await server[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});
beforeEach(async () => {
  await pool.query('drop table if exists products, events');
  await pool.query('create table products (id int primary key, price int check (price >= 0))');
  await pool.query('create table events (id int primary key)');
});

const count = async (table: string) =>
  (await pool.query(`select count(*)::int as n from ${table}`)).rows[0].n as number;

describe('batches', () => {
  const products = (size: number, wrong: ReadonlySet<number>): Product[] =>
    Array.from({ length: size }, (_, id) => ({ id, price: wrong.has(id) ? -1 : id }));
  const save = async (batch: readonly Product[]) => {
    await pool.query('insert into products select * from unnest($1::int[], $2::int[])', [
      batch.map(({ id }) => id),
      batch.map(({ price }) => price),
    ]);
  };
  const isRowError = (error: unknown) => /^(22|23)/.test((error as { code?: string }).code ?? '');

  test.each(Object.entries(profiles))(
    '%s: all rows except the wrong ones are in, and those are named',
    async (_name, profile) => {
      const wrong = new Set([0, 17, 555, 1_999]);
      const refused = await importAll(products(2_000, wrong), { save, isRowError, profile });
      expect(new Set(refused.map(({ row }) => row.id))).toEqual(wrong);
      expect(refused[0]?.error).toMatchObject({ code: '23514' });
      expect(await count('products')).toBe(1_996);
    },
  );

  test('never more rows in memory than the profile allows, for any number of rows', async () => {
    let [pulled, saved, most] = [0, 0, 0];
    function* source() {
      for (let id = 0; id < 5_000; id++) {
        most = Math.max(most, ++pulled - saved);
        yield { id, price: id };
      }
    }
    const slow = async (batch: readonly Product[]) => {
      await save(batch);
      saved += batch.length;
    };
    const { batchSize, concurrency } = profiles.balanced;
    await importAll(source(), { save: slow, isRowError });
    expect(most).toBeLessThanOrEqual(batchSize * (concurrency + 1));
  });

  test('a database that is down ends it with its error, and does not get a query for every half', async () => {
    let asked = 0;
    const down = () => {
      asked++;
      return Promise.reject(new Error('refused'));
    };
    await expect(importAll(products(5_000, new Set()), { save: down, isRowError })).rejects.toThrow(
      'refused',
    );
    expect(asked).toBeLessThanOrEqual(profiles.balanced.concurrency);
  });

  test('the naive import ends at the first wrong row, and does not say how far it came', async () => {
    await expect(importProducts(pool, products(200, new Set([100])))).rejects.toMatchObject({
      code: '23514',
    });
  });
});

describe('streaming-etl', () => {
  const lines = (size: number) =>
    Array.from({ length: size }, (_, id) => `${JSON.stringify({ id })}\n`).join('');
  let file: string;
  beforeEach(async () => {
    file = path.join(folder, 'events.ndjson');
    await writeFile(file, lines(5_000));
  });
  const load = async (rows: readonly Row[]) => {
    await pool.query('insert into events select * from unnest($1::int[])', [rows.map(({ id }) => id)]);
  };

  test('every line is in the database, and no more than the capacity was in memory', async () => {
    let [parsed, loaded, most] = [0, 0, 0];
    const { parse } = JSON;
    JSON.parse = (text: string) => {
      most = Math.max(most, ++parsed - loaded);
      return parse(text);
    };
    try {
      await copy(
        createReadStream(file),
        async (rows) => {
          await load(rows);
          loaded += rows.length;
        },
        { capacity: 600, batchSize: 100 },
      );
    } finally {
      JSON.parse = parse;
    }
    expect(await count('events')).toBe(5_000);
    // One more waits outside for room.
    expect(most).toBeLessThanOrEqual(601);
  });

  test('the naive copy has the whole file in memory', async () => {
    let [begun, most] = [0, 0];
    await copyNaively(createReadStream(file), async (rows) => {
      most = Math.max(most, ++begun);
      await load(rows);
      begun--;
    });
    expect(most).toBe(5_000);
  });

  test('a writer that fails ends it with its error, and the file is closed', async () => {
    await pool.query('insert into events values (3000)');
    const input = createReadStream(file);
    await expect(copy(input, load)).rejects.toMatchObject({ code: '23505' });
    expect(input.destroyed).toBe(true);
  });

  test('an error of the disk does not count as the end of the file', async () => {
    const input = Readable.from(
      (function* () {
        yield lines(10);
        throw new Error('EIO');
      })(),
    );
    await expect(copy(input, load)).rejects.toThrow('EIO');
  });
});

describe('off-thread', () => {
  const worker = new URL('../../docs/recipes/off-thread-worker.js', import.meta.url);
  const csv = (size: number) => Array.from({ length: size }, (_, i) => `customer ${i % 7};${i}`).join('\n');

  test('the sums are right, and the event loop is not blocked', async () => {
    await using summaries = new OffThread<string, Map<string, number>>(worker, { threads: 1 });
    await summaries.run('');
    using loop = monitorEventLoop();
    const totals = await summaries.run(csv(500_000));
    expect(totals.get('customer 3')).toBe(
      Array.from({ length: 500_000 }, (_, i) => (i % 7 === 3 ? i : 0)).reduce((a, b) => a + b),
    );
    expect(loop.stats().observedMs).toBeGreaterThan(0);
  });

  test('lines that end in a newline, or are empty, are no customers', async () => {
    await using summaries = new OffThread<string, Map<string, number>>(worker, { threads: 1 });
    expect([...(await summaries.run('ann;1\r\nbob;2\n\nann;3\n'))]).toEqual([
      ['ann', 4],
      ['bob', 2],
    ]);
    expect((await summaries.run('')).size).toBe(0);
  });

  test('a caller beyond maxWaiting is refused at once; a waiting caller may give up', async () => {
    await using summaries = new OffThread<string, Map<string, number>>(worker, { threads: 1, maxWaiting: 1 });
    const running = summaries.run(csv(50_000));
    const controller = new AbortController();
    const waiting = summaries.run('', { signal: controller.signal });
    await expect(summaries.run('')).rejects.toMatchObject({ code: 'ERR_QUEUE_FULL' });
    controller.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
    await expect(running).resolves.toBeInstanceOf(Map);
  });

  test('an abort ends the thread that is at work, and the next import has another one', async () => {
    await using summaries = new OffThread<string, Map<string, number>>(worker, { threads: 1 });
    const controller = new AbortController();
    const running = summaries.run(csv(2_000_000), { signal: controller.signal });
    setTimeout(() => controller.abort(), 20);
    await expect(running).rejects.toThrow();
    expect((await summaries.run('ann;1')).get('ann')).toBe(1);
  });
});
