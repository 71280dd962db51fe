/** The page that drives itself: `?id=` polls the server, `?crowd=&tab=` listens to another page. */
import type { PageCommands } from '../contract.ts'
import { Captain, joinCrowd } from './crowd.ts'
import { listen, strike } from './line.ts'
import { held, upgrade } from './outbox.ts'
import { fillStorage, freeStorage } from './storage.ts'
import { Subject } from './subject.ts'

type Commands = {
  [Name in keyof PageCommands]: (
    ...args: Parameters<PageCommands[Name]>
  ) => ReturnType<PageCommands[Name]> | Promise<ReturnType<PageCommands[Name]>>
}

const query = new URLSearchParams(location.search)
const subject = new Subject()

function openTab(url: string): void {
  // Strangers to each other, so that an engine may give each its own process.
  window.open(url, '_blank', 'noopener')
}

function pollServer(id: string): void {
  const captain = new Captain(`crowd-${id}`)
  const enough = new AbortController()
  const commands: Commands = {
    openTab,
    start: (options) => subject.start(options),
    record: (order) => subject.record(order),
    recordAndStrike: (order) => subject.recordAndStrike(order, (ids) => strike(id, ids)),
    receipts: () => subject.receipts(),
    flush: () => subject.flush(),
    goOnline: () => subject.goOnline(),
    held,
    waiting: async () => {
      const runs = await held(subject.outbox)
      return Math.max(
        runs.reduce((sum, [, , count]) => sum + count, 0),
        subject.unsent(),
      )
    },
    requests: () => subject.agent.stats().requests,
    trouble: () => subject.trouble,
    upgrade: () => upgrade(subject.outbox),
    fillStorage,
    freeStorage,
    leave: (blow) => {
      enough.abort()
      subject.leave(blow)
    },
    openCrowd: ({ urls }) => captain.open(urls, openTab),
    crowd: ({ name, args, only }) => captain.ask(name, args, only),
  }
  void listen(id, commands, enough.signal)
}

const id = query.get('id')
const crowd = query.get('crowd')
if (id) pollServer(id)
else if (crowd) {
  joinCrowd(`crowd-${crowd}`, Number(query.get('tab')), {
    start: (options) => subject.start(options),
    record: (order) => subject.record(order),
    recordAndStrike: (order) => subject.recordAndStrike(order, (ids) => strike(crowd, ids)),
    receipts: () => subject.receipts(),
    flush: () => subject.flush(),
    leave: (blow) => subject.leave(blow),
    leads: () => subject.agent.stats().sender,
  })
}
