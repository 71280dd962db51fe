import { createElement, type ReactElement, type ReactNode, useInsertionEffect, useState } from 'react'
import type { Agent } from '../agent/agent.ts'
import { UsageContext } from './context.ts'
import { createHolder } from './holder.ts'

/** An agent for the components below: made by `create`, or the application's own as `agent`. */
export type UsageProviderProps = { readonly children?: ReactNode } & (
  | {
      /**
       * Makes the agent: once, in the browser, when the provider is mounted. It is closed when the provider is unmounted.
       * What is given later is not looked at: give the provider another `key` when the account changes.
       */
      readonly create: () => Agent
      readonly agent?: undefined
    }
  | {
      /** An agent that the application made, and closes. */
      readonly agent: Agent
      readonly create?: undefined
    }
)

/**
 * Gives the components below it their agent. Safe under StrictMode, whose double effects neither make a second agent nor
 * close the first, and on a server, where no agent is made.
 *
 * @example
 * <UsageProvider create={() => createAgent({ relay, token, meters: [apiCalls] })}>
 *   <App />
 * </UsageProvider>
 */
export function UsageProvider({ agent, create, children }: UsageProviderProps): ReactElement {
  return agent
    ? createElement(UsageContext.Provider, { value: agent }, children)
    : createElement(OwnAgent, { create: create as () => Agent }, children)
}

function OwnAgent({ create, children }: { readonly create: () => Agent; readonly children?: ReactNode }): ReactElement {
  const [{ usage, mount }] = useState(() => createHolder(create))
  // Before any effect of the components below may record, and for as long as the provider is there.
  useInsertionEffect(mount, [mount])
  return createElement(UsageContext.Provider, { value: usage }, children)
}
