import { once } from 'node:events';
import net from 'node:net';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { onDeadline } from '../../src/waiting/deadlines.js';

const ignored = { onExpire() {} };

/** The timers that keep this process alive. */
const liveTimers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;

afterEach(() => {
  vi.restoreAllMocks();
});

describe('deadlines in real time', () => {
  test('DL1: a timer keeps the process alive exactly while something waits', () => {
    const before = liveTimers();
    for (let round = 0; round < 3; round++) {
      const places = [onDeadline(60_000, ignored), onDeadline(60_000, ignored)];
      expect(liveTimers()).toBe(before + 1);
      for (const place of places) place.leave();
      expect(liveTimers()).toBe(before);
    }
  });

  test('DL1: waits of one duration, one after the other, set one timer', () => {
    onDeadline(50_000, ignored).leave();
    const cancelled = vi.spyOn(globalThis, 'clearTimeout');
    for (let i = 0; i < 1_000; i++) onDeadline(50_000, ignored).leave();
    expect(cancelled).not.toHaveBeenCalled();
  });

  test('DL1: one timer at most rests, however many durations there were', () => {
    onDeadline(40_000, ignored).leave();
    const cancelled = vi.spyOn(globalThis, 'clearTimeout');
    for (let i = 1; i <= 100; i++) onDeadline(40_000 + i, ignored).leave();
    expect(cancelled).toHaveBeenCalledTimes(100);
  });

  test('DL1: a timer of more than a minute does not rest', () => {
    onDeadline(60_001, ignored).leave();
    const cancelled = vi.spyOn(globalThis, 'clearTimeout');
    for (let i = 0; i < 10; i++) onDeadline(60_001, ignored).leave();
    expect(cancelled).toHaveBeenCalledTimes(10);
  });

  test('DL1: a wait that takes over a timer at rest has its full length', async () => {
    onDeadline(100, ignored).leave();
    await new Promise((resolve) => setTimeout(resolve, 60));
    const waitedMs = await new Promise<number>((onExpire) => onDeadline(100, { onExpire }));
    expect(waitedMs).toBeGreaterThanOrEqual(99);
  });

  test('DL1: a timer that fires at rest is over, and the next wait has one of its own', async () => {
    onDeadline(10, ignored).leave();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(await new Promise<number>((onExpire) => onDeadline(10, { onExpire }))).toBeGreaterThanOrEqual(9);
  });

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
