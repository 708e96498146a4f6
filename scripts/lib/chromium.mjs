// Finds a Chromium of the system, and installs one where that is ours to do.
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { installPackages, mayInstall } from './system-packages.mjs'

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'microsoft-edge', 'chrome']
const PLACES = {
  darwin: [
    '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
    '/Applications/Chromium.app/Contents/MacOS/Chromium',
    '/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge',
  ],
  win32: ['ProgramFiles', 'ProgramFiles(x86)', 'LocalAppData'].flatMap((name) => {
    const base = process.env[name]
    return base === undefined
      ? []
      : [
          join(base, 'Google', 'Chrome', 'Application', 'chrome.exe'),
          join(base, 'Microsoft', 'Edge', 'Application', 'msedge.exe'),
        ]
  }),
}

/** Path of a Chromium, or undefined. `PLEXUS_CHROMIUM` names one's own. */
export function findChromium(env = process.env) {
  const own = env.PLEXUS_CHROMIUM
  if (own !== undefined && own !== '') return existsSync(own) ? own : undefined
  const onPath = (env.PATH ?? '')
    .split(delimiter)
    .flatMap((dir) => NAMES.map((name) => join(dir, process.platform === 'win32' ? `${name}.exe` : name)))
  return [...onPath, ...(PLACES[process.platform] ?? [])].find((file) => existsSync(file))
}

/** A Chromium, installed where the system is Debian's and we may; undefined, with a sentence said, where there is none. */
export async function ensureChromium(say) {
  const found = findChromium()
  if (found !== undefined) return found
  if (mayInstall()) {
    say('Installing Chromium for the tests in a browser.')
    if (await installPackages(['chromium'])) return findChromium()
    say('Chromium could not be installed; the reason is above.')
  }
  say('There is no Chromium here: the tests in a browser are left out. Install one, or name yours in PLEXUS_CHROMIUM.')
  return undefined
}
