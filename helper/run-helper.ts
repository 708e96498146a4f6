import './shims.ts'
import { asMeshError, isAbort, MeshError, type Logger } from '../mesh/base/index.ts'
import type { ModelProgress } from '../mesh/engine/index.ts'
import { launchProgram, openLink } from './browser-opening/index.ts'
import { describeTrust, EXIT } from './commands/index.ts'
import type { LoadedConfig } from './config/index.ts'
import type { RunningHelper, ServedPage } from './helper.ts'
import { isOpenBySwitch } from './lan-switch.ts'
import { AGAIN, isLifeProcess, runLifeProcess, sharedWithRunner, startOfLife } from './life-process.ts'
import { createPassphrases, type Passphrases, type PassphrasesOptions } from './lock/index.ts'
import { systemClock } from './ports/clock.ts'
import { keepHeapSmall } from './ports/heap.ts'
import { otherUsers } from './ports/other-users.ts'
import { systemRandom } from './ports/random.ts'
import { createLogger, createProgressLine, qrText, type Output, type ProgressLine } from './terminal/index.ts'

/** Longest a shutdown may take before the process ends anyway, in ms. */
const SHUTDOWN_LIMIT_MS = 5_000
/** Signals this close together are one wish. */
const SAME_SIGNAL_MS = 500
/** How long the link opened in this machine's browser works. */
const OPENED_LINK_LIFETIME_MS = 60_000

/** Surroundings of a helper that runs in this process. */
export interface RunOptions {
  readonly json: boolean
  readonly out: Output
  readonly err: Output
  readonly installDir: string
  /** The command line this process runs. */
  readonly argv: readonly string[]
  /** Asks the person at the terminal for the passphrase; undefined: there is none. */
  readonly askSecret: PassphrasesOptions['ask']
}

/**
 * Runs the helper until a signal or `plexus stop` ends it; resolves to the exit
 * code. The first signal stops cleanly within 5 s, the second at once.
 */
export async function runHelper(loaded: LoadedConfig, options: RunOptions): Promise<number> {
  keepHeapSmall()
  const { config } = loaded
  const log = createLogger({ level: config.logLevel, output: options.err })
  const ending = listenForEnd(log)
  const progress = modelProgress(options.err)
  const passphrases = createPassphrases({ file: config.passphraseFile, ask: options.askSecret })
  const parts = { log, ending, progress, passphrases }
  try {
    const code = isLifeProcess() ? await runAsLife(loaded, options, parts) : await runLives(loaded, options, parts)
    return ending.hasFailed() ? EXIT.failed : code
  } finally {
    ending.dispose()
  }
}

/** One life after the other, until one is not to be followed by another. */
async function runLives(loaded: LoadedConfig, options: RunOptions, parts: RunParts): Promise<number> {
  const { log, ending, passphrases } = parts
  for (let isFirst = true; ; isFirst = false) {
    const code = (await isOpenBySwitch(loaded))
      ? await runLifeProcess({
          installDir: options.installDir,
          argv: options.argv,
          start: { isFirst, passphrase: passphrases.remembered() },
          onRemembered: (passphrase) => {
            passphrases.remember(passphrase)
          },
          signal: ending.signal,
        })
      : await runOnce(loaded, options, { ...parts, isFirst })
    if (code !== AGAIN) return code
    log.info('The helper starts again with the switch flipped.')
  }
}

/** The one life of this process, which another one started. */
async function runAsLife(loaded: LoadedConfig, options: RunOptions, parts: RunParts): Promise<number> {
  const start = await startOfLife(parts.ending.request)
  if (start === undefined) return EXIT.failed
  parts.passphrases.remember(start.passphrase)
  const passphrases = sharedWithRunner(parts.passphrases)
  return runOnce(loaded, options, { ...parts, isFirst: start.isFirst, passphrases })
}

/** The native library writes to standard output by itself, which belongs to what was asked for. */
async function quietNativeWebRtc(log: Logger): Promise<void> {
  const { initLogger } = await import('node-datachannel')
  initLogger('Error', (level, message) => {
    log.debug(message.trim(), { level })
  })
}

interface RunParts {
  readonly log: Logger
  readonly ending: Ending
  readonly progress: ModelProgressLine
  readonly passphrases: Passphrases
}

/** One life of the helper in this process; {@link AGAIN}: another one shall follow. */
async function runOnce(
  loaded: LoadedConfig,
  options: RunOptions,
  parts: RunParts & { readonly isFirst: boolean },
): Promise<number> {
  const { log, ending, progress } = parts
  let helper: RunningHelper | undefined
  let restart = (): void => {}
  const restartRequested = new Promise<true>((resolve) => {
    restart = () => {
      resolve(true)
    }
  })
  try {
    // loaded only where it runs: who waits for a life in another process stays small
    const { startHelper } = await import('./helper.ts')
    await quietNativeWebRtc(log.child('webrtc'))
    helper = await startHelper(loaded, {
      clock: systemClock,
      random: systemRandom,
      log,
      installDir: options.installDir,
      passphrases: parts.passphrases,
      signal: ending.signal,
      onServed: (served) => {
        if (!parts.isFirst || !loaded.config.open || !served.hasPage) return
        openPage(served, loaded, log).catch((error: unknown) => {
          log.warn('The page could not be opened. "plexus open" makes a link.', { error })
        })
      },
      onModelProgress: progress.update,
      requestStop: ending.request,
      requestRestart: restart,
    })
    progress.end()
    if (parts.isFirst) await announce(helper, options)
    return (await Promise.race([ending.requested, restartRequested])) === true ? AGAIN : EXIT.done
  } catch (error) {
    progress.end()
    if (isAbort(error) && ending.signal.aborted) return EXIT.done
    throw error
  } finally {
    if (await isStuck(helper, log)) ending.fail()
  }
}

