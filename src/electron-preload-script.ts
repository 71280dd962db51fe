import { exposeBridge } from './electron-preload.ts'

// A preload script is run, not imported.
exposeBridge()
