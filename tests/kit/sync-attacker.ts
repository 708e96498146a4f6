import type { Connection } from '@libp2p/interface'
import { systemClock } from '../../helper/ports/clock.ts'
import { silentLogger, type MeshId } from '../../mesh/base/index.ts'
import type { PersonRole } from '../../mesh/people-types.ts'
import { loadLedger, parseInvitation, type Ledger, type LedgerEntry } from '../../mesh/identity/index.ts'
import { fetchLedger } from '../../mesh/net/protocols/ledger/ledger.ts'
import { SYNC } from '../../mesh/net/protocols/sync/messages.ts'
import { frameStream, type FrameStream } from '../../mesh/net/stream.ts'
import { createMemoryStore } from './memory-store.ts'
import type { TestPeer } from './peers.ts'
import { readFrame, startRawNode, type RawNode } from './raw-node.ts'
import { until } from './wait.ts'

/** A device with a role and software of its own: linked like any other, and every frame of documents is its to choose. */
export interface SyncAttacker {
  readonly raw: RawNode
  readonly connection: Connection
  /** The mesh it was let into. */
  readonly mesh: MeshId
  /** Streams on which the victim takes documents from this device, the newest last. */
  readonly sources: readonly FrameStream[]
  /** The newest of them that is open. */
  source(): Promise<FrameStream>
  /** The ledger as this device has it now, to write into with its own key. */
  ledger(): Promise<Ledger>
  /** Tells the victim an entry. */
  tell(entry: LedgerEntry): Promise<void>
  /** A stream on which this device takes documents from the victim. */
  take(): Promise<FrameStream>
  stop(): Promise<void>
}

/** Lets a device of that role into the victim's mesh, linked for as long as it answers. */
export async function startSyncAttacker(victim: TestPeer, role: PersonRole): Promise<SyncAttacker> {
  const raw = await startRawNode()
  const { url } = await victim.mesh.invite({ confirmation: 'in-advance', person: 'Mallory', role })
  const connection = await raw.dial(victim)
  await readFrame(await raw.prove(connection, url))
  const sources: FrameStream[] = []
  await raw.node.handle(
    SYNC.id,
    (stream, from) => {
      const peer = from.remotePeer.toString() as FrameStream['peer']
      sources.push(frameStream(stream, peer, { clock: systemClock, maxFrameBytes: SYNC.maxFrameBytes }))
    },
    { maxInboundStreams: SYNC.maxStreams },
  )
  const { mesh } = parseInvitation(url)
  const { stream } = await raw.hello(connection, { mesh })
  void answerBeats(stream)
  const online = (): boolean => victim.mesh.devices().some(({ id, state }) => id === raw.id && state === 'online')
  await until(online, { what: 'the attacker to be linked' })
  return {
    raw,
    connection,
    mesh,
    sources,
    source: () => until(() => sources.findLast(({ over }) => !over.aborted), { what: 'a stream to give documents on' }),
    async ledger() {
      const ledger = await loadLedger(
        { store: createMemoryStore(), clock: systemClock, key: raw.key, log: silentLogger },
        mesh,
      )
      await fetchLedger(
        connection,
        {
          have: () => [],
          missing: () => [],
          take: async (_from, entries) => {
            await ledger.take(entries)
          },
        },
        { clock: systemClock },
        { signal: new AbortController().signal },
      )
      return ledger
    },
    async tell({ bytes }) {
      await stream.write({ type: 'entries', entries: [bytes] })
    },
    take: () => raw.open(connection, SYNC),
    stop: () => raw.stop(),
  }
}

/** Says that it is there, and hears nothing else. */
async function answerBeats(stream: FrameStream): Promise<void> {
  try {
    for (;;) {
      const frame = await readFrame(stream, 60_000)
      if (frame['type'] === 'beat') await stream.write({ type: 'echo', n: frame['n'] })
    }
  } catch {
    // the link is over
  }
}
