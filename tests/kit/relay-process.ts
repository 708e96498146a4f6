import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { MeshError } from '../../mesh/base/index.ts'
import { ensureBuilt } from '../../scripts/lib/build.mjs'
import { ROOT } from './helper-process.ts'

/** A relay that runs in a process of its own. */
export interface RelayProcess {
  readonly peerId: string
  readonly addresses: readonly string[]
  stop(): Promise<void>
}

/** Starts the real relay on free ports with a data directory of its own, which `stop` removes. */
export async function startRelayProcess(args: readonly string[] = []): Promise<RelayProcess> {
  await ensureBuilt(['helper'])
  const dataDir = await mkdtemp(join(tmpdir(), 'plexus-relay-'))
  const child = spawn(
    process.execPath,
    [join(ROOT, 'dist', 'helper', 'relay.js'), '--port', '0', '--json', '--data-dir', dataDir, ...args],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  const ended = new Promise<void>((resolve) =>
    child.once('exit', () => {
      resolve()
    }),
  )
  const lines = createInterface({ input: child.stdout })
  const first = await new Promise<string>((resolve, reject) => {
    lines.once('line', resolve)
    void ended.then(() => {
      reject(new MeshError('bug', 'The relay ended before it was ready.'))
    })
  })
  const { peerId, addresses } = JSON.parse(first) as Pick<RelayProcess, 'peerId' | 'addresses'>
  return {
    peerId,
    addresses,
    async stop() {
      child.kill('SIGTERM')
      await ended
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}
