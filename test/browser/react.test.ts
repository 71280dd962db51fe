import { createElement, type ReactElement, StrictMode, useEffect, useState } from 'react'
import { createRoot, type Root } from 'react-dom/client'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Agent } from '../../src/index.ts'
import { UsageProvider, useRecordOnMount, useUsage, useUsageStats } from '../../src/react.ts'
import { calls, eventually, numbersById } from '../contract/agent-kit.ts'
import { openPageHome, type PageHome } from '../support/agent-home-page.ts'

let home: PageHome
let root: Root
let place: HTMLElement
/** Agents that were made, with how often each was closed. */
let made: { readonly agent: Agent; closed: number }[]

/** A provider's `create`: an agent of the page's entry, in the home of this test. */
function create(): Agent {
  const { agent } = startHere()
  return agent
}

let startHere: () => { readonly agent: Agent; closed: number }

beforeEach(async () => {
  home = await openPageHome()
  made = []
  startHere = () => {
    const agent = home.startNow({ flushIntervalMs: 50 })
    const entry = { agent, closed: 0 }
    const close = agent.close.bind(agent)
    agent.close = () => {
      entry.closed++
      return close()
    }
    made.push(entry)
    return entry
  }
  place = document.body.appendChild(document.createElement('div'))
  root = createRoot(place)
})
afterEach(async () => {
  root.unmount()
  place.remove()
  await Promise.all(made.map(({ agent }) => agent.close()))
  await home.end?.()
})

const strictly = (child: ReactElement) => createElement(StrictMode, null, child)
const provided = (...children: ReactElement[]) => createElement(UsageProvider, { create }, ...children)

describe('under StrictMode', () => {
  test('one agent is made, not closed by double effects, and closed once with its provider', async () => {
    let effects = 0
    function Watch() {
      const usage = useUsage()
      useEffect(() => {
        effects++
        usage.stats()
      }, [usage])
      return 'here'
    }
    root.render(strictly(provided(createElement(Watch))))
    await eventually(() => expect([place.textContent, effects]).toEqual(['here', 2]))
    expect(made.map(({ closed }) => closed)).toEqual([0])
    root.unmount()
    await eventually(() => expect(made.map(({ closed }) => closed)).toEqual([1]))
  })

  test('a click is one event', async () => {
    function Button() {
      const usage = useUsage()
      return createElement('button', { type: 'button', onClick: () => usage.record(calls, { n: 1 }) }, 'record')
    }
    root.render(strictly(provided(createElement(Button))))
    await eventually(() => expect(place.querySelector('button')).not.toBeNull())
    place.querySelector('button')?.click()
    await eventually(async () => expect(Object.values(await numbersById(home.relay))).toEqual([1]))
    expect(made).toHaveLength(1)
  })

  test('a component that comes into the page is one event each time, with what it was given first', async () => {
    let show: (isShown: boolean, n: number) => void = () => {}
    function View({ n }: { readonly n: number }) {
      useRecordOnMount(calls, { n })
      return `view ${n}`
    }
    function Switch() {
      const [state, setState] = useState({ isShown: true, n: 1 })
      show = (isShown, n) => setState({ isShown, n })
      return state.isShown ? createElement(View, { n: state.n }) : 'nothing'
    }
    root.render(strictly(provided(createElement(Switch))))
    await eventually(() => expect(place.textContent).toBe('view 1'))
    for (const [isShown, n, text] of [
      [true, 2, 'view 2'],
      [false, 2, 'nothing'],
      [true, 3, 'view 3'],
    ] as const) {
      show(isShown, n)
      await eventually(() => expect(place.textContent).toBe(text))
    }
    await eventually(async () => expect(Object.values(await numbersById(home.relay))).toEqual([1, 3]))
    await made[0]?.agent.flush()
    expect(await home.relay.events()).toHaveLength(2)
  })

  test('statistics follow the agent’s events', async () => {
    let usage: Agent | undefined
    function Panel() {
      usage = useUsage()
      const stats = useUsageStats()
      return `${stats?.recorded}/${stats?.accepted}/${stats?.waiting}`
    }
    root.render(strictly(provided(createElement(Panel))))
    await eventually(() => expect(place.textContent).toBe('0/0/0'))
    for (const n of [1, 2, 3]) usage?.record(calls, { n })
    await eventually(() => expect(place.textContent).toBe('3/3/0'))
  })
})

describe('a provider', () => {
  test('that comes back has a new agent; what its components hold goes to that one', async () => {
    let usage: Agent | undefined
    function Keep() {
      usage = useUsage()
      return 'here'
    }
    root.render(provided(createElement(Keep)))
    await eventually(() => expect(place.textContent).toBe('here'))
    root.render('away')
    await eventually(() => expect(made[0]?.closed).toBe(1))
    expect(usage?.record(calls, { n: 1 }).error?.code).toBe('closed')
    root.render(provided(createElement(Keep)))
    await eventually(() => expect(made).toHaveLength(2))
    expect(usage?.record(calls, { n: 2 }).error).toBeUndefined()
  })

  test('gives components a stand-in that has all of an agent, what closes it by `await using` included', async () => {
    let usage: Agent | undefined
    function Keep() {
      usage = useUsage()
      return 'here'
    }
    root.render(provided(createElement(Keep)))
    await eventually(() => expect(place.textContent).toBe('here'))
    const { agent } = made[0] as { agent: Agent }
    const all = Object.getOwnPropertyNames(Object.getPrototypeOf(agent)).filter((name) => name !== 'constructor')
    expect(all.length).toBeGreaterThan(10)
    for (const name of [...all, Symbol.asyncDispose])
      expect(usage?.[name as 'record'], String(name)).toBeTypeOf('function')
  })

  test('leaves an agent alone that is the application’s own', async () => {
    const { agent } = startHere()
    let usage: Agent | undefined
    function Keep() {
      usage = useUsage()
      return 'here'
    }
    root.render(strictly(createElement(UsageProvider, { agent }, createElement(Keep))))
    await eventually(() => expect(usage).toBe(agent))
    root.unmount()
    await agent.flush()
    expect(made.map(({ closed }) => closed)).toEqual([0])
  })

  test('that is missing is named', async () => {
    const errors: unknown[] = []
    root.unmount()
    root = createRoot(place, { onUncaughtError: (error) => errors.push(error) })
    function Lost() {
      useUsage()
      return null
    }
    root.render(createElement(Lost))
    await eventually(() => expect(errors).toMatchObject([{ code: 'bad_option' }]))
    expect(String(errors[0])).toContain('<UsageProvider>')
  })
})
