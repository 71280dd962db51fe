import { connect } from 'node:net'
import { serve } from '../../../demo/world/serve.ts'

/** A page's ports, and those that stand for them here: others may be using the page's own. */
export type Ports = Readonly<Record<string, number>>

export async function freePorts(theirs: readonly string[]): Promise<Ports> {
  const open = await Promise.all(theirs.map(() => serve(() => new Response())))
  const free = open.map(({ url }) => Number(new URL(url).port))
  await Promise.all(open.map((each) => each.close()))
  return Object.fromEntries(theirs.map((port, index) => [port, free[index] ?? 0]))
}

/** Whether somebody listens on each of the ports. */
export async function allListen(ports: Ports): Promise<boolean> {
  return (await Promise.all(Object.values(ports).map(isListening))).every(Boolean)
}

function isListening(port: number): Promise<boolean> {
  const socket = connect({ port, host: 'localhost' })
  return new Promise<boolean>((done) => {
    socket.once('connect', () => done(true))
    socket.once('error', () => done(false))
  }).finally(() => socket.destroy())
}
