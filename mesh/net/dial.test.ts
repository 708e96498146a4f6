import type { Connection } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { expect, test } from 'vitest'
import { createVirtualClock } from '../../tests/kit/clock.ts'
import { dialFirst, inDialOrder } from './dial.ts'
import type { PeerNode } from './node.ts'

const ID = '12D3KooWRm8J3iL796zPFi2EtGGtUJn58AG67gcqzMvDmj4NK8Ku'
const WAY = `/ip4/10.0.0.1/tcp/7541/p2p/${ID}`

/** A node that is connected with the device already, and what it dials beside that. */
function connectedNode(): { readonly node: PeerNode; readonly there: Connection; readonly dialled: string[] } {
  const dialled: string[] = []
  const connection = (): Connection =>
    ({ remotePeer: peerIdFromString(ID), status: 'open', abort: () => undefined }) as unknown as Connection
  const there = connection()
  const node = {
    getConnections: () => [there],
    services: {
      dialler: {
        dial(way: { toString(): string }) {
          dialled.push(way.toString())
          return Promise.resolve(connection())
        },
      },
    },
  } as unknown as PeerNode
  return { node, there, dialled }
}

test('a connection that is there is taken, but never for one that has to be new', async () => {
  const { node, there, dialled } = connectedNode()
  const clock = createVirtualClock()
  const { signal } = new AbortController()
  expect(await dialFirst(node, [WAY], { clock }, { signal })).toBe(there)
  expect(dialled).toEqual([])
  // what listens at an address is proven by what was dialled there, by nothing else
  expect(await dialFirst(node, [WAY], { clock, isNew: true }, { signal })).not.toBe(there)
  expect(dialled).toEqual([WAY])
})

test('ways are tried in the order of how fast and how safe they are, relays last', () => {
  const relayed = `${WAY}/p2p-circuit/p2p/${ID}`
  const direct = `/ip4/10.0.0.1/udp/7542/webrtc-direct/p2p/${ID}`
  expect(inDialOrder([relayed, direct, WAY])).toEqual([WAY, direct, relayed])
})
