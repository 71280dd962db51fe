import { createElement } from 'react'
import { renderToString } from 'react-dom/server'
import { expect, test, vi } from 'vitest'
import type { Agent } from '../../src/agent/agent.ts'
import { UsageProvider, useRecordOnMount, useUsage, useUsageStats } from '../../src/react.ts'
import { calls } from '../contract/agent-kit.ts'

test('on a server components render, no agent is made and nothing is recorded', () => {
  const create = vi.fn<() => Agent>()
  const errors = vi.spyOn(console, 'error')
  function Page() {
    const usage = useUsage()
    useRecordOnMount(calls, { n: 1 })
    return createElement('p', null, `${typeof usage.record} ${String(useUsageStats())}`)
  }
  expect(renderToString(createElement(UsageProvider, { create }, createElement(Page)))).toBe(
    '<p>function undefined</p>',
  )
  expect(create).not.toHaveBeenCalled()
  expect(errors).not.toHaveBeenCalled()
})
