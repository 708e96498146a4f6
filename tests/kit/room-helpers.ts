import { createServer } from 'node:net'
import { readCredential } from '../../helper/data-dir/index.ts'
import { createLocalClient, type LocalClient } from '../../helper/local/index.ts'
import { MeshError, type Random } from '../../mesh/base/index.ts'
import { makeTempDir, spawnHelper, type TestProcess } from './helper-process.ts'
import { until } from './wait.ts'

/** Page, WebSocket, TCP and WebRTC: what one helper takes. */
const PORTS_EACH = 4
const START_LIMIT_MS = 60_000

/** A helper that a test starts and kills again and again over the same data. */
export interface LastingHelper {
  readonly name: string
  readonly dataDir: string
  /** Starts its process. */
  spawn(): Promise<void>
  /** The way to the running process, as soon as it answers. @throws MeshError `bug` with what it wrote when it ended */
  client(): Promise<LocalClient>
  /** SIGKILL, and waits. */
  kill(): Promise<void>
  /** SIGTERM, and waits. */
  stop(): Promise<void>
  /** How the process ended by itself, while it was not to; undefined: it did not. */
  ownEnd(): string | undefined
  remove(): Promise<void>
}

/** A helper with ports that stay its own, so that the others find it again. */
export async function createLastingHelper(name: string, random: Random): Promise<LastingHelper> {
  const { path: dataDir, remove } = await makeTempDir()
  const port = await freePorts(random)
  let running: TestProcess | undefined
  let ended: string | undefined
  const end = async (signal: 'SIGKILL' | 'SIGTERM'): Promise<void> => {
    const last = running
    running = undefined
    last?.child.kill(signal)
    await last?.ended
  }
  return {
    name,
    dataDir,
    async spawn() {
      const started = await spawnHelper(dataDir, { port, args: ['--name', name] })
      running = started
      void started.ended.then(({ code, stderr }) => {
        if (running === started) ended = `${name} ended with ${String(code)}.\n${stderr}`
      })
    },
    async client() {
      const asked = running
      const found = await until(
        async () => {
          // killed, or gone by itself: nobody will answer
          if (ended !== undefined || running !== asked) return 'ended' as const
          const credential = await readCredential(dataDir).catch(() => undefined)
          if (credential === undefined || credential.pid !== asked?.child.pid) return undefined
          const client = createLocalClient(credential)
          await client.call('status', {})
          return client
        },
        { what: `${name} to answer`, timeoutMs: START_LIMIT_MS },
      )
      if (found === 'ended') throw new MeshError('bug', ended ?? `${name} was killed.`)
      return found
    },
    kill: () => end('SIGKILL'),
    stop: () => end('SIGTERM'),
    ownEnd: () => ended,
    remove,
  }
}

/** The first of some neighbouring ports nobody listens on. */
async function freePorts(random: Random): Promise<number> {
  for (;;) {
    const [high = 0, low = 0] = random.bytes(2)
    const base = 20_000 + (((high << 8) | low) % 2_500) * 4
    const free = await Promise.all(Array.from({ length: PORTS_EACH }, (_, index) => isFree(base + index)))
    if (free.every(Boolean)) return base
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => {
      resolve(false)
    })
    server.listen(port, '127.0.0.1', () => {
      server.close(() => {
        resolve(true)
      })
    })
  })
}
