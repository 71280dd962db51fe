import type { ElectronApp, ElectronNet, ElectronPowerMonitor } from '../bridge/electron.ts'
import type { LifecycleEvent, Runtime } from './contract.ts'

export interface ElectronRuntimeOptions {
  /** That of Node. */
  readonly base: Runtime
  readonly app: Pick<ElectronApp, 'whenReady'>
  readonly powerMonitor?: ElectronPowerMonitor | undefined
  readonly net?: ElectronNet | undefined
}

/** Node's runtime with what Electron knows better: the network as the user set it up, and the machine's sleep. */
export function electronRuntime({ base, app, powerMonitor, net }: ElectronRuntimeOptions): Runtime {
  return {
    ...base,
    // It knows the user's proxy and certificates. Before the application is ready it throws.
    fetch: net ? (input, init) => app.whenReady().then(() => net.fetch(input as string | Request, init)) : base.fetch,
    // Nobody tells when the network is back: a request tries it, and fails like any other.
    online: () => true,
    onLifecycle(listener) {
      const stopBase = base.onLifecycle(listener)
      const stopPower = powerMonitor ? onPower(app, powerMonitor, listener) : () => {}
      return () => {
        stopBase()
        stopPower()
      }
    },
  }
}

function onPower(
  app: Pick<ElectronApp, 'whenReady'>,
  powerMonitor: ElectronPowerMonitor,
  listener: (event: LifecycleEvent) => void,
): () => void {
  // Timers have slept, and the network may be another one: a wait that backoff chose says nothing any more.
  const awake = () => {
    listener('visible')
    listener('online')
  }
  const asleep = () => listener('visible')
  let isOver = false
  void app.whenReady().then(() => {
    if (isOver) return
    powerMonitor.on('suspend', asleep)
    powerMonitor.on('resume', awake)
    powerMonitor.on('unlock-screen', awake)
  })
  return () => {
    isOver = true
    powerMonitor.removeListener('suspend', asleep)
    powerMonitor.removeListener('resume', awake)
    powerMonitor.removeListener('unlock-screen', awake)
  }
}
