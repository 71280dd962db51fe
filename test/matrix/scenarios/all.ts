import type { Scenario } from './contract.ts'
import { crowds } from './crowd.ts'
import { exits } from './exits.ts'
import { network } from './network.ts'
import { storage } from './storage.ts'

export const SCENARIOS: readonly Scenario[] = [...exits, ...network, ...storage, ...crowds]
