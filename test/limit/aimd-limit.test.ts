import { describe, expect, test } from 'vitest';
import { AimdLimit } from '../../src/limit/aimd-limit.js';
import type { LimitSample } from '../../src/limit/limit-algorithm.js';

const sample = (change: Partial<LimitSample> = {}): LimitSample => ({
  nowMs: 0,
  durationMs: 1,
  held: 20,
  limit: 20,
  outcome: 'success',
  ...change,
});

describe('AIMD', () => {
  test('AI2: grows by one for a success while at least half of the limit is in use, and falls by a tenth for an overload', () => {
    const aimd = new AimdLimit({ initial: 20 });
    aimd.onSample(sample());
    expect(aimd.limit).toBe(21);
    aimd.onSample(sample({ outcome: 'overload' }));
    expect(aimd.limit).toBe(18);
    aimd.onSample(sample({ held: 8 }));
    expect(aimd.limit).toBe(18);
    aimd.onSample(sample({ held: 9 }));
    expect(aimd.limit).toBe(19);
    aimd.onSample(sample({ held: 9 }));
    expect(aimd.limit).toBe(19);
  });

  test('AI1: stays within its bounds', () => {
    const aimd = new AimdLimit({ initial: 2, min: 2, max: 3 });
    for (let i = 0; i < 5; i++) aimd.onSample(sample());
    expect(aimd.limit).toBe(3);
    for (let i = 0; i < 5; i++) aimd.onSample(sample({ outcome: 'overload' }));
    expect(aimd.limit).toBe(2);
  });
});
