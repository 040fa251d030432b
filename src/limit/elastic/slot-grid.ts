/**
 * The grid that all processes share: wall time divided into slots of 64 ms times a power of two.
 *
 * All processes that call the same backend are in the same slot, so they probe and drain together, and each measures the
 * elasticity of the fleet. A client that probes alone takes its gain from the others and always wants more. Slots of
 * different lengths nest. Clocks may differ by a quarter of a slot, which NTP keeps easily. All constants are tuned: see
 * the simulation (`npm run bench -- adaptive`).
 */

/** Shorter slots would be lost in the jitter of a busy event loop. */
const shortestSlotMs = 64;
/** A slot holds the round trip that is not counted and two to measure. */
const roundTripsPerSlot = 3;
/** Three slots of base, then one of probe: the cost of a probe that is too high is paid a quarter of the time. */
const slotsPerCycle = 4;
const probeSlot = 3;
/** A refused level is forgotten within one cycle of this length, so that the next probe is refused at the same level. */
const slowCycleMs = 5_000;
/** A drain must last longer than the queue that it empties. */
const drainSlots = 2;
/** Drains are frequent at first, because the baseline is unknown; each doubles the distance to the next. */
const firstDrainEverySlots = 16;
const rarestDrainEverySlots = 64;
const rarestDrainEveryMs = 16_384;

/** The current slot, and what the grid wants in it. */
export class SlotGrid {
  #slotMs = 0;
  #slot = 0;
  #drainEverySlots = firstDrainEverySlots;

  /** There is no grid until it is known how long a round trip takes. */
  get isLaid(): boolean {
    return this.#slotMs > 0;
  }

  /** 0 while there is no grid. */
  get slotMs(): number {
    return this.#slotMs;
  }

  /** Whether a cycle takes so long that trials cannot find the way back after a cut, or whether that is still unknown. */
  get isSlow(): boolean {
    return !this.isLaid || slotsPerCycle * this.#slotMs >= slowCycleMs;
  }

  get slotEndMs(): number {
    return (this.#slot + 1) * this.#slotMs;
  }

  get inProbeSlot(): boolean {
    return this.#slot % slotsPerCycle === probeSlot;
  }

  get inDrainSlot(): boolean {
    return this.#slot % this.#drainEverySlots < drainSlots;
  }

  /** Moves to the slot of `nowMs`, and fits the slot's length to the round trip. */
  align(nowMs: number, roundTripMs: number): void {
    let slotMs = shortestSlotMs;
    while (slotMs < roundTripsPerSlot * roundTripMs) slotMs *= 2;
    this.#slotMs = slotMs;
    this.#slot = Math.floor(nowMs / slotMs);
  }

  /** Doubles the distance between drains. */
  drainLess(): void {
    const rarest = Math.max(rarestDrainEverySlots, rarestDrainEveryMs / this.#slotMs);
    this.#drainEverySlots = Math.min(rarest, this.#drainEverySlots * 2);
  }

  /** Back to the shortest distance between drains. */
  drainOften(): void {
    this.#drainEverySlots = firstDrainEverySlots;
  }
}
