import type { Bench } from '../contract.ts'

export const peersBench: Bench = {
  name: 'peers',
  title: 'peers',
  defaultRounds: { quick: 1, full: 1 },
  run: async () => ({ ratios: [], tables: [], charts: [], notes: [] }),
}
