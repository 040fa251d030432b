import { once } from 'node:events';
import net from 'node:net';
import { describe, expect, test } from 'vitest';
import { onDeadline } from '../../src/waiting/deadlines.js';

describe('deadlines in real time', () => {
  test('DL4: a call does not time out if its answer arrived while the loop was blocked', async () => {
    const server = net.createServer((socket) => socket.end('hello')).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const socket = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1');
    const told: string[] = [];
    const deadline = onDeadline(50, { onExpire: () => told.push('expired') });
    socket.resume();
    socket.once('connect', () => {
      told.push('connected');
      deadline.leave();
    });
    const untilMs = performance.now() + 150;
    while (performance.now() < untilMs);
    await once(socket, 'close');
    server.close();
    expect(told).toEqual(['connected']);
  });

  test('DL4: a stalled process does not keep a wait for ever', async () => {
    const expired = new Promise<number>((onExpire) => onDeadline(20, { onExpire }));
    const untilMs = performance.now() + 100;
    while (performance.now() < untilMs);
    expect(await expired).toBeGreaterThanOrEqual(99);
  });
});