/** Said at each start: it is about the time between two of them. */
const SHARED_MACHINE =
  'Others have accounts on this machine: set a lock in the page (Settings). "plexus doctor" says why.\n'

async function announce(helper: RunningHelper, options: RunOptions): Promise<void> {
  const { out, err } = options
  if (options.json) {
    out.write(`${JSON.stringify(helper.readiness)}\n`)
  } else {
    out.write(`Plexus is ready at ${helper.pageUrl}\n`)
  }
  if (helper.modelTrouble !== undefined) err.write(`There is no model to answer with: ${helper.modelTrouble}\n`)
  if (!options.json) announceNetwork(helper, out)
  if (!options.json && (await otherUsers()).length > 0) out.write(SHARED_MACHINE)
  if (!options.json && out.isTerminal) {
    const link = await helper.makeLink({})
    out.write(
      `\nOpen it with this link, which works once (until ${new Date(link.expiresAt).toLocaleTimeString()}):\n${link.url}\n\n${qrText(link.url)}\n\n`,
    )
  }
}

/** How other devices come in: shown where the person sits, so that the fingerprint can be compared. */
function announceNetwork(helper: RunningHelper, out: Output): void {
  const { page, trust } = helper.elsewhere()
  if (page === undefined && trust.page === null) return
  if (page !== undefined) out.write(`On other devices: ${page}\n`)
  if (trust.page !== null) out.write(`${describeTrust(trust)}\n\n`)
}

async function openPage(helper: ServedPage, loaded: LoadedConfig, log: Logger): Promise<void> {
  const link = await helper.makeLink({ lifetimeMs: OPENED_LINK_LIFETIME_MS })
  const ports = {
    clock: systemClock,
    random: systemRandom,
    log,
    env: process.env,
    platform: process.platform,
    launch: launchProgram,
  }
  const opened = await openLink({ ...link, url: helper.marked(link.url) }, loaded.config.dataDir, ports)
  if (!opened.isOpening) {
    log.info('No browser was opened: this machine shows none to this process. "plexus open" makes a link.')
    return
  }
  helper.onNextJoin(() => {
    opened.discard().catch((error: unknown) => {
      log.warn('The file that opened the page could not be removed.', { error })
    })
  })
}

interface ModelProgressLine {
  update(this: void, progress: ModelProgress): void
  end(): void
}

/** One line of progress per source: when one fails and the next is tried, both are said. */
function modelProgress(err: Output): ModelProgressLine {
  let line: { readonly source: string; readonly shown: ProgressLine } | undefined
  return {
    update(progress) {
      // before a source is found there is nothing to say
      if (progress.source === '') return
      if (line?.source !== progress.source) {
        line?.shown.end()
        err.write(`Fetching the first model from ${progress.source}.\n`)
        line = { source: progress.source, shown: createProgressLine(err, systemClock, 'Model') }
      }
      line.shown.update(progress)
    },
    end() {
      line?.shown.end()
      line = undefined
    },
  }
}

interface Ending {
  /** Aborts when the end was asked for. */
  readonly signal: AbortSignal
  readonly requested: Promise<void>
  request(this: void): void
  fail(): void
  hasFailed(): boolean
  dispose(): void
}

function listenForEnd(log: Logger): Ending {
  const controller = new AbortController()
  let failed = false
  let finish = (): void => {}
  const requested = new Promise<void>((resolve) => {
    finish = resolve
  })
  const request = (): void => {
    controller.abort(new MeshError('aborted', 'The helper is stopping.'))
    finish()
  }
  let firstAt: number | undefined
  const onSignal = (): void => {
    const now = systemClock.monotonic()
    firstAt ??= now
    // the second time somebody asks, waiting is no longer what they want; but one Ctrl-C may arrive twice,
    // from the terminal and from the program that started this one
    if (now - firstAt > SAME_SIGNAL_MS) process.exit(EXIT.failed)
    request()
  }
  const onUncaught = (error: unknown): void => {
    const known = asMeshError(error)
    log.error('Something failed that nobody caught. The helper ends.', {
      reason: known.message,
      stack: known.stack ?? '',
    })
    failed = true
    request()
  }
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  for (const name of signals) process.on(name, onSignal)
  process.on('uncaughtException', onUncaught)
  process.on('unhandledRejection', onUncaught)
  return {
    signal: controller.signal,
    requested,
    request,
    fail: () => {
      failed = true
    },
    hasFailed: () => failed,
    dispose() {
      for (const name of signals) process.off(name, onSignal)
      process.off('uncaughtException', onUncaught)
      process.off('unhandledRejection', onUncaught)
    },
  }
}

/** Stops the helper. True when it could not be stopped in time. */
async function isStuck(helper: RunningHelper | undefined, log: Logger): Promise<boolean> {
  if (helper === undefined) return false
  let cancel = (): void => {}
  const late = new Promise<'late'>((resolve) => {
    cancel = systemClock.schedule(SHUTDOWN_LIMIT_MS, () => {
      resolve('late')
    })
  })
  try {
    const result = await Promise.race([helper.stop(), late])
    if (result !== 'late') return false
    log.error('The helper did not stop in time and is ended.', { limitMs: SHUTDOWN_LIMIT_MS })
    helper.releaseNow()
    return true
  } catch (error) {
    log.error('The helper did not stop cleanly.', { error })
    helper.releaseNow()
    return true
  } finally {
    cancel()
  }
}
