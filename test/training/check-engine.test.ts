import { describe, expect, it } from 'vitest';
import { probeProvider, providerNames } from '../../main/runtime/providers.ts';
import { checkTrainingEngine, engineTolerance } from '../../main/training/check-engine.ts';

describe('the training step on an execution provider', () => {
  it.for(providerNames)(
    '%s: gives the numbers of the processor, or says why it is not here',
    { timeout: 600_000 },
    async (name, { skip }) => {
      const { available, reason } = await probeProvider(name);
      if (!available) {
        const error = await checkTrainingEngine(name).catch((e: unknown) => e);
        expect(error).toMatchObject({ name: 'UserError', code: 'providerAbsent' });
        expect(String(error)).toContain(name);
        skip(`${name} does not work here: ${reason?.split('\n')[0] ?? ''}`);
      }
      const check = await checkTrainingEngine(name, { threads: 1, rounds: 1 });
      expect(check.engine.provider).toBe(name);
      // Never against itself: that would always agree.
      expect(check.reference.engine).toMatch(name === 'cpu' ? /^tfjs/ : /^onnxruntime/);
      expect(check.lossDifference).toBeGreaterThan(0);
      const allowed = name === 'cpu' ? 1e-5 : engineTolerance;
      expect(check.lossDifference).toBeLessThan(allowed);
      expect(check.weightDifference).toBeLessThan(allowed);
      expect(check.agrees).toBe(true);
      const { cpu, ...own } = check.stepMs;
      for (const ms of Object.values(own)) expect(ms).toBeGreaterThan(0);
      if (name === 'cpu') expect(cpu).toBeNull();
      else expect(cpu).toBeGreaterThan(0);
    },
  );
});
