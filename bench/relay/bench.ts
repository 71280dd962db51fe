import type { Bench } from '../contract.ts'

export const relayBench: Bench = {
  name: 'relay',
  title: 'relay',
  defaultRounds: { quick: 1, full: 1 },
  run: async () => ({ ratios: [], tables: [], charts: [], notes: [] }),
}
