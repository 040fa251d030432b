/**
 * The clock that all processes share: wall time cut into slots of 64 ms times a power of two.
 *
 * Every process that limits calls to the same backend stands in the same slot, so that all of them probe and drain
 * together and each measures the elasticity of the fleet. Alone, a client with a tenth of a full backend would see
 * his own share grow with his limit and would always want more. Processes with slots of different lengths still
 * nest. Clocks may differ by a quarter of a slot, which NTP keeps easily.
 */

/** Shorter slots would be lost in the jitter of timers and of a busy event loop. */
const shortestSlotMs = 64;
/** A slot must hold the round trip that is thrown away and two to measure. */
const roundTripsPerSlot = 3;
/** Three slots of base, then one of probe: what is lost by probing too high is lost a quarter of the time. */
const slotsPerCycle = 4;
const probeSlot = 3;
/** A drain must outlast the queue that it drains. */
const drainSlots = 2;
/** Drains are often at first, since nothing is known, and twice as rare each time. */
const firstDrainEverySlots = 16;
const rarestDrainEverySlots = 64;
const rarestDrainEveryMs = 16_384;

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

  get slotEndMs(): number {
    return (this.#slot + 1) * this.#slotMs;
  }

  get inProbeSlot(): boolean {
    return this.#slot % slotsPerCycle === probeSlot;
  }

  get inDrainSlot(): boolean {
    return this.#slot % this.#drainEverySlots < drainSlots;
  }

  align(nowMs: number, roundTripMs: number): void {
    let slotMs = shortestSlotMs;
    while (slotMs < roundTripsPerSlot * roundTripMs) slotMs *= 2;
    this.#slotMs = slotMs;
    this.#slot = Math.floor(nowMs / slotMs);
  }

  drainLess(): void {
    const rarest = Math.max(rarestDrainEverySlots, rarestDrainEveryMs / this.#slotMs);
    this.#drainEverySlots = Math.min(rarest, this.#drainEverySlots * 2);
  }

  drainOften(): void {
    this.#drainEverySlots = firstDrainEverySlots;
  }
}
