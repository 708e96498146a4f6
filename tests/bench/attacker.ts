import '../../helper/shims.ts'
import process from 'node:process'
import { MeshError, type DeviceId } from '../../mesh/base/index.ts'
import { ATTACKS, runAttack, SHAPES, startAdversary, type AdversaryRole } from '../kit/adversary/index.ts'

/** What the benchmark may ask of this process. */
export interface AttackCommand {
  readonly role: AdversaryRole
  /** Where it is let in. */
  readonly door: readonly string[]
  /** What it attacks: the same, or another device. */
  readonly addresses: readonly string[]
  /** A link that admits it; empty for a stranger. */
  readonly link: string
  readonly durationMs: number
}

/** What this process says meanwhile: who it is once it is in, that it waits to be removed, and what it did. */
export type AttackNews =
  | { readonly is: 'in'; readonly device: DeviceId; readonly wantsRemoval: boolean }
  | { readonly is: 'over'; readonly rounds: number; readonly ended: number }
  | { readonly is: 'failed'; readonly reason: string }

const tell = (news: AttackNews): void => {
  process.send?.(news)
}

const after = (durationMs: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, durationMs))

/** One attack after the other on all protocols at once, until the time is over. */
async function attack({ role, door, addresses, link, durationMs }: AttackCommand): Promise<void> {
  const adversary = await startAdversary(role, {
    addresses: () => addresses,
    door: () => door,
    invite: () => Promise.resolve(link),
    remove: (device) =>
      new Promise((resolve) => {
        process.once('message', () => {
          resolve()
        })
        tell({ is: 'in', device, wantsRemoval: true })
      }),
  })
  tell({ is: 'in', device: adversary.id, wantsRemoval: false })
  let rounds = 0
  let ended = 0
  for (const one of ATTACKS) {
    const over = new AbortController()
    const running = SHAPES.map(async (protocol) => {
      const done = await runAttack(one, { adversary, protocol, signal: over.signal })
      rounds += done.rounds
      ended += done.ended
    })
    await after(Math.ceil(durationMs / ATTACKS.length))
    over.abort(new MeshError('aborted', 'This attack had its time.'))
    // a dial over WebRTC that was given up does not come back
    await Promise.race([Promise.all(running), after(1_000)])
  }
  tell({ is: 'over', rounds, ended })
  await Promise.race([adversary.stop(), after(2_000)])
}

process.once('message', (command: AttackCommand) => {
  attack(command)
    .catch((error: unknown) => {
      tell({ is: 'failed', reason: String(error) })
    })
    .finally(() => {
      if (process.connected) process.disconnect()
    })
})
// native connections that were given up would keep it alive for ever
process.once('disconnect', () => process.exit())
// an attacker does not mind what its own streams end with
process.on('unhandledRejection', () => undefined)
process.on('uncaughtException', () => undefined)
