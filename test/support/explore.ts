/**
 * The explorer: walks a small world in every way. A world is a primitive and a few users; a move is one event that may happen
 * next: a user asks, gives up or releases, a server answers, time passes. Stateless, depth first, with replay: a schedule is
 * the list of choices that led to a state, and is walked again from the start to try the next choice.
 *
 * Between two moves either all microtasks are drained, or a given number of them pass: a scheduler that drains cannot land
 * inside a hand-over, one that does not drain can. The assertions are checked whenever no microtask is left, and at the end,
 * when no move is left: a waiter then waits for ever.
 */
import { drained } from './lock-likes.js';

/** A timer never fires before the microtasks have drained. */
export type Move = readonly [name: string, happen: () => void, kind?: 'timer' | undefined];

export interface World {
  /** What may happen next; the same whenever the same has happened before. */
  moves(): readonly Move[];
  /** What is wrong, now that no microtask is left. */
  wrongs(): readonly string[];
  /** What is wrong, now that no move is left: forgotten waiters, and leftovers. */
  leftovers(): readonly string[];
}

/** How many microtasks pass before the next move; or all that are due. */
export type Gap = number | 'drained';

/** Which of the moves comes next, and what passes after it. */
export type Choose = (moves: number) => { readonly nth: number; readonly gap: Gap };

/** A small world with more moves than this goes in circles. */
const longest = 400;

/** Walks one schedule to its end; returns what was wrong, and after which moves. */
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
    // Not in a function of its own: the call of an asynchronous function would be a microtask itself.
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

/** How closely a move may follow another, and how often in a schedule. Before all other moves the microtasks are drained. */
export interface Hurry {
  readonly gap: number;
  readonly times: number;
}

/** Walks every schedule of the world that `make` makes; with hurry, also every choice of moves that follow closely. */
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
    // Back to the last choice with an alternative that was not tried yet.
    while (choices.length > 0 && choices.at(-1)!.nth + 1 === choices.at(-1)!.of) choices.pop();
    const fork = choices.at(-1);
    if (fork === undefined) return { schedules, wrong };
    fork.nth++;
  }
}
