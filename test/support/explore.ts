/**
 * The explorer: a small world, walked in every way. A world is a primitive and a few who use it; a move is one thing that may
 * happen next: somebody asks, gives up or lets go, a server answers, time passes. Stateless, depth first, with replay:
 * a schedule is the list of choices that led there, and is walked again from the start to try the next choice.
 *
 * Between two moves either all microtasks are drained, or only so many pass: a scheduler that drains cannot land inside a
 * hand-over, one that does not drain can. What has to be true is asked whenever all is quiet, and at the end, when no
 * move is left: a waiter then waits for ever.
 */
import { drained } from './lock-likes.js';

/** A timer never fires before the microtasks have drained. */
export type Move = readonly [name: string, happen: () => void, kind?: 'timer' | undefined];

export interface World {
  /** What may happen next; the same whenever the same has happened before. */
  moves(): readonly Move[];
  /** What is wrong, now that all is quiet. */
  wrongs(): readonly string[];
  /** What is wrong, now that nothing more can happen: who was forgotten, what was left. */
  leftovers(): readonly string[];
}

/** How many microtasks pass before the next move; or all that are due. */
export type Gap = number | 'drained';

/** Which of the moves comes next, and what passes after it. */
export type Choose = (moves: number) => { readonly nth: number; readonly gap: Gap };

/** No small world has so many moves: one that does goes in circles. */
const longest = 400;

/** Walks one schedule to its end; tells what was wrong, and after which moves. */
export async function walk(world: World, choose: Choose): Promise<string | undefined> {
  const trace: string[] = [];
  const told = (wrongs: readonly string[]) =>
    wrongs.length === 0 ? undefined : `${wrongs.join(', ')} | after: ${trace.join(', ')}`;
  for (let gap: Gap = 'drained'; ; ) {
    let moves = world.moves();
    if (gap !== 'drained' && moves.every(([, , kind]) => kind === 'timer')) {
      await drained();
      moves = world.moves();
    }
    if (moves.length === 0) return told([...world.wrongs(), ...world.leftovers()]);
    const choice = choose(moves.length);
    const [name, happen, kind] = moves[choice.nth]!;
    if (kind === 'timer') await drained();
    trace.push(name);
    happen();
    gap = choice.gap;
    // Here, for the call of an asynchronous function would be a microtask itself.
    if (gap === 'drained') await drained();
    else for (let i = 0; i < gap; i++) await undefined;
    const wrong = gap === 'drained' ? told(world.wrongs()) : undefined;
    if (wrong !== undefined) return wrong;
    if (trace.length === longest) return told(['it never ends']);
  }
}

export interface Exploration {
  /** How many schedules were walked. */
  readonly schedules: number;
  /** The first that went wrong, if one did: nothing after it was walked. */
  readonly wrong: string | undefined;
}

/** Moves that follow so closely upon another, so often in a schedule; before all others all is quiet. */
export interface Hurry {
  readonly gap: number;
  readonly times: number;
}

/** Walks every schedule of the world that `make` makes; with hurry, also every choice of the moves that are hurried. */
export async function explore(
  make: () => World,
  { gap, times }: Hurry = { gap: 0, times: 0 },
): Promise<Exploration> {
  const choices: { nth: number; of: number }[] = [];
  for (let schedules = 1; ; schedules++) {
    let depth = 0;
    let hurried = 0;
    const wrong = await walk(make(), (moves) => {
      const of = hurried < times ? 2 * moves : moves;
      choices[depth] ??= { nth: 0, of };
      const choice = choices[depth++]!;
      if (choice.of !== of) throw new Error('the world is not deterministic');
      if (choice.nth < moves) return { nth: choice.nth, gap: 'drained' };
      hurried++;
      return { nth: choice.nth - moves, gap };
    });
    if (wrong !== undefined) return { schedules, wrong };
    // Back to the last fork with a way that was not taken yet.
    while (choices.length > 0 && choices.at(-1)!.nth + 1 === choices.at(-1)!.of) choices.pop();
    const fork = choices.at(-1);
    if (fork === undefined) return { schedules, wrong };
    fork.nth++;
  }
}
