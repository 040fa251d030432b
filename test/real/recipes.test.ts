import { once } from 'node:events';
import { createServer, type ServerHttp2Session } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { get, http2Pool } from '../../docs/recipes/connection-pool-http2.js';
import { creditAll } from '../../docs/recipes/connection-pool-pg.js';
import { runRemote, sshPool } from '../../docs/recipes/connection-pool-ssh.js';
import { linePool } from '../../docs/recipes/connection-pool-tcp.js';
import { type PostgresServer, startPostgres } from '../support/engines/postgres.js';
import { type SshServer, startSshServer } from '../support/engines/ssh.js';
import { echoesAfter, startTcpServer } from '../support/engines/tcp.js';

describe('recipe pg', () => {
  let postgres: PostgresServer;

  beforeAll(async () => {
    postgres = await startPostgres();
    await postgres.admin('CREATE TABLE accounts (id int PRIMARY KEY, balance int CHECK (balance <= 200))');
    await postgres.admin('INSERT INTO accounts SELECT id, 100 + id FROM generate_series(1, 100) AS id');
    await postgres.admin('GRANT ALL ON accounts TO app');
  });

  afterAll(() => postgres[Symbol.asyncDispose]());

  it('credits every account once, and reports the one that its constraint forbids', async () => {
    const ids = Array.from({ length: 100 }, (_, index) => index + 1);
    const { succeeded, errors } = await creditAll(postgres.connectionOptions, ids, 1);
    expect(succeeded).toBe(99);
    expect(errors).toMatchObject([{ item: 100, error: { code: '23514' } }]);
    const [total] = await postgres.admin('SELECT sum(balance - 100 - id)::int AS credited FROM accounts');
    expect(total).toEqual({ credited: 99 });
  });
});

describe('recipe ssh', () => {
  let server: SshServer;

  beforeAll(async () => {
    server = await startSshServer({ maxStartups: 10, maxSessions: 10 });
  });

  afterAll(() => server[Symbol.asyncDispose]());

  it('runs 40 commands over the few logins that its defaults allow', async () => {
    await using pool = sshPool();
    const commands = Array.from({ length: 40 }, (_, id) =>
      runRemote(pool, server.connectionOptions, `echo ${id}`),
    );
    expect(await Promise.all(commands)).toEqual(Array.from({ length: 40 }, (_, id) => `${id}\n`));
    expect(pool.stats().connectFailed).toBe(0);
    expect(pool.stats().connected).toBeLessThanOrEqual(5);
  });
});

it('recipe tcp: 100 callers over 5 connections each get the answer to their own question', async () => {
  await using server = await startTcpServer(echoesAfter(1));
  await using pool = linePool({ max: 5 });
  const questions = Array.from({ length: 100 }, (_, id) => `question ${id}`);
  const answers = questions.map((question) =>
    pool.use(server.connectionOptions, (client) => client.ask(question)),
  );
  expect(await Promise.all(answers)).toEqual(questions);
  expect(server.accepted).toBe(5);
});

describe('recipe http2', () => {
  const sessions: ServerHttp2Session[] = [];
  const server = createServer((request, response) => {
    setTimeout(() => response.end(`answer to ${request.url}`), request.url === '/slow' ? 200 : 5);
  });
  server.on('session', (session) => sessions.push(session));
  const url = (path: string) => new URL(path, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);

  beforeAll(() => once(server.listen(0, '127.0.0.1'), 'listening'));
  afterAll(() => once(server.close(), 'close'));

  it('serves 100 requests over one session', async () => {
    await using pool = http2Pool();
    const answers = await Promise.all(Array.from({ length: 100 }, (_, id) => get(pool, url(`/${id}`))));
    expect(answers.map(({ body }) => body)).toEqual(answers.map((_, id) => `answer to /${id}`));
    expect(answers[0]?.headers).toMatchObject({ ':status': 200 });
    expect(pool.stats()).toMatchObject({ connected: 1, total: 1 });
  });

  it('loses no request to a GOAWAY: the running one ends on its session, the next gets another', async () => {
    await using pool = http2Pool();
    const running = get(pool, url('/slow'));
    await get(pool, url('/quick'));
    using lease = await pool.acquire(url('/').origin);
    const told = once(lease.connection, 'goaway');
    sessions.at(-1)?.goaway();
    await told;
    expect((await get(pool, url('/next'))).body).toBe('answer to /next');
    expect((await running).body).toBe('answer to /slow');
    expect(pool.stats().connected).toBe(2);
  });
});
