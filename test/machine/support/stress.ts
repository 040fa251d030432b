/** Eight processes, one key, and random SIGKILLs: counts violations of exclusion and of the order of tokens in the log. */
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Guests, ProcessGuest } from './guests.js';

export interface StressReport {
  readonly grants: number;
  readonly kills: number;
  /** How many processes wrote to the log at all. */
  readonly processes: number;
  /** Entries while another process was inside. */
  readonly overlaps: number;
  /** Grants whose token was not larger than the one before. */
  readonly tokensBack: number;
}

/** Ends after `grants` grants. A killed process is replaced by a new one. */
export async function stress(
  guests: Guests,
  grants: number,
  processes: number,
  killEveryMs: number,
): Promise<StressReport> {
  const log = path.join(guests.folder, 'log');
  await writeFile(log, '');
  const crew: ProcessGuest[] = [];
  const start = (at: number) => {
    const guest = guests.process();
    crew[at] = guest;
    void guest.do('log grants', { grants, log }).catch(() => {});
  };
  for (let i = 0; i < processes; i++) start(i);
  const killed = new Set<number>();
  let text = '';
  while (text.split('\n').length < 2 * grants) {
    await new Promise((resolve) => setTimeout(resolve, killEveryMs * (0.5 + Math.random())));
    const at = Math.floor(Math.random() * processes);
    await crew[at]!.kill('SIGKILL');
    killed.add(crew[at]!.pid);
    start(at);
    text = await readFile(log, 'utf8');
  }
  await Promise.all(crew.map((guest) => guest.kill('SIGKILL')));
  for (const { pid } of crew) killed.add(pid);
  return { ...judge(await readFile(log, 'utf8'), killed), kills: killed.size - processes };
}

/** An entry without an exit is whole if its process was killed and wrote nothing afterwards. */
export function judge(text: string, killed: ReadonlySet<number>): Omit<StressReport, 'kills'> {
  const lines = text.trimEnd().split('\n');
  const events = lines.map((line) => {
    const [what, pid, token] = line.split(' ');
    return { what, pid: Number(pid), token: BigInt(token ?? 0) };
  });
  let [grants, overlaps, tokensBack, last] = [0, 0, 0, 0n];
  let inside: number | undefined;
  const dead = new Set<number>();
  for (const { what, pid, token } of events) {
    if (dead.has(pid)) overlaps++;
    if (what === 'in') {
      grants++;
      if (token <= last) tokensBack++;
      last = token;
      if (inside !== undefined) {
        if (killed.has(inside)) dead.add(inside);
        else overlaps++;
      }
      inside = pid;
    } else {
      if (inside !== pid) overlaps++;
      inside = undefined;
    }
  }
  return { grants, processes: new Set(events.map(({ pid }) => pid)).size, overlaps, tokensBack };
}
