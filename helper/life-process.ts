import { fork, type ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import * as z from 'zod'
import type { Passphrases } from './lock/index.ts'

// A helper whose local network a switch opened lives in a process of its own. The native WebRTC library
// cannot close the socket it listened on (docs/adr/0034): what is open ends with its process, and a life
// behind a closed network must leave nothing of an open one.

/** The exit code of a life that shall be followed by another, with a switch flipped (`EX_TEMPFAIL` of sysexits.h). */
export const AGAIN = 75

const startSchema = z.object({ isFirst: z.boolean(), passphrase: z.string().optional() })
const rememberedSchema = z.object({ passphrase: z.string().optional() })

/** What a life starts with, over the channel between the two processes and never over arguments or environment. */
export type LifeStart = z.infer<typeof startSchema>

/** What a life in a process of its own needs. */
export interface LifeOptions {
  /** The directory that holds `dist/`. */
  readonly installDir: string
  /** The command line of this process: the life's is the same. */
  readonly argv: readonly string[]
  readonly start: LifeStart
  /** The passphrase that opens the data from now on; undefined: none does. */
  onRemembered(passphrase: string | undefined): void
  /** Aborting asks the life to end. */
  readonly signal: AbortSignal
}

/**
 * Runs one life of the helper in a process of its own, at the same terminal, and resolves to its exit code;
 * {@link AGAIN}: another one shall follow. It ends with this process, however this one ends.
 */
export async function runLifeProcess(options: LifeOptions): Promise<number> {
  const { signal } = options
  const child = fork(join(options.installDir, 'dist', 'helper', 'cli.js'), [...options.argv], {
    env: { ...process.env, PLEXUS_LIFE: '1' },
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
  })
  const onAbort = (): void => {
    child.kill('SIGTERM')
  }
  child.on('message', (message) => {
    const remembered = rememberedSchema.safeParse(message)
    if (remembered.success) options.onRemembered(remembered.data.passphrase)
  })
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    const ended = endOf(child, signal)
    child.send(options.start, () => undefined)
    if (signal.aborted) onAbort()
    return await ended
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

function endOf(child: ChildProcess, signal: AbortSignal): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code) => {
      // asked to end before it listened to signals, it had nothing yet to leave in order
      resolve(code ?? (signal.aborted ? 0 : 1))
    })
  })
}

/** Whether this process is one life of a helper that another one runs. */
export function isLifeProcess(): boolean {
  return process.env['PLEXUS_LIFE'] !== undefined && process.send !== undefined
}

/**
 * In the process of a life: what it starts with; undefined where the process that runs it was gone before.
 * `onOrphaned` is called when that is gone, then or later.
 */
export async function startOfLife(onOrphaned: () => void): Promise<LifeStart | undefined> {
  // what this process starts is no life of a helper
  delete process.env['PLEXUS_LIFE']
  const first = await new Promise<unknown>((resolve) => {
    const onGone = (): void => {
      onOrphaned()
      resolve(undefined)
    }
    process.once('message', resolve)
    process.once('disconnect', onGone)
    if (!process.connected) onGone()
  })
  return first === undefined ? undefined : startSchema.parse(first)
}

/** Passphrases of a life: what it remembers, the process that runs it remembers too. */
export function sharedWithRunner(passphrases: Passphrases): Passphrases {
  return {
    ...passphrases,
    remember(passphrase) {
      passphrases.remember(passphrase)
      process.send?.({ passphrase })
    },
  }
}
