import { spawn } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { requireEngine } from '../../support/engines.ts'
import type { EngineDriver } from './contract.ts'

const SMALL_STORAGE_KIB = 16_384

/** Quiet, without pages, prompts and calls of its own; a killed browser starts again with one fresh page. */
const PREFERENCES: Readonly<Record<string, boolean | number | string>> = {
  'app.normandy.enabled': false,
  'app.update.auto': false,
  'app.update.enabled': false,
  'browser.aboutwelcome.enabled': false,
  'browser.region.network.url': '',
  'browser.sessionstore.max_resumed_crashes': 0,
  'browser.sessionstore.resume_from_crash': false,
  'browser.shell.checkDefaultBrowser': false,
  'browser.startup.homepage_override.mstone': 'ignore',
  'browser.startup.page': 0,
  'browser.tabs.unloadOnLowMemory': false,
  'browser.tabs.warnOnClose': false,
  'datareporting.healthreport.uploadEnabled': false,
  'datareporting.policy.dataSubmissionEnabled': false,
  'dom.allow_scripts_to_close_windows': true,
  'dom.disable_open_during_load': false,
  'dom.min_background_timeout_value': 100,
  'dom.popup_maximum': -1,
  'extensions.update.enabled': false,
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
  'network.dns.disablePrefetch': true,
  'services.settings.server': 'data:,#remote-settings-dummy/v1',
  'toolkit.startup.max_resumed_crashes': -1,
  'toolkit.telemetry.enabled': false,
  'toolkit.telemetry.reportingpolicy.firstRun': false,
  'trailhead.firstrun.didSeeAboutWelcome': true,
}

async function writePreferences(profile: string, smallStorage: boolean): Promise<void> {
  const storage = smallStorage ? { 'dom.quotaManager.temporaryStorage.fixedLimit': SMALL_STORAGE_KIB } : {}
  const lines = Object.entries({ ...PREFERENCES, ...storage }).map(
    ([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});\n`,
  )
  await mkdir(profile, { recursive: true })
  await writeFile(join(profile, 'user.js'), lines.join(''))
}

export const firefox: EngineDriver = {
  async launch({ profile, smallStorage, url }) {
    await writePreferences(profile, smallStorage)
    const args = ['--headless', '--no-remote', '--profile', profile, url]
    const env = { ...process.env, HOME: profile, MOZ_CRASHREPORTER_DISABLE: '1' }
    return spawn(requireEngine('firefox'), args, { detached: true, stdio: 'ignore', env })
  },
  // Its other content processes run no pages: "socket", "gpu", "rdd", "utility".
  isRenderer: (args) => args.includes('-contentproc') && / tab$/.test(args),
}
