/** The result of a run: where it ran, and every table with its figures. */
import { execFileSync } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import type { Measured } from './measure.js';
import type { TableHead } from './subjects.js';

export interface Result extends TableHead {
  readonly suite: string;
  readonly rows: readonly Measured[];
}

export interface Machine {
  readonly node: string;
  readonly flags: readonly string[];
  readonly cores: number;
  readonly commit: string;
  readonly date: string;
}

export interface Run extends Machine {
  readonly results: readonly Result[];
}

const latest = new URL('../../../results/latest.json', import.meta.url);

export function thisMachine(): Machine {
  return {
    node: process.version,
    flags: process.execArgv,
    cores: availableParallelism(),
    commit: commit(),
    date: new Date().toISOString(),
  };
}

export async function writeLatest(run: Run): Promise<void> {
  await mkdir(new URL('.', latest), { recursive: true });
  await writeFile(latest, `${JSON.stringify(run, undefined, 2)}\n`);
}

export async function readLatest(): Promise<Run> {
  return JSON.parse(await readFile(latest, 'utf8'));
}

function commit(): string {
  try {
    return execFileSync('git', ['describe', '--always', '--dirty'], {
      encoding: 'utf8',
      stdio: 'pipe',
    }).trim();
  } catch {
    return 'outside git';
  }
}
