import { now } from '../runtime/clock.js';
import { cycleOf, type DeadlockStep, nameOfHold, nameOfWait } from './report.js';
import type { Hold, Step, Task, Wait, WaitGraph } from './wait-graph.js';

/** A permit, lease or key that is held. */
export interface HeldEntry {
  readonly name: string;
  readonly place: string;
  readonly heldMs: number;
  readonly weight: number;
}

/** A caller that waits. */
export interface WaitingEntry {
  readonly name: string;
  readonly place: string;
  readonly waitedMs: number;
}

/** All holders and all waiters at one moment. `String(snapshot)` is a tree for a person. */
export interface WatchSnapshot {
  readonly held: readonly HeldEntry[];
  readonly waiting: readonly WaitingEntry[];
  readonly cycles: readonly (readonly DeadlockStep[])[];
  toString(): string;
}

export function snapshotOf(graph: WaitGraph): WatchSnapshot {
  const nowMs = now();
  const held = [...graph.holds].map((hold) => ({
    name: nameOfHold(hold),
    place: hold.trace.place,
    heldMs: Math.round(nowMs - hold.sinceMs),
    weight: hold.weight,
  }));
  const waiting = [...graph.waits.values()].map((wait) => ({
    name: nameOfWait(wait),
    place: wait.trace.place,
    waitedMs: Math.round(nowMs - wait.sinceMs),
  }));
  const cycles = cyclesOf(graph).map(cycleOf);
  const text = tree(graph, nowMs);
  return { held, waiting, cycles, toString: () => text };
}

/** Each circle once, whichever of its waits it is found from. */
function cyclesOf(graph: WaitGraph): (readonly Step[])[] {
  const found: (readonly Step[])[] = [];
  const counted = new Set<Wait>();
  for (const wait of graph.waits.values()) {
    const steps = counted.has(wait) ? undefined : graph.deadlockOf(wait);
    if (steps === undefined) continue;
    for (const step of steps) counted.add(step.wait);
    found.push(steps);
  }
  return found;
}

/** Each hold, and below it the waiters for it. A deadlock is marked where it closes. */
function tree(graph: WaitGraph, nowMs: number): string {
  const waits = [...graph.waits.values()];
  const lines = [`${graph.holds.size} held, ${waits.length} waiting`];
  const listed = new Set<Wait>();
  const ago = (sinceMs: number) => `${Math.round(nowMs - sinceMs)} ms`;
  for (const hold of graph.holds) {
    lines.push(`${nameOfHold(hold)} held for ${ago(hold.sinceMs)} since ${hold.trace.place}${by(hold)}`);
    for (const wait of waits.filter((other) => !listed.has(other) && waitsFor(other, hold))) {
      listed.add(wait);
      const mark = graph.deadlockOf(wait) === undefined ? '' : '  DEADLOCK';
      lines.push(`  waits ${ago(wait.sinceMs)} at ${wait.trace.place}${holding(graph, wait.task)}${mark}`);
    }
  }
  for (const wait of waits.filter((other) => !listed.has(other)))
    lines.push(`${nameOfWait(wait)}: waits ${ago(wait.sinceMs)} at ${wait.trace.place}`);
  return lines.join('\n');
}

function waitsFor(wait: Wait, hold: Hold): boolean {
  if (wait.source !== hold.source.deref()) return false;
  return wait.queue.canServe !== undefined || [...wait.missing].includes(hold.key);
}

function by({ task }: Hold): string {
  return task === undefined ? '' : ` by the task at ${task.trace.place}`;
}

function holding(graph: WaitGraph, task: Task | undefined): string {
  const tasks = new Set(task?.chain());
  const names = [...graph.holds]
    .filter((hold) => hold.task !== undefined && tasks.has(hold.task))
    .map(nameOfHold);
  return names.length === 0 ? '' : ` while holding ${names.join(', ')}`;
}
