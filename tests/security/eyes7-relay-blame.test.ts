import { multiaddr } from '@multiformats/multiaddr'
import { afterEach, expect, test } from 'vitest'
import { startAdversary, targetOf } from '../kit/adversary/index.ts'
import { createMemoryStore } from '../kit/memory-store.ts'
import { join, loopbackPreset, startPeer } from '../kit/peers.ts'
import { until } from '../kit/wait.ts'

// EYES7: what a guest sends through the relay of a helper comes to a page as messages of that helper, and the helper
// pays: the page cuts its own helper. Fails on c0179b6 where the link of the two is WebRTC.

const stops: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop()
})
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

test('a guest that floods a page through the relay cuts its own link, and not that of the page to its helper', { timeout: 60_000 }, async () => {
  const alice = await startPeer('Alice')
  stops.unshift(() => alice.stop())
  const own = createMemoryStore()
  // as a page: it listens nowhere but behind the relay, and dials its helper over WebRTC
  const preset = {
    ...(await loopbackPreset(own)),
    canDial: (address: string) => address.includes('/webrtc-direct') && !address.includes('p2p-circuit'),
    listen: () => Promise.resolve(['/p2p-circuit']),
  }
  const bob = await startPeer('Bob', { store: own, preset })
  stops.unshift(() => bob.stop())
  await join(bob, alice)
  await bob.untilOnline(alice)

  const guest = await startAdversary('member', targetOf(alice))
  stops.unshift(() => guest.stop())
  await until(() => bob.mesh.devices().some(({ id }) => id === guest.id), { what: 'Bob to know the guest' })

  const seen: string[] = []
  const watch = setInterval(() => {
    const state = `${bob.sees(alice)?.state ?? '?'}/${alice.sees(bob)?.state ?? '?'}`
    if (seen.at(-1) !== state) seen.push(state)
  }, 5)
  await guest.dial()
  const way = alice.mesh.addresses().find((one) => /\/tcp\/\d+\/p2p\//.test(one)) ?? ''
  await new Promise((resolve) => setTimeout(resolve, 1_000))
  console.log(bob.mesh.addresses())
  const relayed = await guest.node.dial(multiaddr(`${way}/p2p-circuit/p2p/${bob.mesh.self}`))
  const stream = await relayed.newStream('/ipfs/ping/1.0.0', { runOnLimitedConnection: true })
  let sent = 0
  const startedAt = performance.now()
  while (performance.now() - startedAt < 5_000 && stream.status === 'open' && sent < 200_000) {
    try {
      stream.send(new Uint8Array(1))
      sent += 1
    } catch {
      break
    }
    if (sent % 32 === 0) await turn()
    if (seen.some((state) => state !== 'online/online')) break
  }
  await new Promise((resolve) => setTimeout(resolve, 500))
  clearInterval(watch)
  console.log({ sent, seen, ms: performance.now() - startedAt, relayed: relayed.status, stream: stream.status })
  expect(seen).toEqual(['online/online'])
})
