import ssh2 from 'ssh2';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { runRemote, type SshHost, sshPool } from '../../docs/recipes/connection-pool-ssh.js';
import { makeKeyPair, type SshServer, startSshServer } from '../support/engines/ssh.js';

const dropped = /past MaxStartups/;
const refusedSession = /no more sessions/;

describe('a pool on sshd with MaxStartups 2 and MaxSessions 3', () => {
  let server: SshServer;

  // A server per test, because a server counts the logins of the previous test for a moment longer.
  beforeEach(async () => {
    server = await startSshServer({ maxStartups: 2, maxSessions: 3 });
  });

  afterEach(() => server[Symbol.asyncDispose]());

  it('runs 60 commands without one drop, two logins at a time and three sessions per connection', async () => {
    await using pool = sshPool({ max: 8, maxConnecting: 2, leasesPerConnection: 3 });
    const commands = Array.from({ length: 60 }, (_, id) =>
      runRemote(pool, server.connectionOptions, `sleep 0.02; echo ${id}`),
    );
    expect(await Promise.all(commands)).toEqual(Array.from({ length: 60 }, (_, id) => `${id}\n`));
    expect(pool.stats().connectFailed).toBe(0);
    expect(server.log).not.toMatch(dropped);
    expect(server.log).not.toMatch(refusedSession);
  });

  it('rejects every waiter with the refused login, after the logins that it makes at once and a probe per backoff', async () => {
    const intruder = { ...server.connectionOptions, privateKey: makeKeyPair().private };
    await using pool = sshPool({ max: 8, maxConnecting: 2, leasesPerConnection: 3 });
    const startedMs = performance.now();
    const callers = Array.from({ length: 20 }, () => runRemote(pool, intruder, 'true'));
    for (const caller of await Promise.allSettled(callers)) {
      expect(caller).toMatchObject({
        status: 'rejected',
        reason: { code: 'ERR_CONNECT', cause: { level: 'client-authentication' } },
      });
    }
    // The second login may outlast the backoff of the first, which is 25 ms at least and doubles.
    const probes = Math.ceil(Math.log2(1 + (performance.now() - startedMs) / 25));
    expect(pool.stats().connectFailed).toBeLessThanOrEqual(2 + probes);
    expect(server.log.match(/^Connection from /gm)?.length).toBeLessThanOrEqual(2 + probes);
  });

  it('the server does drop ten logins at once', async () => {
    const clients = Array.from({ length: 10 }, () => logIn(server.connectionOptions));
    const outcomes = await Promise.allSettled(clients);
    for (const outcome of outcomes) if (outcome.status === 'fulfilled') outcome.value.end();
    expect(outcomes.map(({ status }) => status)).toContain('rejected');
    await vi.waitFor(() => expect(server.log).toMatch(dropped));
  });

  it('the server does refuse a fourth session on one connection', async () => {
    const client = await logIn(server.connectionOptions);
    const sessions = [1, 2, 3, 4].map(
      () =>
        new Promise((resolve, reject) => {
          client.exec('cat', (error, channel) => (error ? reject(error) : resolve(channel)));
        }),
    );
    const outcomes = await Promise.allSettled(sessions);
    client.end();
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'fulfilled', 'rejected']);
    await vi.waitFor(() => expect(server.log).toMatch(refusedSession));
  });
});

function logIn(host: SshHost): Promise<ssh2.Client> {
  return new Promise((resolve, reject) => {
    const client = new ssh2.Client();
    client.once('ready', () => resolve(client)).on('error', reject);
    client.once('close', () => reject(new Error('the server hung up'))).connect(host);
  });
}
