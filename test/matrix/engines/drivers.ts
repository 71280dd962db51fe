import type { Engine } from '../../support/engines.ts'
import { chromium } from './chromium.ts'
import type { EngineDriver } from './contract.ts'

export const DRIVERS: Partial<Record<Engine, EngineDriver>> = { chromium }
