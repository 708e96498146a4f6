import '../helper/shims.ts'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import envPaths from 'env-paths'
import { loadPeerCertificate } from '../helper/ports/certificate.ts'
import { systemClock } from '../helper/ports/clock.ts'
import { openLevelStore } from '../helper/ports/level-store.ts'
import { refuseWebsites } from '../helper/ports/guarded-websockets.ts'
import { listenError, nodeTransports } from '../helper/ports/node-peer.ts'
import { systemRandom } from '../helper/ports/random.ts'
import { asMeshError } from '../mesh/base/index.ts'
import { loadDeviceKey } from '../mesh/identity/index.ts'
import { addressesOf, createNode, type PeerNode } from '../mesh/net/index.ts'
import { readRelayOptions, RELAY_HELP, type RelayOptions } from './options.ts'
import { createDeviceQuota } from './quotas.ts'
import { relayService } from './relay.ts'

/** Connections of all devices. */
const CONNECTIONS_MAX = 1_024

async function startRelay(options: RelayOptions): Promise<PeerNode> {
  const ports = { clock: systemClock, random: systemRandom }
  const dataDir = options.dataDir ?? envPaths('plexus-relay', { suffix: '' }).data
  await mkdir(dataDir, { recursive: true, mode: 0o700 })
  const store = await openLevelStore(join(dataDir, 'store'))
  const key = await loadDeviceKey(store, systemRandom)
  const certificate = await loadPeerCertificate({ ...ports, store })
  // the key and the certificate are all it ever keeps
  await store.close()
  const quota = createDeviceQuota(systemClock)
  const above = (offset: number): number => (options.port === 0 ? 0 : options.port + offset)
  try {
    return await createNode(
      {
        ...nodeTransports({
          host: options.host,
          ports: { ws: options.port, tcp: above(1), webrtcDirect: above(2) },
          certificate,
          refuseCaller: refuseWebsites(options.pageOrigins),
        }),
        services: { relay: relayService(options.quotas) },
      },
      key.privateKey,
      {
        mayDial: () => false,
        mayRelay: () => true,
        mayConnect: (source) => quota.take(source),
        // nobody has places of their own here, and everybody may cost as much as a guest
        guard: { ...ports, spender: () => 'guest', isExpected: () => false, strangersMax: CONNECTIONS_MAX },
      },
    )
  } catch (error) {
    throw listenError(error)
  }
}

async function main(): Promise<void> {
  const options = readRelayOptions(process.argv.slice(2))
  if (options.help) {
    process.stdout.write(RELAY_HELP)
    return
  }
  const node = await startRelay(options)
  const addresses = addressesOf(node)
  if (options.json) process.stdout.write(`${JSON.stringify({ peerId: node.peerId.toString(), addresses })}\n`)
  else
    process.stdout.write(
      `Relay ${node.peerId.toString()} serves within its quotas at\n${addresses.map((one) => `  ${one}\n`).join('')}`,
    )
  let stopping = false
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.on(name, () => {
      if (stopping) process.exit(1)
      stopping = true
      Promise.resolve(node.stop()).then(
        () => process.exit(0),
        () => process.exit(1),
      )
    })
  }
}

main().catch((error: unknown) => {
  const known = asMeshError(error)
  process.stderr.write(`${known.message}\n`)
  process.exit(known.code === 'usage' ? 2 : 1)
})
