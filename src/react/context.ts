import { type Context, createContext, useContext } from 'react'
import type { Agent } from '../agent/agent.ts'
import { MetertapError } from '../wire/errors.ts'

/** The nearest provider's agent. */
export const UsageContext: Context<Agent | undefined> = /* @__PURE__ */ createContext<Agent | undefined>(undefined)

/** @throws MetertapError `bad_option` when there is no provider above. */
export function useProvided(): Agent {
  const usage = useContext(UsageContext)
  if (usage) return usage
  throw new MetertapError('bad_option', 'useUsage: there is no <UsageProvider> above this component.')
}
