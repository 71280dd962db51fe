import type { Engine } from '../../support/engines.ts'
import { chromium } from './chromium.ts'
import type { EngineDriver } from './contract.ts'
import { firefox } from './firefox.ts'
import { webkit } from './webkit.ts'

export const DRIVERS: Record<Engine, EngineDriver> = { chromium, firefox, webkit }
