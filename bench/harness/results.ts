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

/** Where the last run on a major of Node is kept, from the root of the project. */
export function resultsFile(node: string): string {
  return `bench/results/node-${majorOf(node)}.json`;
}

export function thisMachine(): Machine {
  return {
    node: process.version,
    flags: process.execArgv,
    cores: availableParallelism(),
    commit: commit(),
    date: new Date().toISOString(),
  };
}

export async function writeRun(run: Run): Promise<void> {
  const file = fileOf(run.node);
  await mkdir(new URL('.', file), { recursive: true });
  await writeFile(file, `${JSON.stringify(run, undefined, 2)}\n`);
}

/** The last run on that Node, or on any of its major. Rejects if there is none. */
export async function lastRun(node: string): Promise<Run> {
  return JSON.parse(await readFile(fileOf(node), 'utf8'));
}

/** `v26.1.0` or `26` */
export function majorOf(node: string): string {
  return node.replace(/^v/, '').split('.')[0]!;
}

function fileOf(node: string): URL {
  return new URL(`../../../../${resultsFile(node)}`, import.meta.url);
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
